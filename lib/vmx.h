/* SPDX-License-Identifier: MIT */
/*
 * Intel VMX's numbers: capability MSRs, controls, exit reasons, instruction errors, the bits of the
 * VMCS's fields (SDM 3C 23 to 29, 3D A to C). The fields themselves are in lib/vmcs_fields.def.
 */
#pragma once

#include "lib/types.h"

/* Capability MSRs, SDM 3D Appendix A. */
#define MSR_VMX_BASIC	      0x480
#define MSR_VMX_PIN	      0x481
#define MSR_VMX_PROC	      0x482
#define MSR_VMX_EXIT	      0x483
#define MSR_VMX_ENTRY	      0x484
#define MSR_VMX_MISC	      0x485
#define MSR_VMX_CR0_FIXED0    0x486
#define MSR_VMX_CR0_FIXED1    0x487
#define MSR_VMX_CR4_FIXED0    0x488
#define MSR_VMX_CR4_FIXED1    0x489
#define MSR_VMX_VMCS_ENUM     0x48a
#define MSR_VMX_PROC2	      0x48b
#define MSR_VMX_EPT_VPID_CAP  0x48c
#define MSR_VMX_TRUE_PIN      0x48d
#define MSR_VMX_TRUE_PROC     0x48e
#define MSR_VMX_TRUE_EXIT     0x48f
#define MSR_VMX_TRUE_ENTRY    0x490
#define VMX_BASIC_REVISION    GENMASK(30, 0)
#define VMX_BASIC_SIZE_SHIFT  32
#define VMX_BASIC_SIZE	      GENMASK(44, 32)
#define VMX_BASIC_TYPE	      GENMASK(53, 50)
#define VMX_BASIC_TYPE_WB     (6ull << 50)
#define VMX_BASIC_STRING_IO   BIT(54) /* exits report how INS and OUTS address memory */
#define VMX_BASIC_TRUE	      BIT(55) /* the MSR_VMX_TRUE_* are there */
#define VMX_MISC_TIMER_RATE   GENMASK(4, 0)
#define VMX_MISC_STORE_LMA    BIT(5) /* exits store EFER.LMA in the entry controls */
#define VMX_MISC_ACTIVITY     GENMASK(8, 6)
#define VMX_MISC_ACTIVITY_HLT BIT(6)
#define VMX_MISC_CR3_TARGETS  GENMASK(24, 16)
#define VMX_MISC_INSN_LEN_0   BIT(30) /* a software event may be injected with length 0 */
#define VMX_EPT_EXEC_ONLY     BIT(0)
#define VMX_EPT_WALK_4	      BIT(6)
#define VMX_EPT_WALK_5	      BIT(7)
#define VMX_EPT_WB	      BIT(14)
#define VMX_EPT_2M	      BIT(16)
#define VMX_EPT_1G	      BIT(17)
#define VMX_EPT_INVEPT	      BIT(20)
#define VMX_EPT_AD	      BIT(21)
#define VMX_EPT_INVEPT_SINGLE BIT(25)
#define VMX_EPT_INVEPT_ALL    BIT(26)
#define VMX_VPID_INVVPID      BIT(32)
#define VMX_VPID_ADDRESS      BIT(40)
#define VMX_VPID_SINGLE	      BIT(41)
#define VMX_VPID_ALL	      BIT(42)
#define VMX_VPID_KEEP_GLOBAL  BIT(43)

/* Pin-based controls, SDM 3C 24.6.1. */
#define VMX_PIN_INTR	    BIT(0)
#define VMX_PIN_NMI	    BIT(3)
#define VMX_PIN_VIRTUAL_NMI BIT(5)
#define VMX_PIN_TIMER	    BIT(6)
#define VMX_PIN_POSTED	    BIT(7)

/* Primary processor-based controls, 24.6.2. */
#define VMX_PROC_INTR_WINDOW BIT(2)
#define VMX_PROC_TSC_OFFSET  BIT(3)
#define VMX_PROC_HLT	     BIT(7)
#define VMX_PROC_INVLPG	     BIT(9)
#define VMX_PROC_MWAIT	     BIT(10)
#define VMX_PROC_RDPMC	     BIT(11)
#define VMX_PROC_RDTSC	     BIT(12)
#define VMX_PROC_CR3_LOAD    BIT(15)
#define VMX_PROC_CR3_STORE   BIT(16)
#define VMX_PROC_TERTIARY    BIT(17)
#define VMX_PROC_CR8_LOAD    BIT(19)
#define VMX_PROC_CR8_STORE   BIT(20)
#define VMX_PROC_TPR_SHADOW  BIT(21)
#define VMX_PROC_NMI_WINDOW  BIT(22)
#define VMX_PROC_MOV_DR	     BIT(23)
#define VMX_PROC_IO_ALL	     BIT(24)
#define VMX_PROC_IO_BITMAPS  BIT(25)
#define VMX_PROC_TRAP_FLAG   BIT(27)
#define VMX_PROC_MSR_BITMAPS BIT(28)
#define VMX_PROC_MONITOR     BIT(29)
#define VMX_PROC_PAUSE	     BIT(30)
#define VMX_PROC_SECONDARY   BIT(31)

/* Secondary processor-based controls, 24.6.2. */
#define VMX_PROC2_APIC_ACCESS  BIT(0)
#define VMX_PROC2_EPT	       BIT(1)
#define VMX_PROC2_DESCRIPTORS  BIT(2)
#define VMX_PROC2_RDTSCP       BIT(3)
#define VMX_PROC2_X2APIC       BIT(4)
#define VMX_PROC2_VPID	       BIT(5)
#define VMX_PROC2_WBINVD       BIT(6)
#define VMX_PROC2_UNRESTRICTED BIT(7)
#define VMX_PROC2_APIC_REGS    BIT(8)
#define VMX_PROC2_INTR_DELIVER BIT(9)
#define VMX_PROC2_PAUSE_LOOP   BIT(10)
#define VMX_PROC2_RDRAND       BIT(11)
#define VMX_PROC2_INVPCID      BIT(12)
#define VMX_PROC2_VMFUNC       BIT(13)
#define VMX_PROC2_SHADOWING    BIT(14)
#define VMX_PROC2_ENCLS	       BIT(15)
#define VMX_PROC2_RDSEED       BIT(16)
#define VMX_PROC2_PML	       BIT(17)
#define VMX_PROC2_VE	       BIT(18)
#define VMX_PROC2_XSAVES       BIT(20)
#define VMX_PROC2_MODE_EXEC    BIT(22)
#define VMX_PROC2_TSC_SCALING  BIT(25)

/* Exit controls, 24.7.1. */
#define VMX_EXIT_CTL_SAVE_DEBUG BIT(2)
#define VMX_EXIT_CTL_HOST_64	BIT(9)
#define VMX_EXIT_CTL_PERF	BIT(12)
#define VMX_EXIT_CTL_ACK_INTR	BIT(15)
#define VMX_EXIT_CTL_SAVE_PAT	BIT(18)
#define VMX_EXIT_CTL_LOAD_PAT	BIT(19)
#define VMX_EXIT_CTL_SAVE_EFER	BIT(20)
#define VMX_EXIT_CTL_LOAD_EFER	BIT(21)
#define VMX_EXIT_CTL_SAVE_TIMER BIT(22)

/* Entry controls, 24.8.1. */
#define VMX_ENTRY_LOAD_DEBUG BIT(2)
#define VMX_ENTRY_IA32E	     BIT(9)
#define VMX_ENTRY_SMM	     BIT(10)
#define VMX_ENTRY_DUAL	     BIT(11)
#define VMX_ENTRY_PERF	     BIT(13)
#define VMX_ENTRY_LOAD_PAT   BIT(14)
#define VMX_ENTRY_LOAD_EFER  BIT(15)

/* Exit reasons, SDM 3D Appendix C; bit 31 of the field: the entry failed. */
#define VMX_EXIT_REASONS(X)  \
	X(EXCEPTION, 0)      \
	X(INTERRUPT, 1)      \
	X(TRIPLE_FAULT, 2)   \
	X(INIT, 3)           \
	X(SIPI, 4)           \
	X(IO_SMI, 5)         \
	X(OTHER_SMI, 6)      \
	X(INTR_WINDOW, 7)    \
	X(NMI_WINDOW, 8)     \
	X(TASK_SWITCH, 9)    \
	X(CPUID, 10)         \
	X(GETSEC, 11)        \
	X(HLT, 12)           \
	X(INVD, 13)          \
	X(INVLPG, 14)        \
	X(RDPMC, 15)         \
	X(RDTSC, 16)         \
	X(RSM, 17)           \
	X(VMCALL, 18)        \
	X(VMCLEAR, 19)       \
	X(VMLAUNCH, 20)      \
	X(VMPTRLD, 21)       \
	X(VMPTRST, 22)       \
	X(VMREAD, 23)        \
	X(VMRESUME, 24)      \
	X(VMWRITE, 25)       \
	X(VMXOFF, 26)        \
	X(VMXON, 27)         \
	X(CR_ACCESS, 28)     \
	X(DR_ACCESS, 29)     \
	X(IO, 30)            \
	X(RDMSR, 31)         \
	X(WRMSR, 32)         \
	X(GUEST_STATE, 33)   \
	X(MSR_LOADING, 34)   \
	X(MWAIT, 36)         \
	X(TRAP_FLAG, 37)     \
	X(MONITOR, 39)       \
	X(PAUSE, 40)         \
	X(MACHINE_CHECK, 41) \
	X(TPR, 43)           \
	X(APIC_ACCESS, 44)   \
	X(EOI, 45)           \
	X(GDTR_IDTR, 46)     \
	X(LDTR_TR, 47)       \
	X(EPT_VIOLATION, 48) \
	X(EPT_MISCONFIG, 49) \
	X(INVEPT, 50)        \
	X(RDTSCP, 51)        \
	X(TIMER, 52)         \
	X(INVVPID, 53)       \
	X(WBINVD, 54)        \
	X(XSETBV, 55)        \
	X(APIC_WRITE, 56)    \
	X(RDRAND, 57)        \
	X(INVPCID, 58)       \
	X(VMFUNC, 59)        \
	X(ENCLS, 60)         \
	X(RDSEED, 61)        \
	X(PML_FULL, 62)      \
	X(XSAVES, 63)        \
	X(XRSTORS, 64)

#define VMX_EXIT_ENUM(name, number) VMX_EXIT_##name = (number),

enum vmx_exit_reason { VMX_EXIT_REASONS(VMX_EXIT_ENUM) VMX_EXIT_NR = 65 };

#undef VMX_EXIT_ENUM

#define VMX_EXIT_BASIC	GENMASK(15, 0)
#define VMX_EXIT_FAILED BIT(31)

/*
 * Interruption information: of exits, of event delivery that an exit cut short, of entries
 * (24.8.3, 24.9.2, 24.9.3).
 */
#define VMX_EVENT_VECTOR      GENMASK(7, 0)
#define VMX_EVENT_TYPE	      GENMASK(10, 8)
#define VMX_EVENT_INTR	      (0ull << 8)
#define VMX_EVENT_NMI	      (2ull << 8)
#define VMX_EVENT_EXCEPTION   (3ull << 8)
#define VMX_EVENT_SOFT_INTR   (4ull << 8)
#define VMX_EVENT_ICEBP	      (5ull << 8) /* "privileged software exception" */
#define VMX_EVENT_SOFT_EXC    (6ull << 8) /* INT3, INTO */
#define VMX_EVENT_OTHER	      (7ull << 8)
#define VMX_EVENT_ERROR	      BIT(11)
#define VMX_EVENT_NMI_UNBLOCK BIT(12) /* exits only: an IRET had unblocked NMIs */
#define VMX_EVENT_RESERVED    GENMASK(30, 12)
#define VMX_EVENT_VALID	      BIT(31)

/* Interruptibility state, 24.4.2. */
#define VMX_BLOCK_STI	 BIT(0)
#define VMX_BLOCK_MOV_SS BIT(1)
#define VMX_BLOCK_SMI	 BIT(2)
#define VMX_BLOCK_NMI	 BIT(3)
#define VMX_IN_ENCLAVE	 BIT(4)
#define VMX_BLOCK_SHADOW (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)

/* Activity state, 24.4.2. */
#define VMX_ACTIVE	  0
#define VMX_HLT		  1
#define VMX_SHUTDOWN	  2
#define VMX_WAIT_FOR_SIPI 3

/* Pending debug exceptions, 24.4.2; the qualification of #DB has the same bits. */
#define VMX_DEBUG_BREAKPOINTS GENMASK(3, 0)
#define VMX_DEBUG_ENABLED     BIT(12)
#define VMX_DEBUG_BD	      BIT(13) /* qualification only */
#define VMX_DEBUG_BS	      BIT(14)
#define VMX_DEBUG_RTM	      BIT(16)

/* Exit qualification of I/O, 27.2.1 table 27-5. */
#define VMX_IO_SIZE	  GENMASK(2, 0) /* less one */
#define VMX_IO_IN	  BIT(3)
#define VMX_IO_STRING	  BIT(4)
#define VMX_IO_REP	  BIT(5)
#define VMX_IO_PORT_SHIFT 16

/* Of CR accesses, table 27-3. */
#define VMX_CR_NUMBER	  GENMASK(3, 0)
#define VMX_CR_TYPE	  GENMASK(5, 4)
#define VMX_CR_TO	  (0ull << 4) /* MOV to CR */
#define VMX_CR_FROM	  (1ull << 4)
#define VMX_CR_CLTS	  (2ull << 4)
#define VMX_CR_LMSW	  (3ull << 4)
#define VMX_CR_GPR_SHIFT  8
#define VMX_CR_GPR_MASK	  15
#define VMX_CR_LMSW_SHIFT 16

/* Of EPT violations, table 27-7. */
#define VMX_EPTV_READ	     BIT(0)
#define VMX_EPTV_WRITE	     BIT(1)
#define VMX_EPTV_FETCH	     BIT(2)
#define VMX_EPTV_GRANTED     GENMASK(5, 3) /* what the entries granted together: R, W, X */
#define VMX_EPTV_LINEAR	     BIT(7)	   /* a linear address belongs to it */
#define VMX_EPTV_FINAL	     BIT(8)	   /* ...and this is what it translates to */
#define VMX_EPTV_NMI_UNBLOCK BIT(12)

/* The EPT pointer, 24.6.11. */
#define VMX_EPTP_WB	    6ull
#define VMX_EPTP_WALK_SHIFT 3 /* levels less one */
#define VMX_EPTP_AD	    BIT(6)

/* Segments' access rights, 24.4.1: as in a descriptor, and whether the segment is usable. */
#define VMX_AR_TYPE	 GENMASK(3, 0)
#define VMX_AR_S	 BIT(4)
#define VMX_AR_DPL_SHIFT 5
#define VMX_AR_P	 BIT(7)
#define VMX_AR_AVL	 BIT(12)
#define VMX_AR_L	 BIT(13)
#define VMX_AR_DB	 BIT(14)
#define VMX_AR_G	 BIT(15)
#define VMX_AR_UNUSABLE	 BIT(16)
#define VMX_AR_RESERVED	 (GENMASK(11, 8) | GENMASK(31, 17))

/* Descriptors' kinds of INVEPT and INVVPID (SDM 3C 30.3). */
#define VMX_INVEPT_SINGLE	1
#define VMX_INVEPT_ALL		2
#define VMX_INVVPID_ADDRESS	0
#define VMX_INVVPID_SINGLE	1
#define VMX_INVVPID_ALL		2
#define VMX_INVVPID_KEEP_GLOBAL 3 /* single, but for global translations */

/* VM-instruction error numbers, 30.4. */
#define VMX_ERRORS(X)                                                                          \
	X(VMCALL_IN_ROOT, 1, "VMCALL executed in VMX root operation")                          \
	X(VMCLEAR_ADDRESS, 2, "VMCLEAR with invalid physical address")                         \
	X(VMCLEAR_VMXON, 3, "VMCLEAR with VMXON pointer")                                      \
	X(VMLAUNCH_NOT_CLEAR, 4, "VMLAUNCH with non-clear VMCS")                               \
	X(VMRESUME_NOT_LAUNCHED, 5, "VMRESUME with non-launched VMCS")                         \
	X(VMRESUME_AFTER_VMXOFF, 6, "VMRESUME after VMXOFF")                                   \
	X(ENTRY_CONTROLS, 7, "VM entry with invalid control field(s)")                         \
	X(ENTRY_HOST_STATE, 8, "VM entry with invalid host-state field(s)")                    \
	X(VMPTRLD_ADDRESS, 9, "VMPTRLD with invalid physical address")                         \
	X(VMPTRLD_VMXON, 10, "VMPTRLD with VMXON pointer")                                     \
	X(VMPTRLD_REVISION, 11, "VMPTRLD with incorrect VMCS revision identifier")             \
	X(NO_SUCH_FIELD, 12, "VMREAD/VMWRITE from/to unsupported VMCS component")              \
	X(READ_ONLY_FIELD, 13, "VMWRITE to read-only VMCS component")                          \
	X(VMXON_IN_ROOT, 15, "VMXON executed in VMX root operation")                           \
	X(ENTRY_EXECUTIVE, 16, "VM entry with invalid executive-VMCS pointer")                 \
	X(ENTRY_EXECUTIVE_LAUNCH, 17, "VM entry with non-launched executive VMCS")             \
	X(ENTRY_EXECUTIVE_VMXON, 18, "VM entry with executive-VMCS pointer not VMXON pointer") \
	X(VMCALL_NOT_CLEAR, 19, "VMCALL with non-clear VMCS")                                  \
	X(VMCALL_EXIT_CONTROLS, 20, "VMCALL with invalid VM-exit control fields")              \
	X(VMCALL_MSEG, 22, "VMCALL with incorrect MSEG revision identifier")                   \
	X(VMXOFF_DUAL, 23, "VMXOFF under dual-monitor treatment of SMIs and SMM")              \
	X(VMCALL_SMM_FEATURES, 24, "VMCALL with invalid SMM-monitor features")                 \
	X(ENTRY_EXECUTIVE_CONTROLS, 25,                                                        \
	  "VM entry with invalid VM-execution control fields in executive VMCS")               \
	X(ENTRY_MOV_SS, 26, "VM entry with events blocked by MOV SS")                          \
	X(INVALIDATION_OPERAND, 28, "Invalid operand to INVEPT/INVVPID")

#define VMX_ERROR_ENUM(name, number, text) VMX_ERROR_##name = (number),

enum vmx_error { VMX_ERRORS(VMX_ERROR_ENUM) VMX_ERROR_NR = 29 };

#undef VMX_ERROR_ENUM
