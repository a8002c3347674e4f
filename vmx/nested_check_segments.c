// SPDX-License-Identifier: MIT
/* The vm-entry checks on L2's segment registers, SDM 3C 26.3.1.2. */
#include "vmx/nested_check_internal.h"

#define TYPE_ACCESSED  BIT(0)
#define TYPE_READABLE  BIT(1) /* of code; of data: writable */
#define TYPE_CODE      BIT(3)
#define TYPE_DATA_RW   3 /* accessed, writable */
#define TYPE_DATA_DOWN 7 /* the same, expanding down */
#define TYPE_LDT       2
#define TYPE_TSS_16    3 /* busy */
#define TYPE_TSS       11

/* Those of virtual-8086 mode, all alike. */
#define V86_LIMIT 0xffff
#define V86_AR	  0xf3

struct seg {
	u16 selector;
	u32 limit, ar;
	u64 base;
};

#define SEG(v, name)                                                           \
	((struct seg){(v)->guest_##name##_selector, (v)->guest_##name##_limit, \
		      (v)->guest_##name##_ar, (v)->guest_##name##_base})

static u32 type_of(struct seg s)
{
	return s.ar & VMX_AR_TYPE;
}

static u32 dpl_of(struct seg s)
{
	return s.ar >> VMX_AR_DPL_SHIFT & 3;
}

static bool usable(struct seg s)
{
	return !(s.ar & VMX_AR_UNUSABLE);
}

/* Present, nothing reserved set, and G as the limit demands. */
static bool form_bad(struct seg s)
{
	bool pages = s.ar & VMX_AR_G;

	return !(s.ar & VMX_AR_P) || s.ar & VMX_AR_RESERVED ||
	       (pages && (s.limit & 0xfff) != 0xfff) || (!pages && s.limit >> 20);
}

static const char *check_v86(const struct vmcs12 *v)
{
	const struct seg all[] = {SEG(v, es), SEG(v, cs), SEG(v, ss),
				  SEG(v, ds), SEG(v, fs), SEG(v, gs)};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		REFUSE(all[i].base != (u64)all[i].selector << 4, "base in virtual-8086 mode");
		REFUSE(all[i].limit != V86_LIMIT, "limit in virtual-8086 mode");
		REFUSE(all[i].ar != V86_AR, "access rights in virtual-8086 mode");
	}
	return NULL;
}

static const char *check_cs(struct seg cs, struct seg ss, bool ia32e, bool unrestricted)
{
	u32 type = type_of(cs);

	REFUSE(!(type == 9 || type == 11 || type == 13 || type == 15) &&
		       !(type == TYPE_DATA_RW && unrestricted),
	       "type of CS");
	REFUSE(!(cs.ar & VMX_AR_S), "S of CS");
	REFUSE(type == TYPE_DATA_RW && dpl_of(cs), "DPL of CS, a data segment");
	REFUSE((type == 9 || type == 11) && dpl_of(cs) != dpl_of(ss), "DPL of CS");
	REFUSE(type >= 13 && dpl_of(cs) > dpl_of(ss), "DPL of conforming CS");
	REFUSE(form_bad(cs), "access rights of CS");
	REFUSE(ia32e && cs.ar & VMX_AR_L && cs.ar & VMX_AR_DB, "L and D of CS");
	REFUSE(cs.base >> 32, "base of CS");
	return NULL;
}

static const char *check_ss(struct seg ss, struct seg cs, const struct vmcs12 *v, bool unrestricted)
{
	REFUSE(!unrestricted && (ss.selector & 3) != (cs.selector & 3), "RPL of SS");
	REFUSE(!unrestricted && dpl_of(ss) != (ss.selector & 3u), "DPL of SS");
	REFUSE((type_of(cs) == TYPE_DATA_RW || !(v->guest_cr0 & CR0_PE)) && dpl_of(ss),
	       "DPL of SS with CS a data segment or CR0.PE clear");
	if (!usable(ss))
		return NULL;
	REFUSE(type_of(ss) != TYPE_DATA_RW && type_of(ss) != TYPE_DATA_DOWN, "type of SS");
	REFUSE(!(ss.ar & VMX_AR_S), "S of SS");
	REFUSE(form_bad(ss), "access rights of SS");
	REFUSE(ss.base >> 32, "base of SS");
	return NULL;
}

static const char *check_data(struct seg s, bool unrestricted)
{
	u32 type = type_of(s);

	if (!usable(s))
		return NULL;
	REFUSE(!(type & TYPE_ACCESSED), "data segment not accessed");
	REFUSE(type & TYPE_CODE && !(type & TYPE_READABLE), "data segment not readable");
	REFUSE(!(s.ar & VMX_AR_S), "S of a data segment");
	REFUSE(!unrestricted && type < 12 && dpl_of(s) < (s.selector & 3u),
	       "DPL of a data segment");
	REFUSE(form_bad(s), "access rights of a data segment");
	return NULL;
}

static const char *check_code_and_data(const struct vmcs12 *v)
{
	bool ia32e = v->entry_controls & VMX_ENTRY_IA32E;
	bool free = vmx_proc2(v) & VMX_PROC2_UNRESTRICTED;

	REFUSE_ALSO(check_cs(SEG(v, cs), SEG(v, ss), ia32e, free));
	REFUSE_ALSO(check_ss(SEG(v, ss), SEG(v, cs), v, free));
	REFUSE_ALSO(check_data(SEG(v, ds), free));
	REFUSE_ALSO(check_data(SEG(v, es), free));
	REFUSE_ALSO(check_data(SEG(v, fs), free));
	REFUSE_ALSO(check_data(SEG(v, gs), free));
	REFUSE(usable(SEG(v, ds)) && v->guest_ds_base >> 32, "base of DS");
	REFUSE(usable(SEG(v, es)) && v->guest_es_base >> 32, "base of ES");
	return NULL;
}

static const char *check_tr(struct seg tr, bool ia32e)
{
	REFUSE(tr.selector & 4, "TI of TR");
	REFUSE(!usable(tr), "TR unusable");
	REFUSE(type_of(tr) != TYPE_TSS && !(type_of(tr) == TYPE_TSS_16 && !ia32e), "type of TR");
	REFUSE(tr.ar & VMX_AR_S, "S of TR");
	REFUSE(form_bad(tr), "access rights of TR");
	REFUSE(!vmx_canonical(tr.base), "base of TR");
	return NULL;
}

static const char *check_ldtr(struct seg ldtr)
{
	if (!usable(ldtr))
		return NULL;
	REFUSE(ldtr.selector & 4, "TI of LDTR");
	REFUSE(type_of(ldtr) != TYPE_LDT, "type of LDTR");
	REFUSE(ldtr.ar & VMX_AR_S, "S of LDTR");
	REFUSE(form_bad(ldtr), "access rights of LDTR");
	REFUSE(!vmx_canonical(ldtr.base), "base of LDTR");
	return NULL;
}

const char *vmx_check_segments(const struct vmcs12 *v)
{
	bool v86 = v->guest_rflags & RFLAGS_VM;

	REFUSE_ALSO(v86 ? check_v86(v) : check_code_and_data(v));
	REFUSE(!vmx_canonical(v->guest_fs_base), "base of FS");
	REFUSE(!vmx_canonical(v->guest_gs_base), "base of GS");
	REFUSE_ALSO(check_tr(SEG(v, tr), v->entry_controls & VMX_ENTRY_IA32E));
	return check_ldtr(SEG(v, ldtr));
}
