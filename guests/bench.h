/* SPDX-License-Identifier: MIT */
/*
 * What the measurements share: the span that is measured, the L2 that works for them, and the
 * loops that stand in assembly so that nothing but what is measured is in them.
 */
#pragma once

#include "guests/guest.h"
#include "guests/npt.h"
#include "guests/svm.h"

/* Between these two lies what is measured. The end prints one line "BENCH @name ticks items
 * exits". */
void bench_begin(void);
void bench_end(const char *name, u64 items);

/* @loop's items, twice: the first time brings what is read and decoded once. */
#define BENCH_WARM 100ul
#define BENCH_LOOP(name, items, loop, ...)       \
	do {                                     \
		loop(BENCH_WARM, ##__VA_ARGS__); \
		bench_begin();                   \
		loop(items, ##__VA_ARGS__);      \
		bench_end(name, items);          \
	} while (0)

/* Cleave's bench device (devices/benchdev.h). */
enum bench_command { BENCH_LOG_ON = 1, BENCH_LOG_READ, BENCH_LOG_OFF };
enum bench_figure { BENCH_EXITS, BENCH_FREE_PAGES, BENCH_BOOT_TICKS };
void bench_command(enum bench_command command);
u32 bench_figure(enum bench_figure figure);

/*
 * L2: it shares L1's page tables (boot.S: one to one) and image. Its nested tables map what lies
 * below BENCH_IMAGE_END, where all of L1's own tables are, too; a measurement adds more.
 */
#define BENCH_IMAGE_END (16ul << 20)
struct bench_l2 {
	struct svm_vcpu v;
	struct npt npt;
};
extern struct bench_l2 l2;
void bench_l2_init(void);

/*
 * Level-1 tables in a row for [@start, @start + @size), both multiples of 2M, linked into L2's
 * nested tables but empty. The entry of address a is [(a - @start) / 4K].
 */
u64 *bench_l2_leaf_tables(u64 start, u64 size);
/* The same, each page mapped one to one and writable. */
void bench_l2_map_4k(u64 start, u64 size);

/* Has L2 execute @code with RDI = @a and RSI = @b until it exits by VMMCALL. */
void bench_l2_run(const char *code, u64 a, u64 b);

/* --- bench_loops.S. L1's, @n times --- */

void bench_cpuid(u64 n);
void bench_vmmcall(u64 n);
void bench_out80(u64 n);
void bench_vmload(u64 n, u64 vmcb);
void bench_vmsave(u64 n, u64 vmcb);
void bench_invlpga(u64 n, u64 address, u32 asid);
/* One write to each of @n pages; what is there stays. */
void bench_touch(u64 start, u64 n);

/* GIF is clear from the first VMRUN to the last; L2's RDI and RSI are @a and @b at first. */
void bench_vmrun(u64 vmcb, u64 a, u64 b);
/* ... @n times, RIP moved on by 3 each time: VMMCALL's length. */
void bench_vmrun_many(u64 vmcb, u64 n);
/* ... with CLGI, VMSAVE, VMLOAD before and VMSAVE, VMLOAD, STGI after each. */
void bench_switch_many(u64 vmcb, u64 n, u64 host);
/*
 * ... until another exit than #NPF. Each #NPF maps the page where it was one to one, in the
 * entries @leaves, of which the first stands for @first.
 */
void bench_vmrun_map(u64 vmcb, u64 a, u64 b, u64 *leaves, u64 first);

/* --- bench_loops.S. L2's --- */

/* VMMCALL for ever. */
extern const char bench_l2_vmmcall[];
/* CPUID RDI times, then VMMCALL. */
extern const char bench_l2_cpuid[];
/* Writes to RSI pages from RDI on, then VMMCALL. */
extern const char bench_l2_write[];

/* The measurements: test= picks one. */
void bench_exits(void);
void bench_nested(void);
void bench_dirty(void);
void bench_memory(void);
