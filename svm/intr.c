// SPDX-License-Identifier: MIT
/*
 * Events on their way into a guest: EVENTINJ, EXITINTINFO, the interrupt window, and which level an
 * interrupt of L1's platform is for.
 */
#include "lib/x86.h"
#include "svm/svm.h"

u64 svm_event_encode(const struct vcpu_event *e)
{
	static const u64 types[] = {
		[EVENT_INTR] = SVM_EVENT_TYPE_INTR,
		[EVENT_NMI] = SVM_EVENT_TYPE_NMI,
		[EVENT_EXCEPTION] = SVM_EVENT_TYPE_EXCP,
		[EVENT_SOFT_INTR] = SVM_EVENT_TYPE_SOFT,
	};
	u64 event;

	if (e->type == EVENT_NONE)
		return 0;
	event = SVM_EVENT_VALID | types[e->type] | e->vector;
	if (e->has_error)
		event |= SVM_EVENT_ERR_VALID | (u64)e->error << SVM_EVENT_ERR_SHIFT;
	return event;
}

void svm_event_decode(struct vcpu_event *e, u64 event)
{
	u64 type = event & SVM_EVENT_TYPE_MASK;

	*e = (struct vcpu_event){.vector = event & SVM_EVENT_VECTOR_MASK, .in_delivery = 1};
	if (!(event & SVM_EVENT_VALID))
		e->type = EVENT_NONE;
	else if (type == SVM_EVENT_TYPE_NMI)
		e->type = EVENT_NMI;
	else if (type == SVM_EVENT_TYPE_SOFT)
		e->type = EVENT_SOFT_INTR;
	else if (type == SVM_EVENT_TYPE_EXCP && e->vector < EXC_COUNT)
		e->type = EVENT_EXCEPTION;
	else /* an exception's type with an interrupt's vector: QEMU, for virtual interrupts */
		e->type = EVENT_INTR;
	if (e->type == EVENT_EXCEPTION && event & SVM_EVENT_ERR_VALID) {
		e->has_error = 1;
		e->error = (u32)(event >> SVM_EVENT_ERR_SHIFT);
	}
}

/* APM 2 8.2.9: what becomes a double fault when the second comes while the first is delivered. */
static bool contributory(u8 vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

void svm_queue_exception(struct svm_vcpu *svm, u8 vector, bool has_error, u32 error)
{
	struct vcpu_event *p = &svm->vcpu.pending;
	bool on_top = p->type == EVENT_EXCEPTION &&
		      ((contributory(p->vector) && contributory(vector)) ||
		       (p->vector == EXC_PF && (contributory(vector) || vector == EXC_PF)));

	*p = (struct vcpu_event){.type = EVENT_EXCEPTION,
				 .vector = on_top ? EXC_DF : vector,
				 .has_error = on_top || has_error,
				 .error = on_top ? 0 : error};
}

/* INT n, INT3, INTO whose delivery was cut short: RIP is still at the instruction. */
static bool is_soft(const struct vcpu_event *e)
{
	return e->type == EVENT_SOFT_INTR ||
	       (e->type == EVENT_EXCEPTION && (e->vector == EXC_BP || e->vector == EXC_OF));
}

/* An exception that L0 raised in L2 is L1's when L1 intercepts it; one under delivery no more. */
static bool exception_is_for_l1(const struct svm_vcpu *svm)
{
	const struct vcpu_event *e = &svm->vcpu.pending;

	return svm->vcpu.guest_mode && e->type == EVENT_EXCEPTION && !e->in_delivery &&
	       vmcb_intercept_test(&svm->nested.ctl, INTERCEPT_EXCP_BASE + e->vector);
}

void svm_event_inject(struct svm_vcpu *svm)
{
	struct vcpu_event e = svm->vcpu.pending;

	if (exception_is_for_l1(svm)) {
		svm->vcpu.pending.type = EVENT_NONE;
		svm_nested_exit(svm, SVM_EXIT_EXCP_BASE + e.vector, e.error,
				e.vector == EXC_PF ? svm->vmcb->save.cr2 : 0);
		return;
	}
	svm->vcpu.pending.type = EVENT_NONE;
	if (is_soft(&e) && e.insn_len)
		return; /* executing the instruction again delivers it */
	/* Where a software interrupt returns to, APM 2 15.20. */
	if (svm->vcpu.guest_mode)
		svm->vmcb->control.next_rip = svm->nested.ctl.next_rip;
	svm->injected = svm_event_encode(&e);
	svm->vmcb->control.event_inj = svm->injected;
	svm->vcpu.stats.injections++;
}

static bool was_injected(const struct svm_vcpu *svm, const struct vcpu_event *e)
{
	return svm->injected & SVM_EVENT_VALID &&
	       (svm->injected & SVM_EVENT_VECTOR_MASK) == e->vector;
}

void svm_event_collect(struct svm_vcpu *svm)
{
	struct vcpu_event *e = &svm->vcpu.pending;

	svm_event_decode(e, svm->vmcb->control.exit_int_info);
	if (is_soft(e) && !was_injected(svm, e))
		e->insn_len = e->type == EVENT_SOFT_INTR ? 2 : 1;
}

/* --- L1's virtual interrupts for L2 --- */

/*
 * The processor only says when V_IRQ can be delivered (VINTR is intercepted while it is set); L0
 * then injects it. Had the processor delivered it itself, and an exit cut that short, EXITINTINFO
 * would be of no use: QEMU records an exception and leaves V_IRQ set, Bochs records whatever event
 * was recorded last.
 */
static void virq_take(struct svm_vcpu *svm)
{
	struct vmcb_control *c = &svm->vmcb02->control;

	svm->vcpu.pending = (struct vcpu_event){
		.type = EVENT_INTR,
		.vector = (u8)(c->vintr >> V_INTR_VECTOR_SHIFT),
	};
	c->vintr &= ~V_IRQ;
	svm_virq_intercept(svm);
}

static bool virq_deliverable(const struct svm_vcpu *svm)
{
	const struct vmcb_control *c = &svm->vmcb02->control;
	u64 v = c->vintr;

	if (!(svm->vcpu.rflags & RFLAGS_IF) || c->int_state & SVM_INTERRUPT_SHADOW ||
	    svm->vcpu.pending.type != EVENT_NONE)
		return false;
	return v & V_IGN_TPR || (v & V_INTR_PRIO_MASK) >> V_INTR_PRIO_SHIFT > (v & V_TPR_MASK);
}

void svm_virq_intercept(struct svm_vcpu *svm)
{
	struct vmcb_control *c = &svm->vmcb02->control;

	if (c->vintr & V_IRQ || vmcb_intercept_test(&svm->nested.ctl, INTERCEPT_VINTR))
		vmcb_intercept_set(c, INTERCEPT_VINTR);
	else
		vmcb_intercept_clear(c, INTERCEPT_VINTR);
}

void svm_virq_enter(struct svm_vcpu *svm)
{
	if (svm->window || !virq_deliverable(svm))
		return;
	if (vmcb_intercept_test(&svm->nested.ctl, INTERCEPT_VINTR))
		svm_nested_exit(svm, SVM_EXIT_VINTR, 0, 0);
	else
		virq_take(svm);
}

bool svm_virq_exit(struct svm_vcpu *svm)
{
	if (svm->window) {
		svm_window_close(svm);
		return true;
	}
	if (!svm->vcpu.guest_mode || vmcb_intercept_test(&svm->nested.ctl, INTERCEPT_VINTR))
		return false;
	virq_take(svm);
	return true;
}

/* L2 runs: L1 wants to be told of interrupts. */
static bool l1_intercepts_intr(const struct svm_vcpu *svm)
{
	return vmcb_intercept_test(&svm->nested.ctl, INTERCEPT_INTR);
}

/* APM 2 15.21.1: the IF that masks L1's physical interrupts while L2 runs. */
static bool l1_interrupts_on(const struct svm_vcpu *svm)
{
	if (svm->nested.ctl.vintr & V_INTR_MASKING)
		return svm->vmcb01->save.rflags & RFLAGS_IF;
	return svm->vcpu.rflags & RFLAGS_IF;
}

bool svm_intr_allowed(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!svm_gif(svm) || vcpu->pending.type != EVENT_NONE)
		return false;
	if (!vcpu->guest_mode)
		return vcpu->rflags & RFLAGS_IF &&
		       !(svm->vmcb->control.int_state & SVM_INTERRUPT_SHADOW);
	return !l1_intercepts_intr(svm) && l1_interrupts_on(svm) &&
	       !(svm->vmcb->control.int_state & SVM_INTERRUPT_SHADOW);
}

bool svm_nested_intr(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!vcpu->guest_mode || !svm_gif(svm) || !l1_intercepts_intr(svm) ||
	    !l1_interrupts_on(svm))
		return false;
	svm_nested_exit(svm, SVM_EXIT_INTR, 0, 0);
	return true;
}

/*
 * A virtual interrupt of highest priority, whose delivery is intercepted, tells when IF and the
 * shadow allow one. Where something else is in the way its end is an exit: STGI, and L1's IF while
 * L2 runs with V_INTR_MASKING.
 */
void svm_intr_window(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *c = &svm->vmcb->control;

	if (!svm_gif(svm)) {
		svm_gif_wait(svm);
		return;
	}
	if (svm->window)
		return;
	if (vcpu->guest_mode) {
		if (svm->nested.ctl.vintr & V_INTR_MASKING && !l1_interrupts_on(svm))
			return;
		/* L1's own virtual interrupt makes room; what the processor changed is kept. */
		svm->nested.ctl.vintr &= ~V_IRQ;
		svm->nested.ctl.vintr |= c->vintr & V_IRQ;
	}
	svm->window = true;
	c->vintr &= ~(V_INTR_VECTOR_MASK | V_INTR_PRIO_MASK);
	c->vintr |= V_IRQ | V_IGN_TPR | V_INTR_PRIO_MASK;
	vmcb_intercept_set(c, INTERCEPT_VINTR);
}

/* Where L2 has a CR8 of its own, APM 2 15.21.2, L1's rests in vmcb01. */
static struct vmcb_control *cr8_place(struct svm_vcpu *svm)
{
	bool shared = svm->vcpu.guest_mode && !(svm->nested.ctl.vintr & V_INTR_MASKING);

	return shared ? &svm->vmcb02->control : &svm->vmcb01->control;
}

u8 svm_get_cr8(struct vcpu *vcpu)
{
	return cr8_place(to_svm(vcpu))->vintr & V_TPR_MASK;
}

void svm_set_cr8(struct vcpu *vcpu, u8 cr8)
{
	struct vmcb_control *c = cr8_place(to_svm(vcpu));

	c->vintr = (c->vintr & ~V_TPR_MASK) | cr8;
}

/* The window's virtual interrupt with the priority of the true one, so that CR8 holds it back. */
void svm_cr8_window(struct vcpu *vcpu, u8 priority)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *c = &svm->vmcb->control;

	svm_window_close(svm);
	if (!priority || !svm_gif(svm))
		return;
	svm_intr_window(vcpu);
	c->vintr &= ~(V_IGN_TPR | V_INTR_PRIO_MASK);
	c->vintr |= (u64)priority << V_INTR_PRIO_SHIFT;
}

void svm_window_close(struct svm_vcpu *svm)
{
	struct vmcb_control *c = &svm->vmcb->control;
	u64 owned = SVM_VINTR_OF_L1 & ~V_TPR_MASK;

	if (!svm->window)
		return;
	svm->window = false;
	c->vintr &= ~owned;
	vmcb_intercept_clear(c, INTERCEPT_VINTR);
	if (!svm->vcpu.guest_mode)
		return;
	c->vintr |= svm->nested.ctl.vintr & owned;
	svm_virq_intercept(svm);
}
