// SPDX-License-Identifier: MIT
/*
 * Interrupts and exceptions for L2. Each one sent is counted, by kind, and so is each one that
 * L2 sees; at any HC_COUNTS the two must agree but for a virtual interrupt still pending.
 */
#include "guests/l1.h"

static void raise(u8 vector)
{
	l1.virt->raise(vector);
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
	if (l1.virt->can_interrupt() && (e->timers % 2 == 0 || l1.virt->raised())) {
		l1.virt->interrupt(L2_VECTOR_TIMER);
	} else if (!l1.virt->raised()) {
		raise(L2_VECTOR_TIMER);
	} else {
		/* L2 may halt and exit no more: be told when it can take an interrupt. */
		l1.virt->window(true);
		return true;
	}
	e->timers++;
	return true;
}

void events_window(void)
{
	l1.virt->window(false);
	if (!l1.virt->raised() || !l1.virt->can_interrupt())
		die("the window opened while L2 could not take the virtual interrupt");
}

static void send_next(void)
{
	struct l1_events *e = &l1.events;

	if (!e->open || send_timer() || !e->every || l1.exits < e->next)
		return;
	if (e->events <= e->virqs && l1.virt->can_interrupt()) {
		l1.virt->interrupt(L2_VECTOR_EVENT);
		e->events++;
	} else if (!l1.virt->raised()) {
		raise(L2_VECTOR_VIRQ);
		e->virqs++;
	} else {
		return;
	}
	e->next = l1.exits + e->every;
}

void events_prepare(void)
{
	send_next();
}

void events_after_exit(void)
{
	l1.events.reinjected += l1.virt->reinject();
}

void events_exception(u8 vector, bool has_error)
{
	l1.virt->exception(vector, has_error);
	l1.events.exceptions++;
}

static void compare(const char *what, u64 seen, u64 sent, u8 vector)
{
	if (l1.virt->raised() && l1.events.virq_vector == vector)
		sent--;
	if (seen != sent)
		die("L2 saw %lu %s, %lu were sent", seen, what, sent);
	l1.checks++;
}

void events_compare(const struct virt_regs *r)
{
	struct l1_events *e = &l1.events;

	compare("injected interrupts", r->rbx, e->events, L2_VECTOR_EVENT);
	compare("virtual interrupts", r->rcx, e->virqs, L2_VECTOR_VIRQ);
	compare("timer interrupts", r->rdx, e->timers, L2_VECTOR_TIMER);
	compare("injected exceptions", r->rsi, e->exceptions, 0);
}
