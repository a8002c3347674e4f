// SPDX-License-Identifier: MIT
/* The host-state area, SDM 3C 26.2.2 to 26.2.4. */
#include "guests/vmxcheck.h"

static const struct vmxcheck_row registers[] = {
	ROW("host CR0 without PE", BAD_HOST, OFF(host_cr0, CR0_PE)),
	ROW("host CR0 without PG", BAD_HOST, OFF(host_cr0, CR0_PG)),
	ROW("host CR0 without NE", BAD_HOST, OFF(host_cr0, CR0_NE)),
	ROW("host CR0 with bit 32", BAD_HOST, ON(host_cr0, BIT(32))),
	ROW("host CR4 without VMXE", BAD_HOST, OFF(host_cr4, CR4_VMXE)),
	ROW("host CR4 with bit 31", BAD_HOST, ON(host_cr4, BIT(31))),
	ROW("host CR3 outside", BAD_HOST, ON(host_cr3, NOT_PHYSICAL)),
	ROW("host SYSENTER_ESP not canonical", BAD_HOST, SET(host_sysenter_esp, NOT_CANONICAL)),
	ROW("host SYSENTER_EIP not canonical", BAD_HOST, SET(host_sysenter_eip, NOT_CANONICAL)),
	ROW("host PAT of type 2", BAD_HOST, SET(host_pat, 0x0007040600070402)),
	ROW("host PAT of type 8", BAD_HOST, SET(host_pat, 0x0807040600070406)),
	ROW("host PAT not used", RUNS, OFF(exit_controls, VMX_EXIT_CTL_LOAD_PAT), SET(host_pat, 2)),
	ROW("host EFER with a reserved bit", BAD_HOST, ON(host_efer, BIT(1))),
	ROW("host EFER without LMA", BAD_HOST, OFF(host_efer, EFER_LMA)),
	ROW("host EFER without LME", BAD_HOST, OFF(host_efer, EFER_LME)),
	ROW("host EFER not used", RUNS, OFF(exit_controls, VMX_EXIT_CTL_LOAD_EFER),
	    SET(host_efer, BIT(1))),
};

static const struct vmxcheck_row segments[] = {
	ROW("host CS with RPL 3", BAD_HOST, ON(host_cs_selector, 3)),
	ROW("host SS with RPL 1", BAD_HOST, ON(host_ss_selector, 1)),
	ROW("host DS with RPL 2", BAD_HOST, ON(host_ds_selector, 2)),
	ROW("host ES with RPL 3", BAD_HOST, ON(host_es_selector, 3)),
	ROW("host FS with RPL 3", BAD_HOST, ON(host_fs_selector, 3)),
	ROW("host GS with RPL 3", BAD_HOST, ON(host_gs_selector, 3)),
	ROW("host TR with RPL 3", BAD_HOST, ON(host_tr_selector, 3)),
	ROW("host CS in the LDT", BAD_HOST, ON(host_cs_selector, 4)),
	ROW("host SS in the LDT", BAD_HOST, ON(host_ss_selector, 4)),
	ROW("host DS in the LDT", BAD_HOST, ON(host_ds_selector, 4)),
	ROW("host ES in the LDT", BAD_HOST, ON(host_es_selector, 4)),
	ROW("host FS in the LDT", BAD_HOST, ON(host_fs_selector, 4)),
	ROW("host GS in the LDT", BAD_HOST, ON(host_gs_selector, 4)),
	ROW("host TR in the LDT", BAD_HOST, ON(host_tr_selector, 4)),
	ROW("host CS null", BAD_HOST, SET(host_cs_selector, 0)),
	ROW("host TR null", BAD_HOST, SET(host_tr_selector, 0)),
	ROW("host FS base not canonical", BAD_HOST, SET(host_fs_base, NOT_CANONICAL)),
	ROW("host GS base not canonical", BAD_HOST, SET(host_gs_base, NOT_CANONICAL)),
	ROW("host TR base not canonical", BAD_HOST, SET(host_tr_base, NOT_CANONICAL)),
	ROW("host GDTR base not canonical", BAD_HOST, SET(host_gdtr_base, NOT_CANONICAL)),
	ROW("host IDTR base not canonical", BAD_HOST, SET(host_idtr_base, NOT_CANONICAL)),
};

static const struct vmxcheck_row size[] = {
	ROW("host in long mode, exit to 32 bits", BAD_HOST,
	    OFF(exit_controls, VMX_EXIT_CTL_HOST_64)),
	ROW("host of 64 bits without PAE", BAD_HOST, OFF(host_cr4, CR4_PAE)),
	ROW("host RIP not canonical", BAD_HOST, SET(host_rip, NOT_CANONICAL)),
};

void vmxcheck_host(void)
{
	vmxcheck_rows(registers, ARRAY_SIZE(registers));
	vmxcheck_rows(segments, ARRAY_SIZE(segments));
	vmxcheck_rows(size, ARRAY_SIZE(size));
}
