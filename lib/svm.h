/* SPDX-License-Identifier: MIT */
/*
 * AMD SVM's numbers: intercepts, exit codes, the bits of the VMCB's fields, NPF error codes,
 * the SVM MSRs and CPUID 8000_000A. The VMCB itself is in lib/vmcb.h.
 */
#pragma once

#include "lib/types.h"

/*
 * Intercepts and exit codes, APM 2 B.1 and Appendix C. An intercept's bit number, counted
 * through the six words at 0x000..0x017, equals the code of the exit that it causes, so one
 * list serves both: INTERCEPT_X and SVM_EXIT_X are the same number.
 */
#define SVM_INTERCEPTS(X)         \
	X(CR0_READ, 0x000)        \
	X(CR3_READ, 0x003)        \
	X(CR4_READ, 0x004)        \
	X(CR8_READ, 0x008)        \
	X(CR0_WRITE, 0x010)       \
	X(CR3_WRITE, 0x013)       \
	X(CR4_WRITE, 0x014)       \
	X(CR8_WRITE, 0x018)       \
	X(DR0_READ, 0x020)        \
	X(DR6_READ, 0x026)        \
	X(DR7_READ, 0x027)        \
	X(DR0_WRITE, 0x030)       \
	X(DR6_WRITE, 0x036)       \
	X(DR7_WRITE, 0x037)       \
	X(EXCP_BASE, 0x040)       \
	X(INTR, 0x060)            \
	X(NMI, 0x061)             \
	X(SMI, 0x062)             \
	X(INIT, 0x063)            \
	X(VINTR, 0x064)           \
	X(CR0_SEL_WRITE, 0x065)   \
	X(IDTR_READ, 0x066)       \
	X(GDTR_READ, 0x067)       \
	X(LDTR_READ, 0x068)       \
	X(TR_READ, 0x069)         \
	X(IDTR_WRITE, 0x06a)      \
	X(GDTR_WRITE, 0x06b)      \
	X(LDTR_WRITE, 0x06c)      \
	X(TR_WRITE, 0x06d)        \
	X(RDTSC, 0x06e)           \
	X(RDPMC, 0x06f)           \
	X(PUSHF, 0x070)           \
	X(POPF, 0x071)            \
	X(CPUID, 0x072)           \
	X(RSM, 0x073)             \
	X(IRET, 0x074)            \
	X(SWINT, 0x075)           \
	X(INVD, 0x076)            \
	X(PAUSE, 0x077)           \
	X(HLT, 0x078)             \
	X(INVLPG, 0x079)          \
	X(INVLPGA, 0x07a)         \
	X(IOIO, 0x07b)            \
	X(MSR, 0x07c)             \
	X(TASK_SWITCH, 0x07d)     \
	X(FERR_FREEZE, 0x07e)     \
	X(SHUTDOWN, 0x07f)        \
	X(VMRUN, 0x080)           \
	X(VMMCALL, 0x081)         \
	X(VMLOAD, 0x082)          \
	X(VMSAVE, 0x083)          \
	X(STGI, 0x084)            \
	X(CLGI, 0x085)            \
	X(SKINIT, 0x086)          \
	X(RDTSCP, 0x087)          \
	X(ICEBP, 0x088)           \
	X(WBINVD, 0x089)          \
	X(MONITOR, 0x08a)         \
	X(MWAIT, 0x08b)           \
	X(MWAIT_ARMED, 0x08c)     \
	X(XSETBV, 0x08d)          \
	X(RDPRU, 0x08e)           \
	X(EFER_WRITE_TRAP, 0x08f) \
	X(CR0_WRITE_TRAP, 0x090)  \
	X(INVLPGB, 0x0a0)         \
	X(INVLPGB_ILLEGAL, 0x0a1) \
	X(INVPCID, 0x0a2)         \
	X(MCOMMIT, 0x0a3)         \
	X(TLBSYNC, 0x0a4)         \
	X(BUSLOCK, 0x0a5)         \
	X(IDLE_HLT, 0x0a6)

#define SVM_INTERCEPT_ENUM(name, bit) INTERCEPT_##name = (bit), SVM_EXIT_##name = (bit),

enum svm_intercept { SVM_INTERCEPTS(SVM_INTERCEPT_ENUM) };

#undef SVM_INTERCEPT_ENUM

/* Exit codes without an intercept bit. */
#define SVM_EXIT_NPF		 0x400ull
#define SVM_EXIT_AVIC_INCOMPLETE 0x401ull
#define SVM_EXIT_AVIC_NOACCEL	 0x402ull
#define SVM_EXIT_VMGEXIT	 0x403ull
#define SVM_EXIT_INVALID	 (~0ull)

/* vmcb_control.tlb_control, APM 2 15.16.1. Values 3 and 7 need the FlushByAsid feature. */
#define TLB_CONTROL_NONE	     0x0
#define TLB_CONTROL_FLUSH_ALL	     0x1
#define TLB_CONTROL_FLUSH_ASID	     0x3
#define TLB_CONTROL_FLUSH_ASID_LOCAL 0x7

/* vmcb_control.vintr, APM 2 15.21. */
#define V_TPR_MASK	    0xffull
#define V_IRQ		    BIT(8)
#define V_GIF		    BIT(9)
#define V_NMI		    BIT(11)
#define V_NMI_MASK	    BIT(12)
#define V_INTR_PRIO_SHIFT   16
#define V_INTR_PRIO_MASK    (0xfull << V_INTR_PRIO_SHIFT)
#define V_IGN_TPR	    BIT(20)
#define V_INTR_MASKING	    BIT(24)
#define V_GIF_ENABLE	    BIT(25)
#define V_NMI_ENABLE	    BIT(26)
#define V_X2AVIC_ENABLE	    BIT(30)
#define V_AVIC_ENABLE	    BIT(31)
#define V_INTR_VECTOR_SHIFT 32
#define V_INTR_VECTOR_MASK  (0xffull << V_INTR_VECTOR_SHIFT)

/* vmcb_control.int_state */
#define SVM_INTERRUPT_SHADOW BIT(0)
#define SVM_GUEST_INTR_MASK  BIT(1)

/* EVENTINJ and EXITINTINFO share one format, APM 2 15.20 and 15.7.2. */
#define SVM_EVENT_VECTOR_MASK 0xffull
#define SVM_EVENT_TYPE_SHIFT  8
#define SVM_EVENT_TYPE_MASK   (7ull << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_TYPE_INTR   (0ull << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_TYPE_NMI    (2ull << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_TYPE_EXCP   (3ull << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_TYPE_SOFT   (4ull << SVM_EVENT_TYPE_SHIFT)
#define SVM_EVENT_ERR_VALID   BIT(11)
#define SVM_EVENT_VALID	      BIT(31)
#define SVM_EVENT_ERR_SHIFT   32

/* vmcb_control.nested_ctl (NP_ENABLE and its neighbours) */
#define SVM_NP_ENABLE	  BIT(0)
#define SVM_SEV_ENABLE	  BIT(1)
#define SVM_SEV_ES_ENABLE BIT(2)
#define SVM_GMET_ENABLE	  BIT(3)
#define SVM_SSS_ENABLE	  BIT(4)
#define SVM_VTE_ENABLE	  BIT(5)

/* vmcb_control.virt_ext */
#define SVM_LBR_VIRT_ENABLE    BIT(0)
#define SVM_VIRT_VMLOAD_VMSAVE BIT(1)

/* vmcb_control.clean, APM 2 15.15.3. */
#define VMCB_CLEAN_I	BIT(0) /* intercepts, TSC offset, pause filter */
#define VMCB_CLEAN_IOPM BIT(1) /* IOPM and MSRPM base */
#define VMCB_CLEAN_ASID BIT(2)
#define VMCB_CLEAN_TPR	BIT(3) /* the vintr word */
#define VMCB_CLEAN_NP	BIT(4) /* NP_ENABLE, nCR3, gPAT */
#define VMCB_CLEAN_CRX	BIT(5) /* CR0, CR3, CR4, EFER */
#define VMCB_CLEAN_DRX	BIT(6) /* DR6, DR7 */
#define VMCB_CLEAN_DT	BIT(7) /* GDTR, IDTR */
#define VMCB_CLEAN_SEG	BIT(8) /* CS, DS, SS, ES, CPL */
#define VMCB_CLEAN_CR2	BIT(9)
#define VMCB_CLEAN_LBR	BIT(10)
#define VMCB_CLEAN_AVIC BIT(11)
#define VMCB_CLEAN_CET	BIT(12)

/* EXITINFO1 of an IOIO exit, APM 2 15.10.2; EXITINFO2 is the rIP of the next instruction. */
#define SVM_IOIO_IN	    BIT(0)
#define SVM_IOIO_STR	    BIT(2)
#define SVM_IOIO_REP	    BIT(3)
#define SVM_IOIO_SIZE8	    BIT(4)
#define SVM_IOIO_SIZE16	    BIT(5)
#define SVM_IOIO_SIZE32	    BIT(6)
#define SVM_IOIO_SIZE_SHIFT 4 /* the three bits above, shifted down, are the size in bytes */
#define SVM_IOIO_SIZE_MASK  7
#define SVM_IOIO_A16	    BIT(7)
#define SVM_IOIO_A32	    BIT(8)
#define SVM_IOIO_A64	    BIT(9)
#define SVM_IOIO_SEG_SHIFT  10
#define SVM_IOIO_PORT_SHIFT 16

/* EXITINFO1 of an MSR exit: 0 for RDMSR, 1 for WRMSR. */
#define SVM_MSR_EXIT_WRITE BIT(0)

/* EXITINFO1 of #NPF, APM 2 15.25.6; EXITINFO2 is the guest physical address. */
#define NPF_P	  BIT(0)
#define NPF_RW	  BIT(1)
#define NPF_US	  BIT(2)
#define NPF_RSV	  BIT(3)
#define NPF_ID	  BIT(4)
#define NPF_SS	  BIT(6)
#define NPF_FINAL BIT(32) /* while translating the guest's final physical address */
#define NPF_PT	  BIT(33) /* while reading or updating the guest's page tables */

/* Permission maps, APM 2 15.10.1 and 15.11: both page-aligned and contiguous. */
#define SVM_IOPM_SIZE  (3 * PAGE_SIZE)
#define SVM_MSRPM_SIZE (2 * PAGE_SIZE)

/* Segment attributes: descriptor bits 55:52 and 47:40 in 12 bits, APM 2 15.5.1. */
#define VMCB_SEG_TYPE_MASK 0x00f
#define VMCB_SEG_S	   0x010
#define VMCB_SEG_DPL_SHIFT 5
#define VMCB_SEG_DPL_MASK  0x060
#define VMCB_SEG_P	   0x080
#define VMCB_SEG_AVL	   0x100
#define VMCB_SEG_L	   0x200
#define VMCB_SEG_DB	   0x400
#define VMCB_SEG_G	   0x800

#define VMCB_SEG_CODE64 0x29b /* present, code, execute/read, accessed, L */
#define VMCB_SEG_CODE32 0xc9b
#define VMCB_SEG_DATA	0xc93 /* present, data, read/write, accessed, 4G */
#define VMCB_SEG_LDT	0x082
#define VMCB_SEG_TSS64	0x08b /* busy 64-bit (32-bit outside long mode) TSS */

/* SVM MSRs, APM 2 15.30. */
#ifndef MSR_VM_CR
#define MSR_VM_CR	0xc0010114
#define MSR_VM_HSAVE_PA 0xc0010117
#define MSR_SVM_KEY	0xc0010118
#endif
#define VM_CR_DPD      BIT(0)
#define VM_CR_R_INIT   BIT(1)
#define VM_CR_DIS_A20M BIT(2)
#define VM_CR_LOCK     BIT(3)
#define VM_CR_SVMDIS   BIT(4)

/* CPUID 8000_000A: EAX[7:0] revision, EBX number of ASIDs, EDX features. */
#define CPUID_SVM		 0x8000000a
#define SVM_FEATURE_NP		 BIT(0)
#define SVM_FEATURE_LBR_VIRT	 BIT(1)
#define SVM_FEATURE_LOCK	 BIT(2)
#define SVM_FEATURE_NRIPS	 BIT(3)
#define SVM_FEATURE_TSC_RATE	 BIT(4)
#define SVM_FEATURE_VMCB_CLEAN	 BIT(5)
#define SVM_FEATURE_FLUSH_ASID	 BIT(6)
#define SVM_FEATURE_DECODE	 BIT(7)
#define SVM_FEATURE_PAUSE_FILTER BIT(10)
#define SVM_FEATURE_PAUSE_THRESH BIT(12)
#define SVM_FEATURE_AVIC	 BIT(13)
#define SVM_FEATURE_VIRT_VMLOAD	 BIT(15)
#define SVM_FEATURE_VGIF	 BIT(16)
#define SVM_FEATURE_GMET	 BIT(17)
#define SVM_FEATURE_X2AVIC	 BIT(18)
#define SVM_FEATURE_VNMI	 BIT(25)
