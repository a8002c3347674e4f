/* SPDX-License-Identifier: MIT */
/*
 * vCPUs of the SVM backend without a processor: the test plays that. L1 and L2 run in 64-bit mode
 * under page tables in the VM's memory, all of them with 4-level tables down to 4K pages.
 */
#pragma once

#include "svm/svm.h"
#include "tests/host/env.h"

#define SV_VCPUS 2
#define SV_PAGES 2048ull

/* Where things are in L1's memory, which its tables map one to one. */
#define SV_L1_ROOT 0x10000ull
#define SV_L1_CODE 0x20000ull
/* L1's nested tables map L2's memory at SV_L2_BASE and up. */
#define SV_NP_ROOT 0x30000ull
#define SV_L2_BASE 0x100000ull
/* In L2's memory, which its tables map one to one. */
#define SV_L2_ROOT 0x10000ull
#define SV_L2_CODE 0x20000ull
#define SV_VMCB(n) (0x60000ull + (n)*PAGE_SIZE)

struct svm_vm {
	struct vm vm;
	struct memslot *slot;
	struct svm_vcpu *vcpus[SV_VCPUS];
	u64 next_table; /* gpa */
};
extern struct svm_vm sv;

/* L1 in 64-bit mode with EFER.SVME set, on vCPUs that are alike; a sound VMCB for each. */
void sv_make(u32 features);
/* Number of errors and leaks. */
int sv_end(void);

void *sv_va(u64 gpa);
static inline struct vmcb *sv_vmcb12(u32 vcpu)
{
	return sv_va(SV_VMCB(vcpu));
}
/*
 * Maps page @addr to @to in the tables at @root, all in L1's memory from @base on: tables that are
 * missing are made. Returns where the entry of @level is.
 */
u64 *sv_map(u64 base, u64 root, u64 addr, u64 to, int level);
/* A copy of the table at @table (from @base on), as an address from @base on. */
u64 sv_copy_table(u64 base, u64 table);

/* The level that runs has executed an instruction that is intercepted: its code is put at RIP. */
void sv_put_code(struct svm_vcpu *svm, const char *bytes, u32 len);
void sv_virt_insn(struct svm_vcpu *svm, u32 code);
/* L1: VMRUN of its VMCB. True when L2 runs then. */
bool sv_vmrun(u32 vcpu);
