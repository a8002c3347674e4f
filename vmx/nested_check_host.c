// SPDX-License-Identifier: MIT
/* The vm-entry checks on the state that an exit to L1 will load, SDM 3C 26.2.2 to 26.2.4. */
#include "vmx/nested_check_internal.h"

#define SELECTOR_RPL_TI 7

/* 26.2.2. */
static const char *check_registers(const struct vmcs12 *v, const struct vmx_limits *l)
{
	REFUSE(vmx_fixed_bad(v->host_cr0, l->cr0_fixed0, l->cr0_fixed1, 0), "host CR0");
	REFUSE(vmx_fixed_bad(v->host_cr4, l->cr4_fixed0, l->cr4_fixed1, 0), "host CR4");
	REFUSE(vmx_physical_bad(v->host_cr3, l), "host CR3");
	REFUSE(!vmx_canonical(v->host_sysenter_esp), "host SYSENTER_ESP");
	REFUSE(!vmx_canonical(v->host_sysenter_eip), "host SYSENTER_EIP");
	REFUSE(v->exit_controls & VMX_EXIT_CTL_LOAD_PAT && vmx_pat_bad(v->host_pat), "host PAT");
	return NULL;
}

static const char *check_efer(const struct vmcs12 *v, const struct vmx_limits *l)
{
	bool host_64 = v->exit_controls & VMX_EXIT_CTL_HOST_64;

	if (!(v->exit_controls & VMX_EXIT_CTL_LOAD_EFER))
		return NULL;
	REFUSE(v->host_efer & ~l->efer_allowed, "host EFER MBZ bits");
	REFUSE(!(v->host_efer & EFER_LMA) == host_64, "host EFER.LMA");
	REFUSE(!(v->host_efer & EFER_LME) == host_64, "host EFER.LME");
	return NULL;
}

/* 26.2.3. */
static const char *check_segments(const struct vmcs12 *v)
{
	const u16 all = v->host_es_selector | v->host_cs_selector | v->host_ss_selector |
			v->host_ds_selector | v->host_fs_selector | v->host_gs_selector |
			v->host_tr_selector;

	REFUSE(all & SELECTOR_RPL_TI, "RPL or TI of a host selector");
	REFUSE(!v->host_cs_selector, "host CS is null");
	REFUSE(!v->host_tr_selector, "host TR is null");
	REFUSE(!v->host_ss_selector && !(v->exit_controls & VMX_EXIT_CTL_HOST_64),
	       "host SS is null");
	REFUSE(!vmx_canonical(v->host_fs_base), "host FS base");
	REFUSE(!vmx_canonical(v->host_gs_base), "host GS base");
	REFUSE(!vmx_canonical(v->host_tr_base), "host TR base");
	REFUSE(!vmx_canonical(v->host_gdtr_base), "host GDTR base");
	REFUSE(!vmx_canonical(v->host_idtr_base), "host IDTR base");
	return NULL;
}

/* 26.2.4: an exit cannot leave or enter IA-32e mode. */
static const char *check_address_space(const struct vmcs12 *v, bool l1_long)
{
	bool host_64 = v->exit_controls & VMX_EXIT_CTL_HOST_64;

	REFUSE(host_64 != l1_long, "host address-space size");
	if (!host_64) {
		REFUSE(v->entry_controls & VMX_ENTRY_IA32E, "IA-32e guest of a 32-bit host");
		REFUSE(v->host_cr4 & CR4_PCIDE, "host CR4.PCIDE");
		REFUSE(v->host_rip >> 32, "host RIP[63:32]");
		return NULL;
	}
	REFUSE(!(v->host_cr4 & CR4_PAE), "host CR4.PAE");
	REFUSE(!vmx_canonical(v->host_rip), "host RIP");
	return NULL;
}

const char *vmx_check_host(const struct vmcs12 *v, const struct vmx_limits *l, bool l1_long)
{
	REFUSE_ALSO(check_registers(v, l));
	REFUSE_ALSO(check_efer(v, l));
	REFUSE_ALSO(check_segments(v));
	return check_address_space(v, l1_long);
}
