// SPDX-License-Identifier: MIT
/* The lists of MSRs that an entry loads, SDM 3C 26.4: which entry of the list it stops at. */
#include "guests/vmxcheck.h"
#include "lib/string.h"

#define MSR_SMM_MONITOR 0x9b

static const struct {
	const char *name;
	struct vmx_msr msr;
	bool loads, bochs_differs;
} rows[] = {
	{"an MSR that may be loaded", {MSR_SYSENTER_EIP, 0, 0x1234}, true, false},
	{"FS base", {MSR_FS_BASE, 0, 0}, false, false},
	{"GS base", {MSR_GS_BASE, 0, 0}, false, false},
	{"an x2APIC register", {MSR_X2APIC_FIRST + 8, 0, 0}, false, false},
	{"SMM_MONITOR_CTL", {MSR_SMM_MONITOR, 0, 0}, false, true},
	{"reserved bits", {MSR_LSTAR, 1, 0}, false, false},
	{"an address that is not canonical", {MSR_LSTAR, 0, NOT_CANONICAL}, false, false},
	{"a PAT of type 2", {MSR_PAT, 0, 2}, false, false},
	{"a read-only MSR", {MSR_VMX_BASIC, 0, 0}, false, false},
};

/* As entry 1 and as entry 3 of the list, between good ones. */
static void check(u32 i)
{
	struct vmx_msr *list = vmxcheck_vcpu.l2_msrs;
	static const u8 places[] = {0, 2};

	for (u32 p = 0; p < ARRAY_SIZE(places); p++) {
		struct vmx_msr old = list[places[p]];
		u32 answer;

		/* What exits store is this list, too: not now. */
		vmcs_write(VMCS_exit_msr_store_count, 0);
		list[places[p]] = rows[i].msr;
		answer = vmxcheck_enter();
		list[places[p]] = old;
		vmxcheck_answer(rows[i].name, answer,
				rows[i].loads ? RUNS : BAD_MSR(places[p] + 1));
		vmxcheck_valid();
		vmcs_write(VMCS_exit_msr_store_count, VMX_LIST_MSRS);
	}
}

void vmxcheck_lists(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (!rows[i].bochs_differs || !vmxcheck_bochs_differs(rows[i].name))
			check(i);
}
