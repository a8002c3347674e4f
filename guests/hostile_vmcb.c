// SPDX-License-Identifier: MIT
/*
 * Invalid VMCBs, one per check of APM 2 15.5.1 and 15.20: each must give VMEXIT_INVALID, and
 * the next valid VMCB must run.
 */
#include "guests/hostile.h"

static struct vmcb_control *c(void)
{
	return &hvm.v.vmcb->control;
}

static struct vmcb_save *s(void)
{
	return &hvm.v.vmcb->save;
}

static void inject(u64 type, u64 vector)
{
	c()->event_inj = SVM_EVENT_VALID | type << SVM_EVENT_TYPE_SHIFT | vector;
}

#define BAD(name, statement)         \
	static void bad_##name(void) \
	{                            \
		statement;           \
	}

BAD(svme, s()->efer &= ~EFER_SVME)
BAD(cr0_nw, s()->cr0 = (s()->cr0 | CR0_NW) & ~CR0_CD)
BAD(cr0_high, s()->cr0 |= BIT(32))
BAD(cr3_high, s()->cr3 |= BIT(60))
BAD(cr4_reserved, s()->cr4 |= BIT(31))
BAD(cr4_high, s()->cr4 |= BIT(40))
BAD(dr6_high, s()->dr6 |= BIT(33))
BAD(dr7_high, s()->dr7 |= BIT(33))
BAD(efer_reserved, s()->efer |= BIT(30))
BAD(lme_no_pae, s()->cr4 &= ~CR4_PAE)
BAD(lme_no_pe, s()->cr0 &= ~CR0_PE)
BAD(cs_l_and_d, s()->cs.attrib |= VMCB_SEG_L | VMCB_SEG_DB)
BAD(no_vmrun, vmcb_intercept_clear(c(), INTERCEPT_VMRUN))
BAD(asid_0, c()->asid = 0)
BAD(iopm_range, c()->iopm_base = hostile_physical_limit() - PAGE_SIZE)
BAD(msrpm_range, c()->msrpm_base = hostile_physical_limit())
BAD(ncr3_range, c()->ncr3 = hostile_physical_limit())
BAD(inject_1, inject(1, 0x50))
BAD(inject_5, inject(5, 0x50))
BAD(inject_6, inject(6, 0x50))
BAD(inject_7, inject(7, 0x50))
BAD(inject_nmi_vector, inject(3, EXC_NMI))
BAD(inject_excp_32, inject(3, 32))

#undef BAD

/* @everywhere: QEMU's own SVM makes this check too. */
static const struct {
	const char *name;
	void (*spoil)(void);
	bool everywhere;
} bad[] = {
	{"EFER.SVME=0", bad_svme, true},
	{"CR0.NW without CD", bad_cr0_nw, true},
	{"CR0[63:32]", bad_cr0_high, true},
	{"CR3 reserved", bad_cr3_high, true},
	{"CR4 reserved", bad_cr4_reserved, true},
	{"CR4[63:32]", bad_cr4_high, true},
	{"DR6[63:32]", bad_dr6_high, true},
	{"DR7[63:32]", bad_dr7_high, true},
	{"EFER reserved", bad_efer_reserved, true},
	{"EFER.LME, CR0.PG, no CR4.PAE", bad_lme_no_pae, true},
	{"EFER.LME, CR0.PG, no CR0.PE", bad_lme_no_pe, true},
	{"CS.L and CS.D", bad_cs_l_and_d, true},
	{"VMRUN not intercepted", bad_no_vmrun, true},
	{"ASID 0", bad_asid_0, true},
	{"IOPM beyond physical memory", bad_iopm_range, true},
	{"MSRPM beyond physical memory", bad_msrpm_range, true},
	{"nCR3 reserved", bad_ncr3_range, false},
	{"EVENTINJ type 1", bad_inject_1, true},
	{"EVENTINJ type 5", bad_inject_5, true},
	{"EVENTINJ type 6", bad_inject_6, true},
	{"EVENTINJ type 7", bad_inject_7, true},
	{"EVENTINJ exception 2", bad_inject_nmi_vector, true},
	{"EVENTINJ exception 32", bad_inject_excp_32, true},
};

void test_bad_vmcb(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u32 code, after;

		if (!bad[i].everywhere && !hostile_on_cleave()) {
			hostile_skip(bad[i].name, "QEMU's emulation does not check it");
			continue;
		}
		hvm_reset();
		bad[i].spoil();
		code = hvm_run(HVM_NOP, 0, 0);
		hvm_reset();
		after = hvm_run(HVM_NOP, 0, 0);
		hostile_check(bad[i].name, code == EXIT_INVALID && after == SVM_EXIT_VMMCALL,
			      "exit code 0x%x, and 0x%x for the next valid VMCB", code, after);
	}
}
