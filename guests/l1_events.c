// SPDX-License-Identifier: MIT
/*
 * Interrupts and exceptions for L2. Each one sent is counted, by kind, and so is each one that
 * L2 sees; at any HC_COUNTS the two must agree but for a virtual interrupt still pending.
 */
#include "guests/l1.h"

static struct vmcb_control *control(void)
{
	return &l1.vcpu.vmcb->control;
}

/* Whether an external interrupt may be injected right now, APM 2 15.20: EVENTINJ does not ask. */
static bool window_open(void)
{
	return l1.vcpu.vmcb->save.rflags & RFLAGS_IF &&
	       !(control()->int_state & SVM_INTERRUPT_SHADOW) &&
	       !(control()->event_inj & SVM_EVENT_VALID);
}

static bool virq_pending(void)
{
	return control()->vintr & V_IRQ;
}

static void inject_interrupt(u8 vector)
{
	control()->event_inj = SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | vector;
}

/* The processor delivers it when L2's IF allows and then clears V_IRQ. */
static void raise_virq(u8 vector)
{
	u64 v = control()->vintr & ~(V_IRQ | V_IGN_TPR | V_INTR_PRIO_MASK | V_INTR_VECTOR_MASK);

	v |= V_IRQ | (u64)vector << V_INTR_VECTOR_SHIFT;
	/* Past the priority check in one way or the other: V_TPR is 0. */
	v |= l1.events.virqs & 1 ? V_IGN_TPR : 8ul << V_INTR_PRIO_SHIFT;
	control()->vintr = v;
	l1.events.virq_vector = vector;
}

/* L2's timer: the external interrupt that it asked for has come to L1. By either way. */
static bool timer_due(void)
{
	struct l1_events *e = &l1.events;
	u64 come = platform_timer_interrupts();

	if (come > e->timers_asked)
		die("%lu external interrupts came, %lu were asked for", come, e->timers_asked);
	return e->timers < come;
}

/* True if a timer was due, whether or not it could be sent at once. */
static bool send_timer(void)
{
	struct l1_events *e = &l1.events;

	if (!timer_due())
		return false;
	if (window_open() && (e->timers % 2 == 0 || virq_pending())) {
		inject_interrupt(L2_VECTOR_TIMER);
	} else if (!virq_pending()) {
		raise_virq(L2_VECTOR_TIMER);
	} else {
		/* L2 may halt and exit no more: be told when it can take an interrupt. */
		vmcb_intercept_set(control(), INTERCEPT_VINTR);
		return true;
	}
	e->timers++;
	return true;
}

void events_window(void)
{
	vmcb_intercept_clear(control(), INTERCEPT_VINTR);
	if (!virq_pending() || !window_open())
		die("VINTR exit while L2 could not take the virtual interrupt");
}

static void send_next(void)
{
	struct l1_events *e = &l1.events;

	if (!e->open || send_timer() || !e->every || l1.exits < e->next)
		return;
	if (e->events <= e->virqs && window_open()) {
		inject_interrupt(L2_VECTOR_EVENT);
		e->events++;
	} else if (!virq_pending()) {
		raise_virq(L2_VECTOR_VIRQ);
		e->virqs++;
	} else {
		return;
	}
	e->next = l1.exits + e->every;
}

void events_prepare(void)
{
	send_next();
	l1.events.virq_entered = virq_pending();
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

	if (!l1.events.virq_entered || (virq_pending() && !qemu))
		return info;
	control()->vintr &= ~V_IRQ;
	return SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | l1.events.virq_vector;
}

void events_after_exit(void)
{
	u64 info = control()->exit_int_info;

	control()->event_inj = 0;
	if (!(info & SVM_EVENT_VALID))
		return;
	if (!platform_has_test_device())
		info = mend_emulated(info);
	control()->event_inj = info;
	l1.events.reinjected++;
}

void events_exception(u8 vector, bool has_error)
{
	if (control()->event_inj & SVM_EVENT_VALID)
		die("an exit of an instruction came with an event in delivery");
	control()->event_inj = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCP | vector |
			       (has_error ? SVM_EVENT_ERR_VALID : 0);
	l1.events.exceptions++;
}

static void compare(const char *what, u64 seen, u64 sent, u8 vector)
{
	if (virq_pending() && l1.events.virq_vector == vector)
		sent--;
	if (seen != sent)
		die("L2 saw %lu %s, %lu were sent", seen, what, sent);
	l1.checks++;
}

void events_compare(const struct svm_regs *r)
{
	struct l1_events *e = &l1.events;

	compare("interrupts injected by EVENTINJ", r->rbx, e->events, L2_VECTOR_EVENT);
	compare("virtual interrupts", r->rcx, e->virqs, L2_VECTOR_VIRQ);
	compare("timer interrupts", r->rdx, e->timers, L2_VECTOR_TIMER);
	compare("injected exceptions", r->rsi, e->exceptions, 0);
}
