// SPDX-License-Identifier: MIT
/* The local APIC's timer, SDM 3A 10.5.4: one-shot, periodic, and by a deadline of the TSC. */
#include "devices/lapic.h"

#define NEVER (~0ull)

static u32 mode(const struct lapic *apic)
{
	return apic->s.lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* 10.5.4, figure 10-10: bits 0, 1 and 3; 111b is 1. */
static u64 divisor(const struct lapic *apic)
{
	u32 code = (apic->s.divide & 3) | (apic->s.divide >> 1 & 4);

	return BIT((code + 1) & 7);
}

static u64 period(const struct lapic *apic)
{
	return apic->s.initial_count * divisor(apic);
}

static u64 now(const struct lapic *apic)
{
	return apic->ops->now(apic->ctx);
}

static u64 elapsed(const struct lapic *apic)
{
	u64 t = now(apic);

	return t > apic->s.timer_start ? t - apic->s.timer_start : 0;
}

u32 lapic_timer_count(const struct lapic *apic)
{
	u64 done = elapsed(apic);

	if (mode(apic) == LVT_TIMER_TSC || !apic->s.initial_count)
		return 0;
	if (mode(apic) == LVT_TIMER_PERIOD)
		done %= period(apic);
	else if (!apic->s.armed || done >= period(apic))
		return 0;
	return apic->s.initial_count - (u32)(done / divisor(apic));
}

void lapic_timer_start(struct lapic *apic, u32 count)
{
	if (mode(apic) == LVT_TIMER_TSC)
		return;
	apic->s.initial_count = count;
	apic->s.timer_start = now(apic);
	apic->s.armed = count != 0;
	apic->ops->rearm(apic->ctx);
}

void lapic_timer_deadline(struct lapic *apic, u64 tsc)
{
	if (mode(apic) != LVT_TIMER_TSC)
		return;
	apic->s.deadline = tsc;
	apic->ops->rearm(apic->ctx);
}

/* 10.5.4.1: a change to or from the deadline mode disarms it. */
void lapic_timer_lvt(struct lapic *apic, u32 old)
{
	u32 was = old & LVT_TIMER_MODE;

	if (was != mode(apic) && (was == LVT_TIMER_TSC || mode(apic) == LVT_TIMER_TSC)) {
		apic->s.deadline = 0;
		apic->s.initial_count = 0;
		apic->s.armed = 0;
	}
	apic->ops->rearm(apic->ctx);
}

/* What is left is counted on with the new divisor. */
void lapic_timer_divide(struct lapic *apic, u32 divide)
{
	u64 left = lapic_timer_count(apic), t = now(apic), done;

	apic->s.divide = divide & 0xb;
	done = (apic->s.initial_count - left) * divisor(apic);
	if (apic->s.armed)
		apic->s.timer_start = t > done ? t - done : 0;
	apic->ops->rearm(apic->ctx);
}

static u64 tick_deadline(struct lapic *apic)
{
	u64 tsc = apic->ops->guest_tsc(apic->ctx);

	if (!apic->s.deadline)
		return NEVER;
	if (tsc < apic->s.deadline)
		return now(apic) + apic->ops->tsc_to_ns(apic->ctx, apic->s.deadline - tsc) + 1;
	apic->s.deadline = 0;
	lapic_raise_lvt(apic, LVT_TIMER);
	return NEVER;
}

u64 lapic_tick(struct lapic *apic)
{
	u64 passed = elapsed(apic), each = period(apic);

	if (mode(apic) == LVT_TIMER_TSC)
		return tick_deadline(apic);
	if (!apic->s.armed || !each)
		return NEVER;
	if (passed >= each) {
		/* Periods that were missed are one. */
		if (mode(apic) == LVT_TIMER_PERIOD)
			apic->s.timer_start += passed / each * each;
		else
			apic->s.armed = 0;
		lapic_raise_lvt(apic, LVT_TIMER);
	}
	return apic->s.armed ? apic->s.timer_start + each : NEVER;
}
