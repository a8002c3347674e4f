// SPDX-License-Identifier: MIT
#include "vmx/nested_timer.h"

static u64 units(const struct vmx_limits *l, u64 tsc)
{
	return tsc >> (l->misc & VMX_MISC_TIMER_RATE);
}

void vmx_l1_timer_start(struct vmx_l1_timer *t, const struct vmcs12 *v, const struct vmx_limits *l,
			u64 tsc)
{
	t->on = v->pin_controls & VMX_PIN_TIMER;
	t->end = units(l, tsc) + v->preemption_timer;
}

u32 vmx_l1_timer_left(const struct vmx_l1_timer *t, const struct vmx_limits *l, u64 tsc)
{
	u64 now = units(l, tsc);

	if (!t->on)
		return ~0u;
	return now < t->end ? (u32)(t->end - now) : 0;
}
