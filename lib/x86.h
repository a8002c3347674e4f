/* SPDX-License-Identifier: MIT */
/*
 * Architectural x86-64 numbers that everybody needs: control-register and flag bits, MSRs,
 * exceptions, CPUID leaves, page-table entries (SDM 3A 2.5, 4.5, 6.3; APM 2 3.1, 5.3). Constants
 * only. What belongs to one virtualization extension is in that one's own header.
 */
#pragma once

#include "lib/types.h"

/* CR0 */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

/* CR3 */
#define CR3_PWT BIT(3)
#define CR3_PCD BIT(4)

/* CR4 */
#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)
#define CR4_PKS	       BIT(24)

/* EFER */
#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)
#define EFER_SVME  BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSR BIT(14)
#define EFER_TCE   BIT(15)

/* RFLAGS. Bit 1 reads as one. */
#define RFLAGS_CF    BIT(0)
#define RFLAGS_FIXED BIT(1)
#define RFLAGS_PF    BIT(2)
#define RFLAGS_AF    BIT(4)
#define RFLAGS_ZF    BIT(6)
#define RFLAGS_SF    BIT(7)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_DF    BIT(10)
#define RFLAGS_OF    BIT(11)
#define RFLAGS_IOPL  GENMASK(13, 12)
#define RFLAGS_NT    BIT(14)
#define RFLAGS_RF    BIT(16)
#define RFLAGS_VM    BIT(17)
#define RFLAGS_AC    BIT(18)
#define RFLAGS_VIF   BIT(19)
#define RFLAGS_VIP   BIT(20)
#define RFLAGS_ID    BIT(21)
#define RFLAGS_ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* XCR0 */
#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)

/* DR6 and DR7 after reset */
#define DR6_INIT 0xffff0ff0ull
#define DR7_INIT 0x400ull

/* Model-specific registers */
#define MSR_TSC		      0x10
#define MSR_APIC_BASE	      0x1b
#define MSR_FEATURE_CONTROL   0x3a
#define FEATURE_CONTROL_LOCK  BIT(0)
#define FEATURE_CONTROL_VMX   BIT(2) /* outside of SMX */
#define MSR_TSC_ADJUST	      0x3b
#define MSR_SPEC_CTRL	      0x48
#define MSR_PRED_CMD	      0x49
#define MSR_BIOS_SIGN_ID      0x8b
#define MSR_MTRRCAP	      0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_SYSENTER_CS	      0x174
#define MSR_SYSENTER_ESP      0x175
#define MSR_SYSENTER_EIP      0x176
#define MSR_MCG_CAP	      0x179
#define MSR_MCG_STATUS	      0x17a
#define MSR_MISC_ENABLE	      0x1a0
#define MSR_DEBUGCTL	      0x1d9
#define MSR_MTRR_PHYSBASE0    0x200
#define MSR_MTRR_FIX64K	      0x250
#define MSR_MTRR_FIX16K_80000 0x258
#define MSR_MTRR_FIX16K_A0000 0x259
#define MSR_MTRR_FIX4K_C0000  0x268
#define MSR_PAT		      0x277
#define MSR_MTRR_DEF_TYPE     0x2ff
#define MSR_PERF_GLOBAL_CTRL  0x38f
#define MSR_TSC_DEADLINE      0x6e0
#define MSR_X2APIC_FIRST      0x800 /* + the xAPIC register's offset / 16 */
#define MSR_X2APIC_LAST	      0x8ff
#define MSR_XSS		      0xda0
#define MSR_EFER	      0xc0000080
#define MSR_STAR	      0xc0000081
#define MSR_LSTAR	      0xc0000082
#define MSR_CSTAR	      0xc0000083
#define MSR_SFMASK	      0xc0000084
#define MSR_FS_BASE	      0xc0000100
#define MSR_GS_BASE	      0xc0000101
#define MSR_KERNEL_GS_BASE    0xc0000102
#define MSR_TSC_AUX	      0xc0000103

/* MSR_APIC_BASE */
#define APIC_BASE_BSP	 BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDR	 GENMASK(51, 12)

/* MSR_ARCH_CAPABILITIES: the CPU is free of the iTLB-multihit erratum */
#define ARCH_CAP_PSCHANGE_MC_NO BIT(6)

/* MSR_PAT after reset: WB, WT, UC-, UC, twice */
#define PAT_INIT 0x0007040600070406ull

/* Exceptions */
#define EXC_DE	  0
#define EXC_DB	  1
#define EXC_NMI	  2
#define EXC_BP	  3
#define EXC_OF	  4
#define EXC_BR	  5
#define EXC_UD	  6
#define EXC_NM	  7
#define EXC_DF	  8
#define EXC_TS	  10
#define EXC_NP	  11
#define EXC_SS	  12
#define EXC_GP	  13
#define EXC_PF	  14
#define EXC_MF	  16
#define EXC_AC	  17
#define EXC_MC	  18
#define EXC_XM	  19
#define EXC_VE	  20
#define EXC_CP	  21
#define EXC_HV	  28
#define EXC_VC	  29
#define EXC_SX	  30
#define EXC_COUNT 32
/* The exceptions that push an error code */
#define EXC_WITH_ERROR_CODE                                                                  \
	(BIT(EXC_DF) | BIT(EXC_TS) | BIT(EXC_NP) | BIT(EXC_SS) | BIT(EXC_GP) | BIT(EXC_PF) | \
	 BIT(EXC_AC) | BIT(EXC_CP) | BIT(EXC_VC) | BIT(EXC_SX))

/* Page-fault error code */
#define PFERR_PRESENT  BIT(0)
#define PFERR_WRITE    BIT(1)
#define PFERR_USER     BIT(2)
#define PFERR_RESERVED BIT(3)
#define PFERR_FETCH    BIT(4)
#define PFERR_PKEY     BIT(5)
#define PFERR_SS       BIT(6)

/* Page-table entries, 4-level paging. PTE_PS makes a leaf of an entry of level 2 or 3. */
#define PTE_P	   BIT(0)
#define PTE_W	   BIT(1)
#define PTE_U	   BIT(2)
#define PTE_PWT	   BIT(3)
#define PTE_PCD	   BIT(4)
#define PTE_A	   BIT(5)
#define PTE_D	   BIT(6)
#define PTE_PS	   BIT(7)
#define PTE_G	   BIT(8)
#define PTE_NX	   BIT(63)
#define PTE_ADDR   GENMASK(51, 12)
#define PT_ENTRIES 512
/* Bytes mapped by one entry of level 1 (4K), 2 (2M), 3 (1G), 4 (512G) */
#define PT_LEVEL_SHIFT(level)	 (PAGE_SHIFT + 9 * ((level)-1))
#define PT_LEVEL_SIZE(level)	 (1ull << PT_LEVEL_SHIFT(level))
#define PT_INDEX(address, level) (((address) >> PT_LEVEL_SHIFT(level)) & (PT_ENTRIES - 1))

#define SIZE_2M PT_LEVEL_SIZE(2)
#define SIZE_1G PT_LEVEL_SIZE(3)

/* CPUID leaves and the bits that are looked at */
#define CPUID_VENDOR		     0x0
#define CPUID_FEATURES		     0x1
#define CPUID_1_ECX_VMX		     BIT(5)
#define CPUID_1_ECX_CX16	     BIT(13)
#define CPUID_1_ECX_X2APIC	     BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE     BIT(24)
#define CPUID_1_ECX_XSAVE	     BIT(26)
#define CPUID_1_ECX_OSXSAVE	     BIT(27)
#define CPUID_1_ECX_RDRAND	     BIT(30)
#define CPUID_1_ECX_HYPERVISOR	     BIT(31)
#define CPUID_1_EDX_APIC	     BIT(9)
#define CPUID_1_EDX_MTRR	     BIT(12)
#define CPUID_1_EDX_PGE		     BIT(13)
#define CPUID_1_EDX_PAT		     BIT(16)
#define CPUID_EXT_FEATURES	     0x7
#define CPUID_7_EBX_FSGSBASE	     BIT(0)
#define CPUID_7_EBX_SMEP	     BIT(7)
#define CPUID_7_EBX_SMAP	     BIT(20)
#define CPUID_7_ECX_UMIP	     BIT(2)
#define CPUID_7_ECX_LA57	     BIT(16)
#define CPUID_7_EDX_ARCH_CAP	     BIT(29)
#define CPUID_XSAVE		     0xd
#define CPUID_TSC_FREQUENCY	     0x15
#define CPUID_CPU_FREQUENCY	     0x16
#define CPUID_HYPERVISOR	     0x40000000
#define CPUID_EXT_MAX		     0x80000000
#define CPUID_EXT1		     0x80000001
#define CPUID_EXT1_ECX_SVM	     BIT(2)
#define CPUID_EXT1_EDX_NX	     BIT(20)
#define CPUID_EXT1_EDX_1G_PAGES	     BIT(26)
#define CPUID_EXT1_EDX_RDTSCP	     BIT(27)
#define CPUID_EXT1_EDX_LM	     BIT(29)
#define CPUID_BRAND_FIRST	     0x80000002 /* .. 0x80000004 */
#define CPUID_EXT7		     0x80000007
#define CPUID_EXT7_EDX_INVARIANT_TSC BIT(8)
#define CPUID_EXT8		     0x80000008
#define CPUID_SVM		     0x8000000a

/* Local APIC registers: offsets in the xAPIC's page (SDM 3A 10.4.1) */
#define APIC_ID		   0x20
#define APIC_VERSION	   0x30
#define APIC_TPR	   0x80
#define APIC_EOI	   0xb0
#define APIC_SVR	   0xf0
#define APIC_ESR	   0x280
#define APIC_ICR	   0x300
#define APIC_ICR_HIGH	   0x310
#define APIC_LVT_TIMER	   0x320
#define APIC_LVT_THERMAL   0x330
#define APIC_LVT_PERF	   0x340
#define APIC_LVT_LINT0	   0x350
#define APIC_LVT_LINT1	   0x360
#define APIC_LVT_ERROR	   0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0
#define APIC_SVR_ENABLE	   BIT(8)
#define APIC_LVT_MASKED	   BIT(16)
#define APIC_LVT_NMI	   (4u << 8)
#define APIC_LVT_PERIODIC  BIT(17)
#define APIC_DEFAULT_BASE  0xfee00000ull

/* Segment descriptors' attribute bits as VMCB and VMCS like them, and whole GDT entries */
#define GDT_CODE64 0x00209a0000000000ull
#define GDT_DATA   0x00cf92000000ffffull
