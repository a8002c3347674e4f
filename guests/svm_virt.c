// SPDX-License-Identifier: MIT
/* SVM behind guests/virt.h. */
#include "guests/guest.h"
#include "guests/paging.h"
#include "guests/svm.h"
#include "lib/string.h"

/* Ranges of the control area that the processor does not write, APM 2 Appendix B. */
#define CONTROL_HEAD	  offsetof(struct vmcb_control, vintr)
#define CONTROL_NESTED	  offsetof(struct vmcb_control, nested_ctl)
#define CONTROL_EVENT_INJ offsetof(struct vmcb_control, event_inj)
#define CONTROL_NCR3	  offsetof(struct vmcb_control, ncr3)
#define CONTROL_CLEAN	  offsetof(struct vmcb_control, clean)

static struct svm_vcpu vcpu;
static u8 raised_vector;   /* of the virtual interrupt */
static u32 raises;	   /* so far */
static bool raised_before; /* one was pending at the last entry */
static bool emulated;	   /* nobody mends what an emulator's SVM does wrong */
static struct vmcb_control before;

static struct vmcb_control *control(void)
{
	return &vcpu.vmcb->control;
}

/*
 * The same tables, but where the processor looks for L2's own: they lead from all that L2 can
 * address to L1's memory at once. Their format must be the one that L2 runs with.
 */
static void shadow_paging(const struct npt *npt)
{
	struct vmcb *v = vcpu.vmcb;

	if (npt->fmt->entry_size != 8)
		die("shadow=on takes npt=pae: that is how L2 runs");
	v->control.nested_ctl = v->control.ncr3 = 0;
	v->save.cr3 = (u64)npt->root;
	if (npt->fmt->levels == 5)
		v->save.cr4 |= CR4_LA57;
	vmcb_intercept_set(&v->control, INTERCEPT_EXCP_BASE + EXC_PF);
}

static const struct npt_format *format(bool shadow)
{
	(void)shadow;
	return paging_format();
}

static u32 create(const struct virt_config *c)
{
	if (c->no_ad)
		die("ad=off is VMX's: nested tables of SVM always have A and D");
	svm_vcpu_init(&vcpu, (u64)c->npt->root, c->cr3, c->rip, c->rsp);
	if (c->halts)
		vmcb_intercept_clear(control(), INTERCEPT_HLT);
	if (c->shadow)
		shadow_paging(c->npt);
	emulated = c->emulated;
	return vcpu.asids;
}

/* --- exits --- */

static void decode_io(struct virt_exit *e)
{
	u64 info = control()->exit_info_1;

	e->kind = VIRT_IO;
	e->io.port = (u16)(info >> SVM_IOIO_PORT_SHIFT);
	e->io.plain_out = !(info & (SVM_IOIO_IN | SVM_IOIO_STR)) && info & SVM_IOIO_SIZE8;
	/* Both forms of OUT: the processor says where the next instruction is. */
	if (control()->exit_info_2 - e->rip - 1 > 1)
		die("IOIO: the next rIP 0x%lx is not just after 0x%lx", control()->exit_info_2,
		    e->rip);
	e->length = control()->exit_info_2 - e->rip;
}

static void decode_fault(struct virt_exit *e, enum virt_exit_kind kind)
{
	e->kind = kind;
	e->fault.address = control()->exit_info_2;
	e->fault.write = control()->exit_info_1 & NPF_RW;
}

/* The lengths are known: L1 does not depend on next_rip, which not every processor has. */
static void decode_plain(struct virt_exit *e)
{
	static const struct {
		u16 code;
		u8 kind, length;
	} plain[] = {
		{SVM_EXIT_CPUID, VIRT_CPUID, 2},  {SVM_EXIT_VMMCALL, VIRT_HYPERCALL, 3},
		{SVM_EXIT_MSR, VIRT_MSR, 2},	  {SVM_EXIT_VMRUN, VIRT_FORBIDDEN, 3},
		{SVM_EXIT_HLT, VIRT_HLT, 1},	  {SVM_EXIT_VINTR, VIRT_WINDOW, 0},
		{SVM_EXIT_INTR, VIRT_NOTHING, 0},
	};

	e->kind = VIRT_UNEXPECTED;
	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		if (plain[i].code != e->code)
			continue;
		e->kind = plain[i].kind;
		e->length = plain[i].length;
	}
	if (e->kind == VIRT_MSR)
		e->msr_write = e->info_1 & SVM_MSR_EXIT_WRITE;
}

static void decode(struct virt_exit *e)
{
	const struct vmcb_control *c = control();

	*e = (struct virt_exit){.code = c->exit_code,
				.info_1 = c->exit_info_1,
				.info_2 = c->exit_info_2,
				.rip = vcpu.vmcb->save.rip};
	if (e->code == SVM_EXIT_IOIO)
		decode_io(e);
	else if (e->code == SVM_EXIT_NPF)
		decode_fault(e, VIRT_NESTED_FAULT);
	else if (e->code == SVM_EXIT_EXCP_BASE + EXC_PF)
		decode_fault(e, VIRT_PAGE_FAULT);
	else
		decode_plain(e);
}

static void enter(struct virt_regs *regs, struct virt_exit *e)
{
	raised_before = control()->vintr & V_IRQ;
	vcpu.regs = *regs;
	vcpu.vmcb->save.rax = regs->rax;
	svm_vcpu_enter(&vcpu);
	*regs = vcpu.regs;
	regs->rax = vcpu.vmcb->save.rax;
	decode(e);
}

static void skip(u64 length)
{
	vcpu.vmcb->save.rip += length;
	control()->int_state &= ~SVM_INTERRUPT_SHADOW;
}

static void flush(void)
{
	svm_vcpu_flush(&vcpu);
}

static void msr_exits(u32 msr, bool read, bool write)
{
	svm_msrpm_set(&vcpu, msr, read, write);
}

static void port_exits(u16 port, bool exits)
{
	svm_iopm_set(&vcpu, port, exits);
}

/* --- events --- */

/* APM 2 15.20: EVENTINJ does not ask. */
static bool can_interrupt(void)
{
	return vcpu.vmcb->save.rflags & RFLAGS_IF &&
	       !(control()->int_state & SVM_INTERRUPT_SHADOW) &&
	       !(control()->event_inj & SVM_EVENT_VALID);
}

static void inject(u64 event)
{
	if (control()->event_inj & SVM_EVENT_VALID)
		die("an exit of an instruction came with an event in delivery");
	control()->event_inj = event;
}

static void interrupt(u8 vector)
{
	inject(SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | vector);
}

static void exception(u8 vector, bool has_error)
{
	inject(SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCP | vector |
	       (has_error ? SVM_EVENT_ERR_VALID : 0));
}

/* The processor delivers it when L2's IF allows and then clears V_IRQ. */
static void raise(u8 vector)
{
	u64 v = control()->vintr & ~(V_IRQ | V_IGN_TPR | V_INTR_PRIO_MASK | V_INTR_VECTOR_MASK);

	v |= V_IRQ | (u64)vector << V_INTR_VECTOR_SHIFT;
	/* Past the priority check in one way or the other: V_TPR is 0. */
	v |= raises++ & 1 ? V_IGN_TPR : 8ul << V_INTR_PRIO_SHIFT;
	control()->vintr = v;
	raised_vector = vector;
}

static bool raised(void)
{
	return control()->vintr & V_IRQ;
}

static void window(bool on)
{
	if (on)
		vmcb_intercept_set(control(), INTERCEPT_VINTR);
	else
		vmcb_intercept_clear(control(), INTERCEPT_VINTR);
}

/*
 * What emulators make of a virtual interrupt whose delivery was cut short. QEMU records an
 * exception with a vector of 32 or more, which no exception has, and leaves V_IRQ set although the
 * interrupt was taken; Bochs leaves the record of an earlier event there. Under Cleave L1 must see
 * neither. EVENTINJ goes first, so when V_IRQ is gone the event is the virtual interrupt.
 */
static u64 mend_emulated(u64 info)
{
	bool qemu = (info & SVM_EVENT_TYPE_MASK) == SVM_EVENT_TYPE_EXCP &&
		    (info & SVM_EVENT_VECTOR_MASK) >= EXC_COUNT;

	if (!raised_before || (raised() && !qemu))
		return info;
	control()->vintr &= ~V_IRQ;
	return SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | raised_vector;
}

static bool reinject(void)
{
	u64 info = control()->exit_int_info;

	control()->event_inj = 0;
	if (!(info & SVM_EVENT_VALID))
		return false;
	control()->event_inj = emulated ? mend_emulated(info) : info;
	return true;
}

/* --- checks --- */

/* Whether @error, #NPF's, may come from an access that the leaf @e (0: absent) refuses. */
static const char *fault_wrong(u64 e)
{
	u64 error = control()->exit_info_1;

	if (error & (NPF_RSV | NPF_ID | NPF_SS))
		return "the error code has bits of another fault";
	if (control()->exit_code == SVM_EXIT_NPF) {
		if (!(error & NPF_US))
			return "the error code lacks US: nested accesses are user accesses";
		if (!!(error & NPF_FINAL) == !!(error & NPF_PT))
			return "the error code must have one of bits 32 and 33";
	} else if (error & (NPF_US | NPF_FINAL | NPF_PT)) {
		return "#PF with bits of a user's or nested access";
	}
	if (!e && error & NPF_P)
		return "the error code has P for an absent page";
	if (e && !(error & NPF_P))
		return "the error code lacks P for a present page";
	if (e && !(error & NPF_RW))
		return "the error code lacks RW: the page may be read";
	return NULL;
}

static void remember(void)
{
	before = *control();
}

static bool same(size_t from, size_t to)
{
	return !memcmp((char *)&before + from, (char *)control() + from, to - from);
}

static const char *changed(void)
{
	/* svm_vcpu_enter() itself takes back the request to flush. */
	before.tlb_control = TLB_CONTROL_NONE;
	if (!same(0, CONTROL_HEAD) || !same(CONTROL_NESTED, CONTROL_EVENT_INJ) ||
	    !same(CONTROL_NCR3, CONTROL_CLEAN))
		return "VMRUN changed a VMCB field that only software writes";
	if (!(rdmsr(MSR_EFER) & EFER_SVME))
		return "VMRUN came back with EFER.SVME clear";
	return NULL;
}

const struct virt_ops svm_virt = {
	.name = "AMD SVM",
	.tags_name = "ASIDs",
	.enable = svm_enable,
	.format = format,
	.create = create,
	.enter = enter,
	.skip = skip,
	.flush = flush,
	.msr_exits = msr_exits,
	.port_exits = port_exits,
	.can_interrupt = can_interrupt,
	.interrupt = interrupt,
	.exception = exception,
	.raise = raise,
	.raised = raised,
	.window = window,
	.reinject = reinject,
	.fault_wrong = fault_wrong,
	.remember = remember,
	.changed = changed,
};
