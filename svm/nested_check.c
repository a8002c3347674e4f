// SPDX-License-Identifier: MIT
/*
 * VMRUN's consistency checks (APM 2 15.5.1, 15.16.1, 15.20, 15.25.4). All of them are made here,
 * before the processor sees the VMCB, so that what L1 gets does not depend on how thorough an
 * emulator is.
 */
#include "svm/nested_check.h"
#include "lib/x86.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define RFLAGS_DEFINED                                                                            \
	(RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | \
	 RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)
#define SEG_ATTRIB_DEFINED 0xfff

/* Each check has a name of its own: it is what the trace and the tests show. */
#define REFUSE(condition, name)      \
	do {                         \
		if (condition)       \
			return name; \
	} while (0)

static bool above_maxphyaddr(u64 address, const struct svm_limits *l)
{
	return address >> l->maxphyaddr;
}

static const char *check_long_mode(const struct vmcb_save *s, const struct svm_limits *l)
{
	REFUSE(!(s->cr4 & CR4_PAE), "LME and PG without CR4.PAE");
	REFUSE(!(s->cr0 & CR0_PE), "LME and PG without CR0.PE");
	REFUSE(s->cs.attrib & VMCB_SEG_L && s->cs.attrib & VMCB_SEG_DB, "CS.L and CS.D");
	REFUSE(above_maxphyaddr(s->cr3, l), "CR3 MBZ bits");
	return NULL;
}

const char *svm_check_registers(const struct vmcb_save *s, const struct svm_limits *l)
{
	REFUSE(!(s->efer & EFER_SVME), "EFER.SVME clear");
	REFUSE(s->efer & ~l->efer_allowed, "EFER MBZ bits");
	REFUSE(s->cr0 & CR0_NW && !(s->cr0 & CR0_CD), "CR0.NW without CR0.CD");
	REFUSE(s->cr0 >> 32, "CR0[63:32]");
	REFUSE(s->cr4 & ~l->cr4_allowed, "CR4 MBZ bits");
	REFUSE(s->dr6 >> 32, "DR6[63:32]");
	REFUSE(s->dr7 >> 32, "DR7[63:32]");
	if (s->efer & EFER_LME && s->cr0 & CR0_PG)
		return check_long_mode(s, l);
	return NULL;
}

/* The tables are there whether or not anything is intercepted; the low 12 bits do not count. */
static bool table_beyond(u64 base, u64 size, const struct svm_limits *l)
{
	base &= PAGE_MASK;
	return above_maxphyaddr(base, l) || above_maxphyaddr(base + size - 1, l);
}

static const char *check_tlb_control(u8 value, const struct svm_limits *l)
{
	switch (value) {
	case TLB_CONTROL_NONE:
	case TLB_CONTROL_FLUSH_ALL:
		return NULL;
	case TLB_CONTROL_FLUSH_ASID:
	case TLB_CONTROL_FLUSH_ASID_LOCAL:
		REFUSE(!l->flush_by_asid, "TLB_CONTROL without flush by ASID");
		return NULL;
	}
	return "TLB_CONTROL reserved";
}

const char *svm_check_event(u64 event)
{
	u64 type = event & SVM_EVENT_TYPE_MASK;
	u64 vector = event & SVM_EVENT_VECTOR_MASK;

	if (!(event & SVM_EVENT_VALID))
		return NULL;
	switch (type) {
	case SVM_EVENT_TYPE_INTR:
	case SVM_EVENT_TYPE_NMI:
	case SVM_EVENT_TYPE_SOFT:
		return NULL;
	case SVM_EVENT_TYPE_EXCP:
		/* Vector 2 is the NMI, 31 and up are no exceptions. */
		REFUSE(vector == EXC_NMI || vector >= EXC_COUNT - 1, "EVENTINJ vector");
		return NULL;
	}
	return "EVENTINJ type";
}

const char *svm_check_pat(u64 pat)
{
	for (u32 i = 0; i < 8; i++) {
		u64 type = pat >> 8 * i & 0xff;

		REFUSE(type > 7 || type == 2 || type == 3, "G_PAT type");
	}
	return NULL;
}

static const char *check_nested_paging(const struct vmcb_control *c, const struct svm_limits *l,
				       bool host_paging)
{
	if (!(c->nested_ctl & SVM_NP_ENABLE) || !l->nested_paging)
		return NULL;
	REFUSE(!host_paging, "NP_ENABLE without the host's CR0.PG");
	REFUSE(above_maxphyaddr(c->ncr3, l), "nCR3 MBZ bits");
	return NULL;
}

const char *svm_check_control(const struct vmcb_control *c, const struct svm_limits *l,
			      bool host_paging)
{
	const char *why;

	REFUSE(!vmcb_intercept_test(c, INTERCEPT_VMRUN), "VMRUN intercept clear");
	REFUSE(!c->asid, "ASID 0");
	REFUSE(table_beyond(c->iopm_base, SVM_IOPM_SIZE, l), "IOPM beyond MAXPHYADDR");
	REFUSE(table_beyond(c->msrpm_base, SVM_MSRPM_SIZE, l), "MSRPM beyond MAXPHYADDR");
	why = check_tlb_control(c->tlb_control, l);
	if (!why)
		why = svm_check_event(c->event_inj);
	return why ? why : check_nested_paging(c, l, host_paging);
}

const char *svm_check_vmcb(const struct vmcb *v, const struct svm_limits *l, bool host_paging)
{
	const char *why = svm_check_control(&v->control, l, host_paging);

	if (!why)
		why = svm_check_registers(&v->save, l);
	if (!why && l->nested_paging && v->control.nested_ctl & SVM_NP_ENABLE)
		why = svm_check_pat(v->save.g_pat);
	return why;
}

/* APM 2 15.5.1: VMRUN sign-extends the bases; the width is that of 4- or 5-level paging. */
static u64 canonical(u64 base, bool la57)
{
	u32 shift = la57 ? 7 : 16;

	return (u64)((s64)(base << shift) >> shift);
}

void svm_normalise_registers(struct vmcb_save *s)
{
	struct vmcb_seg *segs[] = {&s->es, &s->cs, &s->ss, &s->ds, &s->gdtr, &s->idtr};
	bool la57 = s->cr4 & CR4_LA57;

	for (u32 i = 0; i < ARRAY_SIZE(segs); i++) {
		segs[i]->attrib &= SEG_ATTRIB_DEFINED;
		segs[i]->base = canonical(segs[i]->base, la57);
	}
	s->efer &= ~EFER_LMA;
	if (s->efer & EFER_LME && s->cr0 & CR0_PG)
		s->efer |= EFER_LMA;
	s->cr0 = (s->cr0 & CR0_DEFINED) | CR0_ET;
	s->rflags = (s->rflags & RFLAGS_DEFINED) | RFLAGS_FIXED;
	if (s->efer & EFER_LMA)
		s->rflags &= ~RFLAGS_VM;
	else
		s->cr3 = (u32)s->cr3;
	if (!(s->efer & EFER_LMA) || !(s->cs.attrib & VMCB_SEG_L))
		s->rip = (u32)s->rip;
	s->cpl &= 3;
	if (!(s->cr0 & CR0_PE))
		s->cpl = 0;
	else if (s->rflags & RFLAGS_VM)
		s->cpl = 3;
	s->dr6 = (s->dr6 & ~BIT(12)) | DR6_INIT;
	s->dr7 |= DR7_INIT;
}
