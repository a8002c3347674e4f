// SPDX-License-Identifier: MIT
/* Why an entry failed: the error's text, or the check that the guest's state does not pass. */
#include "kernel/log.h"
#include "lib/printf.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

void vmx_vmcs_read_all(const struct vmx_vcpu *vmx, struct vmcs12 *v)
{
	vmx_vmcs_use(vmx);
	*v = (struct vmcs12){0};
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		u64 value;

		if (vmcs_fields[i].offset >= 0 && vmcs_try_read(vmcs_fields[i].encoding, &value))
			vmcs12_set(v, &vmcs_fields[i], value);
	}
}

/* SDM 3C 26.8 */
static const char *guest_state_text(const struct vmcs12 *v)
{
	u64 qualification;
	const char *why = vmx_check_guest(v, &vmx_host.limits, &qualification);

	return why ? why : "a check that Cleave does not know";
}

static void dump(const struct vmcs12 *v)
{
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (f->offset >= 0 && vmcs12_get(v, f))
			log_debug("vmcs: %04x %s = 0x%lx", f->encoding, f->name, vmcs12_get(v, f));
	}
}

void vmx_explain_failure(const struct vmx_vcpu *vmx, u64 code)
{
	struct vmcs12 v;

	vmx_vmcs_read_all(vmx, &v);
	if (code >> 32)
		log_err("VMX: the entry was refused: %s (error %u)",
			vmx_error_text(code & VMX_EXIT_BASIC), (u32)(code & VMX_EXIT_BASIC));
	else if ((code & VMX_EXIT_BASIC) == VMX_EXIT_GUEST_STATE)
		log_err("VMX: the entry failed: guest state: %s", guest_state_text(&v));
	else
		log_err("VMX: the entry failed: %s, qualification 0x%lx",
			vmx_exit_name(code & VMX_EXIT_BASIC), v.exit_qualification);
	dump(&v);
}
