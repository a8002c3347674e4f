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

/* All eight at once: types 2 and 3, which have bit 1 without bit 2, and 8 and above are reserved.
 */
const char *svm_check_pat(u64 pat)
{
	u64 bit1 = pat & 0x0202020202020202, bit2 = pat & 0x0404040404040404;

	REFUSE(pat & 0xf8f8f8f8f8f8f8f8 || bit1 & ~(bit2 >> 1), "G_PAT type");
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

const char *svm_check_vmcb(const struct vmcb_control *c, const struct vmcb_save *s,
			   const struct svm_limits *l, bool host_paging)
{
	const char *why = svm_check_control(c, l, host_paging);

	if (!why)
		why = svm_check_registers(s, l);
	if (!why && l->nested_paging && c->nested_ctl & SVM_NP_ENABLE)
		why = svm_check_pat(s->g_pat);
	return why;
}

/* APM 2 15.5.1: VMRUN sign-extends the bases; the width is that of 4- or 5-level paging. */
static inline void normalise_segment(struct vmcb_seg *seg, u32 shift)
{
	seg->attrib &= SEG_ATTRIB_DEFINED;
	seg->base = (u64)((s64)(seg->base << shift) >> shift);
}

static u8 normalise_cpl(const struct vmcb_save *s)
{
	if (!(s->cr0 & CR0_PE))
		return 0;
	return s->rflags & RFLAGS_VM ? 3 : s->cpl & 3;
}

void svm_normalise_flow(struct vmcb_save *s)
{
	bool long_mode = s->efer & EFER_LMA;

	s->rflags = (s->rflags & RFLAGS_DEFINED) | RFLAGS_FIXED;
	if (long_mode)
		s->rflags &= ~RFLAGS_VM;
	if (!long_mode || !(s->cs.attrib & VMCB_SEG_L))
		s->rip = (u32)s->rip;
	s->cpl = normalise_cpl(s);
}

void svm_normalise_registers(struct vmcb_save *s)
{
	u32 shift = s->cr4 & CR4_LA57 ? 7 : 16;

	normalise_segment(&s->es, shift);
	normalise_segment(&s->cs, shift);
	normalise_segment(&s->ss, shift);
	normalise_segment(&s->ds, shift);
	normalise_segment(&s->gdtr, shift);
	normalise_segment(&s->idtr, shift);
	s->cr0 = (s->cr0 & CR0_DEFINED) | CR0_ET;
	s->efer &= ~EFER_LMA;
	if (s->efer & EFER_LME && s->cr0 & CR0_PG)
		s->efer |= EFER_LMA;
	else
		s->cr3 = (u32)s->cr3;
	svm_normalise_flow(s);
	s->dr6 = (s->dr6 & ~BIT(12)) | DR6_INIT;
	s->dr7 |= DR7_INIT;
}
