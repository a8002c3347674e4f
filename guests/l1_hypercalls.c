// SPDX-License-Identifier: MIT
/* L2's hypercalls (l2_abi.h). */
#include "guests/l1.h"

#define PRINT_EVERY 5 /* passes */
#define WARM_PASSES 2 /* after these all of the working set was written and read */

static void timer(u64 us)
{
	if (platform_timer_interrupts() != l1.events.timers_asked)
		die("L2 asks for a timer while another one runs");
	l1.events.timers_asked++;
	platform_timer((u32)us);
}

static u64 pass_done(const struct virt_regs *r)
{
	u64 todo = 0;

	if (r->rbx != l1.passes + 1)
		die("L2 is at pass %lu, %lu was the last", r->rbx, l1.passes);
	l1.passes = r->rbx;
	if (l1.passes % PRINT_EVERY == 0 || l1.passes == 1)
		console_print("L2: pass %lu ok (%lu pages, %lu checks)\n", r->rbx, r->rdx, r->rcx);
	if (l1.passes == WARM_PASSES)
		platform_phase(PHASE_WARM);
	if (l1.verify_asked)
		todo |= L2_DO_VERIFY;
	if (l1.stop_after && l1.passes >= l1.stop_after)
		todo |= L2_DO_STOP;
	return todo;
}

static void verified(const struct virt_regs *r)
{
	if (r->rcx != l1.passes)
		die("L2 verified pass %lu, it had done %lu", r->rcx, l1.passes);
	console_print("L2: all pages verified%s: %lu pages, %lu passes\n",
		      l1.verify_asked ? " after migration" : "", r->rbx, r->rcx);
	l1.verify_asked = false;
	l1.verified = true;
}

void hypercall_handle(void)
{
	const struct virt_regs *r = &l1.regs;
	u64 *rax = &l1.regs.rax;
	u64 number = *rax;

	*rax = 0;
	switch (number) {
	case HC_NOP:
		return;
	case HC_HELLO:
		l1.events.open = true;
		return;
	case HC_COUNTS:
		events_compare(r);
		return;
	case HC_TIMER:
		timer(r->rbx);
		return;
	case HC_PASS:
		*rax = pass_done(r);
		return;
	case HC_VERIFIED:
		verified(r);
		return;
	case HC_DONE:
		if (!l1.verified)
			die("L2 ended without a verification");
		l1.done = true;
		return;
	case HC_FAIL:
		die("L2 found something wrong");
	}
	die("unknown hypercall 0x%lx", number);
}
