// SPDX-License-Identifier: MIT
/* The guest's segment registers, SDM 3C 26.3.1.2. */
#include "guests/vmxcheck.h"

#define AR_LDT	      0x82
#define HIGH	      BIT(32)
#define TYPE(name, v) OFF(name, VMX_AR_TYPE), ON(name, (v))
#define USABLE_LDT    SET(guest_ldtr_ar, AR_LDT)
#define DPL(n)	      ((u64)(n) << VMX_AR_DPL_SHIFT)

static const struct vmxcheck_row selectors[] = {
	ROW("TR in the LDT", BAD_GUEST, ON(guest_tr_selector, 4)),
	ROW("LDTR in the LDT", BAD_GUEST, USABLE_LDT, ON(guest_ldtr_selector, 4)),
	ROW("LDTR in the LDT, unusable", RUNS, ON(guest_ldtr_selector, 4)),
	ROW("SS with another RPL than CS", BAD_GUEST, ON(guest_ss_selector, 1)),
	ROW("TR base not canonical", BAD_GUEST, SET(guest_tr_base, NOT_CANONICAL)),
	ROW("FS base not canonical", BAD_GUEST, SET(guest_fs_base, NOT_CANONICAL)),
	ROW("GS base not canonical", BAD_GUEST, SET(guest_gs_base, NOT_CANONICAL)),
	ROW("LDTR base not canonical", BAD_GUEST, USABLE_LDT, SET(guest_ldtr_base, NOT_CANONICAL)),
	ROW("LDTR base not canonical, unusable", RUNS, SET(guest_ldtr_base, NOT_CANONICAL)),
	ROW("CS base of 33 bits", BAD_GUEST, SET(guest_cs_base, HIGH)),
	ROW("SS base of 33 bits", BAD_GUEST, SET(guest_ss_base, HIGH)),
	ROW("DS base of 33 bits", BAD_GUEST, SET(guest_ds_base, HIGH)),
	ROW("ES base of 33 bits", BAD_GUEST, SET(guest_es_base, HIGH)),
};

static const struct vmxcheck_row types[] = {
	ROW("CS of type 0", BAD_GUEST, TYPE(guest_cs_ar, 0)),
	ROW("CS of type 8, not accessed", BAD_GUEST, TYPE(guest_cs_ar, 8)),
	ROW("CS of type 3, not unrestricted", BAD_GUEST, TYPE(guest_cs_ar, 3)),
	ROW("CS unusable", BAD_GUEST, ON(guest_cs_ar, VMX_AR_UNUSABLE), OFF(guest_cs_ar, VMX_AR_P)),
	ROW("SS of type 1, read-only", BAD_GUEST, TYPE(guest_ss_ar, 1)),
	ROW("SS of type 11, code", BAD_GUEST, TYPE(guest_ss_ar, 11)),
	ROW("DS not accessed", BAD_GUEST, TYPE(guest_ds_ar, 2)),
	ROW("ES of code that cannot be read", BAD_GUEST, TYPE(guest_es_ar, 9)),
	ROW("FS not accessed", BAD_GUEST, TYPE(guest_fs_ar, 2)),
	ROW("GS not accessed", BAD_GUEST, TYPE(guest_gs_ar, 2)),
	ROW("CS of the system", BAD_GUEST, OFF(guest_cs_ar, VMX_AR_S)),
	ROW("SS of the system", BAD_GUEST, OFF(guest_ss_ar, VMX_AR_S)),
	ROW("DS of the system", BAD_GUEST, OFF(guest_ds_ar, VMX_AR_S)),
	ROW("CS with another DPL than SS", BAD_GUEST, ON(guest_cs_ar, DPL(3))),
	ROW("CS conforming with a DPL above SS's", BAD_GUEST, TYPE(guest_cs_ar, 15),
	    ON(guest_cs_ar, DPL(1))),
	ROW("SS with another DPL than its RPL", BAD_GUEST, ON(guest_ss_ar, DPL(3))),
	ROW("DS with a DPL below its RPL", BAD_GUEST, ON(guest_ds_selector, 3)),
	ROW("FS with a DPL below its RPL", BAD_GUEST, ON(guest_fs_selector, 2)),
	ROW("CS not present", BAD_GUEST, OFF(guest_cs_ar, VMX_AR_P)),
	ROW("SS not present", BAD_GUEST, OFF(guest_ss_ar, VMX_AR_P)),
	ROW("GS not present", BAD_GUEST, OFF(guest_gs_ar, VMX_AR_P)),
	ROW("CS with bit 8", BAD_GUEST, ON(guest_cs_ar, BIT(8))),
	ROW("SS with bit 11", BAD_GUEST, ON(guest_ss_ar, BIT(11))),
	ROW("DS with bit 17", BAD_GUEST, ON(guest_ds_ar, BIT(17))),
	ROW("ES with bit 31", BAD_GUEST, ON(guest_es_ar, BIT(31))),
	ROW("CS with L and D", BAD_GUEST, ON(guest_cs_ar, VMX_AR_DB)),
	ROW("CS with G, limit in bytes", BAD_GUEST, SET(guest_cs_limit, 0xffff0000)),
	ROW("DS without G, limit of 32 bits", BAD_GUEST, OFF(guest_ds_ar, VMX_AR_G)),
	ROW("ES unusable with anything", RUNS, SET(guest_es_ar, VMX_AR_UNUSABLE | 0xf00)),
	ROW("SS unusable", RUNS, ON(guest_ss_ar, VMX_AR_UNUSABLE)),
};

static const struct vmxcheck_row system[] = {
	ROW("TR of type 3 in long mode", BAD_GUEST, TYPE(guest_tr_ar, 3)),
	ROW("TR not busy", BAD_GUEST, TYPE(guest_tr_ar, 9)),
	ROW("TR not of the system", BAD_GUEST, ON(guest_tr_ar, VMX_AR_S)),
	ROW("TR not present", BAD_GUEST, OFF(guest_tr_ar, VMX_AR_P)),
	ROW("TR with bit 8", BAD_GUEST, ON(guest_tr_ar, BIT(8))),
	ROW("TR with bit 17", BAD_GUEST, ON(guest_tr_ar, BIT(17))),
	ROW("TR with G, limit in bytes", BAD_GUEST, ON(guest_tr_ar, VMX_AR_G),
	    SET(guest_tr_limit, 0x1000)),
	ROW("TR without G, limit of 21 bits", BAD_GUEST, SET(guest_tr_limit, BIT(20))),
	ROW("TR unusable", BAD_GUEST, ON(guest_tr_ar, VMX_AR_UNUSABLE)),
	ROW("LDTR of type 3", BAD_GUEST, SET(guest_ldtr_ar, AR_LDT | 1)),
	ROW("LDTR not of the system", BAD_GUEST, SET(guest_ldtr_ar, AR_LDT | VMX_AR_S)),
	ROW("LDTR not present", BAD_GUEST, SET(guest_ldtr_ar, AR_LDT & ~VMX_AR_P)),
	ROW("LDTR with bit 9", BAD_GUEST, SET(guest_ldtr_ar, AR_LDT | BIT(9))),
	ROW("LDTR without G, limit of 21 bits", BAD_GUEST, USABLE_LDT,
	    SET(guest_ldtr_limit, BIT(20))),
	ROW("LDTR usable", RUNS, USABLE_LDT),
};

void vmxcheck_segments(void)
{
	vmxcheck_rows(selectors, ARRAY_SIZE(selectors));
	vmxcheck_rows(types, ARRAY_SIZE(types));
	vmxcheck_rows(system, ARRAY_SIZE(system));
}
