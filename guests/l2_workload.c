// SPDX-License-Identifier: MIT
/*
 * L2's workload: passes over the working set, whose pages hold a provable history (history.h),
 * with regular exits to L1 in between.
 */
#include "guests/history.h"
#include "guests/l2.h"

#define PAGES_PER_CHECK 64 /* pages visited between two exits on purpose */
#define SAMPLE		8  /* each pass verifies one page in so many completely */
#define TIMER_EVERY	4  /* passes */
#define TIMER_US	300

static struct history history;
static u64 npages;
static u64 stride; /* order of visiting: page k * stride; prime to npages */

static const struct l2_segment *find_segment(u64 index, u64 *at)
{
	const struct l2_segment *s = l2_params->segment;

	for (; index >= s->pages; s++)
		index -= s->pages;
	*at = s->base + index * s->stride;
	return s;
}

/*
 * Where page @index is, through one of its aliases, picked by @choice. The partly mapped alias 2 is
 * taken seldom: each first access to a page there may cost L1 a fault.
 */
static struct history_page *page_via(u64 index, u64 choice)
{
	u64 at, n;
	const struct l2_segment *s = find_segment(index, &at);

	n = history_mix(choice + index) % 32;
	n = n == 0 ? 2 : n & 1;
	if (!(s->aliases >> n & 1))
		n = 0;
	return (struct history_page *)(at + n * L2_ALIAS_OFFSET);
}

static void complain(u64 index, u64 pass, const struct history_page *p, const char *wrong)
{
	die("page %lu at 0x%lx: wrong %s after pass %lu: index %lu count %lu last %lu "
	    "sum %lu",
	    index, (u64)p, wrong, pass, p->index, p->count, p->last, p->sum);
}

static void verify_page(u64 index, u64 pass, u64 choice)
{
	const struct history_page *p = page_via(index, choice);
	const char *wrong = history_check(&history, p, index, pass);

	if (wrong)
		complain(index, pass, p, wrong);
	l2_checks++;
}

static void write_page(u64 index, u64 pass)
{
	struct history_page *p = page_via(index, 2 * pass);
	const struct history_page *alias = page_via(index, 2 * pass + 1);
	const char *wrong = history_check(&history, alias, index, pass - 1);

	if (wrong)
		complain(index, pass - 1, alias, wrong);
	history_write(p, pass);
	wrong = history_check_head(&history, alias, index, pass);
	if (wrong)
		complain(index, pass, alias, wrong);
	l2_checks++;
}

static void delay(u64 turns)
{
	for (u64 i = 0; i < turns; i++)
		asm volatile("pause");
}

static void run_pass(u64 pass)
{
	u64 index = l2_params->pattern == L2_RANDOM ? history_mix(pass) % npages : 0;

	for (u64 k = 0; k < npages; k++) {
		if (history_selected(&history, index, pass))
			write_page(index, pass);
		if (k % PAGES_PER_CHECK == 0)
			l2_check_next();
		delay(l2_params->rate);
		index += stride;
		if (index >= npages)
			index -= npages;
	}
	for (u64 i = pass % SAMPLE; i < npages; i += SAMPLE)
		verify_page(i, pass, pass);
	if (pass % TIMER_EVERY == 0 && l2_params->hlt != L2_HLT_NONE)
		l2_wait_timer(TIMER_US);
}

static void verify_all(u64 pass)
{
	for (u64 i = 0; i < npages; i++) {
		verify_page(i, pass, 0);
		verify_page(i, pass, 1);
	}
	l2_check_counts();
	l2_hypercall(HC_VERIFIED, npages, pass, 0, 0);
}

/* A step through all pages that comes by each once: prime, and no divisor of their number. */
static u64 choose_stride(void)
{
	static const u64 far[] = {2654435761, 1000003, 999983, 65537, 4099, 1};
	static const u64 near[] = {17, 19, 23, 29, 31, 1};
	const u64 *p = l2_params->pattern == L2_RANDOM ? far : near;

	if (l2_params->pattern == L2_SEQ)
		return 1;
	while (*p != 1 && npages % *p == 0)
		p++;
	return *p % npages;
}

static void init(void)
{
	history = (struct history){l2_params->seed, l2_params->writes};
	for (u32 i = 0; i < l2_params->segments; i++)
		npages += l2_params->segment[i].pages;
	stride = choose_stride();
	for (u64 i = 0; i < npages; i++) {
		history_init(&history, page_via(i, 0), i);
		if (i % PAGES_PER_CHECK == 0)
			l2_check_next();
	}
}

void l2_workload(void)
{
	u64 todo = 0;

	init();
	for (u64 pass = 1; !(todo & L2_DO_STOP); pass++) {
		run_pass(pass);
		todo = l2_hypercall(HC_PASS, pass, l2_checks, npages, 0);
		if (todo & (L2_DO_VERIFY | L2_DO_STOP))
			verify_all(pass);
	}
}
