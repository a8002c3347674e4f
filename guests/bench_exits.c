// SPDX-License-Identifier: MIT
/* Single exits and round trips of L1 and L2. */
#include "guests/bench.h"

#define ITEMS  20000ul
#define REGION (256ul << 20) /* where L2 has memory to be mapped */
#define PAGES  16384ul

void bench_exits(void)
{
	const char *missing = svm_enable();
	u64 vmcb = (u64)pages_alloc(1);

	if (missing)
		die("%s", missing);
	BENCH_LOOP("l1_cpuid", ITEMS, bench_cpuid);
	BENCH_LOOP("l1_vmmcall", ITEMS, bench_vmmcall);
	BENCH_LOOP("l1_out", ITEMS, bench_out80);
	bench_vmsave(1, vmcb);
	BENCH_LOOP("l1_vmload", ITEMS, bench_vmload, vmcb);
	BENCH_LOOP("l1_vmsave", ITEMS, bench_vmsave, vmcb);
	BENCH_LOOP("l1_invlpga", ITEMS, bench_invlpga, REGION, 1u);
}

static void round_trips(void)
{
	u64 vmcb = (u64)l2.v.vmcb;

	l2.v.vmcb->save.rip = (u64)bench_l2_vmmcall;
	bench_vmrun_many(vmcb, BENCH_WARM);
	bench_begin();
	bench_vmrun_many(vmcb, ITEMS);
	bench_end("l2_vmmcall", ITEMS);
	bench_switch_many(vmcb, BENCH_WARM, (u64)l2.v.host);
	bench_begin();
	bench_switch_many(vmcb, ITEMS, (u64)l2.v.host);
	bench_end("l2_switch", ITEMS);
}

static void l2_cpuid(void)
{
	bench_l2_run(bench_l2_cpuid, BENCH_WARM, 0);
	bench_begin();
	bench_l2_run(bench_l2_cpuid, ITEMS, 0);
	bench_end("l2_cpuid", ITEMS);
}

/* Memory that L1 has mapped for L2, but that L2 has not touched. */
static void fill(void)
{
	bench_l2_map_4k(REGION, SIZE_2M + PAGES * PAGE_SIZE);
	bench_l2_run(bench_l2_write, REGION, PT_ENTRIES);
	bench_begin();
	bench_l2_run(bench_l2_write, REGION + SIZE_2M, PAGES);
	bench_end("l2_fill", PAGES);
}

static void map(u64 *leaves, u64 first, u64 start, u64 pages)
{
	l2.v.vmcb->save.rip = (u64)bench_l2_write;
	bench_vmrun_map((u64)l2.v.vmcb, start, pages, leaves, first);
	if (l2.v.vmcb->control.exit_code != SVM_EXIT_VMMCALL)
		die("L2's exit has the code 0x%lx", l2.v.vmcb->control.exit_code);
}

/* Memory that L1 maps when L2 touches it. */
static void demand(void)
{
	u64 first = 2 * REGION;
	u64 *leaves = bench_l2_leaf_tables(first, SIZE_2M + PAGES * PAGE_SIZE);

	map(leaves, first, first, PT_ENTRIES);
	bench_begin();
	map(leaves, first, first + SIZE_2M, PAGES);
	bench_end("l2_npf", PAGES);
}

void bench_nested(void)
{
	bench_l2_init();
	round_trips();
	l2_cpuid();
	fill();
	demand();
}
