// SPDX-License-Identifier: MIT
/* What of a vCPU moves in a migration, field by field. */
#include "kernel/vcpu.h"
#include "lib/string.h"

#define FIELD(member) STATE_FIELD(struct vcpu_state, member)

static const struct state_field vcpu_state_fields[] = {
	FIELD(gpr),
	FIELD(rip),
	FIELD(rflags),
	FIELD(cr0),
	FIELD(cr2),
	FIELD(cr3),
	FIELD(cr4),
	FIELD(cr8),
	FIELD(xcr0),
	FIELD(efer),
	FIELD(dr),
	FIELD(dr6),
	FIELD(dr7),
	FIELD(seg),
	FIELD(star),
	FIELD(lstar),
	FIELD(cstar),
	FIELD(sfmask),
	FIELD(kernel_gs_base),
	FIELD(sysenter_cs),
	FIELD(sysenter_esp),
	FIELD(sysenter_eip),
	FIELD(pat),
	FIELD(tsc_aux),
	FIELD(debugctl),
	FIELD(cpl),
	FIELD(interrupt_shadow),
	FIELD(halted),
	FIELD(nmi_masked),
	FIELD(pending),
	FIELD(fpu),
};

const struct state_desc vcpu_state_desc = {
	.name = "cpu",
	.version = 1,
	.size = sizeof(struct vcpu_state),
	.nr_fields = ARRAY_SIZE(vcpu_state_fields),
	.fields = vcpu_state_fields,
};

/*
 * Nothing in XSTATE_BV: XRSTOR takes the initial values. FCW and MXCSR count all the same, on CPUs
 * that have only FXRSTOR (SDM 1 13.6, 13.8).
 */
void vcpu_fpu_init(u8 fpu[VCPU_FPU_SIZE])
{
	static const u16 fcw = 0x37f;
	static const u32 mxcsr = 0x1f80;

	memset(fpu, 0, VCPU_FPU_SIZE);
	memcpy(fpu, &fcw, sizeof(fcw));
	memcpy(fpu + 24, &mxcsr, sizeof(mxcsr));
}
