// SPDX-License-Identifier: MIT
/*
 * Dirty logging, pass by pass, and the memory that mappings take. Each wants a machine of its own:
 * bench/run says which.
 */
#include "guests/bench.h"

enum { L2_NONE, L2_2M, L2_4K };
static const char *const l2_choices[] = {"none", "2m", "4k", NULL};

static void write_pass(u32 how, const char *name)
{
	u64 start = BENCH_IMAGE_END, pages = (memory_end - BENCH_IMAGE_END) / PAGE_SIZE;

	bench_begin();
	if (how == L2_NONE) {
		pages = memory_end / PAGE_SIZE;
		bench_touch(0, pages);
	} else {
		bench_l2_run(bench_l2_write, start, pages);
	}
	bench_end(name, pages);
}

static void log_step(enum bench_command command, u64 pages, const char *name)
{
	bench_begin();
	bench_command(command);
	bench_end(name, pages);
}

static void l2_setup(u32 how)
{
	u64 start = BENCH_IMAGE_END, size = memory_end - BENCH_IMAGE_END;

	bench_l2_init();
	if (how == L2_2M)
		npt_map(&l2.npt, start, start, size, 2, NPT_RW);
	else
		bench_l2_map_4k(start, size);
}

/*
 * The log is slot 0's, which is all of L1's memory. L2's part of it is what lies above
 * BENCH_IMAGE_END; enabling, reading and disabling are counted per page of what is written.
 */
void bench_dirty(void)
{
	u32 how = option_choice("l2", l2_choices);
	u64 pages = (memory_end - (how == L2_NONE ? 0 : BENCH_IMAGE_END)) / PAGE_SIZE;

	if (how != L2_NONE)
		l2_setup(how);
	bench_touch(0, memory_end / PAGE_SIZE);
	write_pass(how, "fill");
	write_pass(how, "write_nolog");
	log_step(BENCH_LOG_ON, pages, "enable");
	write_pass(how, "write_first");
	log_step(BENCH_LOG_READ, pages, "read");
	write_pass(how, "write_next");
	log_step(BENCH_LOG_READ, pages, "read_next");
	/* Nothing is written now: what reading costs by itself, and when that is known from before.
	 */
	log_step(BENCH_LOG_READ, pages, "read_idle");
	log_step(BENCH_LOG_READ, pages, "read_cold");
	log_step(BENCH_LOG_OFF, pages, "disable");
	write_pass(how, "write_after");
}

/* L0's pages that it takes to map a page of L1's, and then of L2's, in 4K. */
void bench_memory(void)
{
	u64 pages = (memory_end - L1_MEMORY_END) / PAGE_SIZE;
	u32 before = bench_figure(BENCH_FREE_PAGES), after;

	bench_touch(L1_MEMORY_END, pages);
	after = bench_figure(BENCH_FREE_PAGES);
	console_print("BENCH memory_l1 %u %lu 0\n", before - after, pages);
	bench_l2_init();
	for (u64 at = L1_MEMORY_END; at < memory_end; at += PAGE_SIZE)
		*npt_entry(&l2.npt, at, 1) = at | NPT_RW;
	before = bench_figure(BENCH_FREE_PAGES);
	bench_l2_run(bench_l2_write, L1_MEMORY_END, pages);
	after = bench_figure(BENCH_FREE_PAGES);
	console_print("BENCH memory_nested %u %lu 0\n", before - after, pages);
}
