// SPDX-License-Identifier: MIT
/*
 * A tiny hypervisor: it maps memory for one guest (L2) as its command line says, runs it, and
 * checks itself and L2 all the time. It ends with status 0 only if every check held.
 */
#include "guests/l1.h"
#include "guests/paging.h"
#include "lib/string.h"

struct l1 l1;

extern const char l2_image[], l2_image_end[];

const char *const guest_options[] = {"np",     "l2mem", "lazy",	  "evict",  "wmem",   "pattern",
				     "writes", "rate",	"hlt",	  "passes", "inject", "after",
				     "seed",   "npt",	"shadow", "ad",	    NULL};

static const char *const np_names[] = {"mixed", "4k", "2m", "1g", "aliased", "aliased-split", NULL};

#define MIGRATIONS_EVERY 8 /* exits between two looks at the number of migrations */

/*
 * One to one, 2M pages, so that the processor sets A and D bits in L2's memory. A 32-bit L2 has PAE
 * paging: the same tables without the topmost. Returns its CR3.
 */
static u64 l2_page_tables(void)
{
	u64 *pml4 = layout_pointer(L2_PAGE_TABLES);
	u64 *pdpt = layout_pointer(L2_PAGE_TABLES + PAGE_SIZE);
	u64 pdpt_flags = L2_IS_64BIT ? PTE_P | PTE_W : PTE_P;

	memset(pml4, 0, PAGE_SIZE);
	memset(pdpt, 0, PAGE_SIZE);
	pml4[0] = (L2_PAGE_TABLES + PAGE_SIZE) | PTE_P | PTE_W;
	for (u64 g = 0; g < L2_MAPPED_GB; g++) {
		u64 at = L2_PAGE_TABLES + (2 + g) * PAGE_SIZE;
		u64 *pd = layout_pointer(at);

		pdpt[g] = at | pdpt_flags;
		for (u64 i = 0; i < PT_ENTRIES; i++)
			pd[i] = g * SIZE_1G + i * SIZE_2M + (PTE_P | PTE_W | PTE_PS);
	}
	return L2_IS_64BIT ? L2_PAGE_TABLES : L2_PAGE_TABLES + PAGE_SIZE;
}

static u64 l2_load(const struct l2_params *params)
{
	size_t size = (size_t)(l2_image_end - l2_image);

	for (size_t at = 0; at < size; at += PAGE_SIZE)
		memcpy(layout_pointer(L2_IMAGE + at), l2_image + at, MIN(PAGE_SIZE, size - at));
	memcpy(layout_pointer(L2_PARAMS), params, sizeof(*params));
	return l2_page_tables();
}

static void read_options(struct l2_params *p)
{
	static const char *const off_on[] = {"off", "on", NULL};
	static const char *const patterns[] = {"seq", "random", "stride", NULL};
	static const char *const hlts[] = {"l1", "l0", "none", NULL};

	p->pattern = option_choice("pattern", patterns);
	p->hlt = option_choice("hlt", hlts);
	p->writes = (u32)option_u64("writes", 30);
	if (p->writes > 100)
		die("writes= is a percentage");
	p->vmx = l1.virt->vmx;
	p->rate = option_u64("rate", 0);
	p->seed = option_u64("seed", 42);
	l1.layout.np = option_choice("np", np_names);
	l1.layout.l2mem = option_u64("l2mem", (u64)256 << 20);
	l1.layout.lazy = option_u64("lazy", 64);
	if (l1.layout.lazy > 4096)
		die("lazy= is at most 4096 pages");
	l1.shadow = option_choice("shadow", off_on);
	l1.evict_every = option_u64("evict", 40);
	l1.events.every = option_u64("inject", 8);
	/* Where there is a test device somebody migrates this machine and ends the run by that. */
	l1.stop_after = option_u64("passes", platform_has_test_device() ? 0 : 20);
	l1.after = option_u64("after", 4);
}

static u32 create_vcpu(const struct l2_params *params)
{
	static const char *const on_off[] = {"on", "off", NULL};
	struct virt_config config = {
		.cr3 = l2_load(params),
		.rip = L2_IMAGE,
		.rsp = L2_STACK_TOP,
		.npt = &l1.npt,
		.shadow = l1.shadow,
		.no_ad = option_choice("ad", on_off),
		.halts = params->hlt == L2_HLT_L0,
		.emulated = !platform_has_test_device(),
	};
	u32 tags = l1.virt->create(&config);

	l1.virt->port_exits(L2_PORT_SCRATCH, false);
	l1.virt->msr_exits(L2_MSR_PRESENT, true, true);
	l1.virt->msr_exits(L2_MSR_ABSENT, true, true);
	return tags;
}

static void l1_setup(void)
{
	struct l2_params params;
	u32 tags;

	memset(&params, 0, sizeof(params));
	read_options(&params);
	layout_build(&l1.layout, &l1.npt, &params, option_u64("wmem", (u64)16 << 20));
	tags = create_vcpu(&params);
	checks_init();
	console_print("L1: hypervisor on %s, %s paging %s, %lu MiB for L2, %u nested tables (%s), "
		      "%u %s\n",
		      l1.virt->name, l1.shadow ? "shadow" : "nested", np_names[l1.layout.np],
		      l1.layout.l2mem >> 20, l1.npt.tables, l1.npt.fmt->name, tags,
		      l1.virt->tags_name);
}

static void look_for_migration(void)
{
	u8 now = platform_migrations();

	if (now == l1.migrations)
		return;
	l1.migrations = now;
	checks_complete();
	console_print("L1: migrated, all %lu checks hold\n", l1.checks);
	l1.verify_asked = true;
	l1.stop_after = l1.passes + l1.after + 1;
}

static void run_once(void)
{
	/*
	 * A timer that came after the look at it would wait for L2's next exit, and an L2 in HLT
	 * has none: from here on an interrupt is an exit. virt_ops.enter() lets it in again.
	 */
	interrupts_off();
	events_prepare();
	checks_before_entry();
	l1.virt->enter(&l1.regs, &l1.exit);
	l1.exits++;
	events_after_exit();
	checks_after_exit();
	exits_handle();
	if (l1.evict_every && l1.exits % l1.evict_every == 0) {
		layout_evict(&l1.layout, &l1.npt, history_mix(l1.exits));
		l1.virt->flush();
	}
	if (l1.exits % MIGRATIONS_EVERY == 0)
		look_for_migration();
}

static void report(void)
{
	const struct l1_layout *l = &l1.layout;
	const struct l1_events *e = &l1.events;

	console_print("L1: %lu exits; events %lu, virtual interrupts %lu, timers %lu, exceptions "
		      "%lu, injected again %lu\n",
		      l1.exits, e->events, e->virqs, e->timers, e->exceptions, e->reinjected);
	console_print("L1: nested faults: %lu mapped, %lu made writable, %lu spurious; %lu taken "
		      "away\n",
		      l->mapped, l->upgraded, l->spurious, l->evicted);
	console_print("L1: done, all %lu checks hold\n", l1.checks);
}

int guest_main(void)
{
	const char *missing;

	paging_init();
	platform_init();
	platform_phase(PHASE_L1);
	l1.virt = virt_choose();
	if (!l1.virt)
		die("this processor has neither SVM nor VMX");
	missing = l1.virt->enable();
	if (missing)
		die("%s", missing);
	l1_setup();
	platform_phase(PHASE_L2);
	while (!l1.done)
		run_once();
	checks_complete();
	report();
	platform_phase(PHASE_DONE);
	return 0;
}
