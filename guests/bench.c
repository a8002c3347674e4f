// SPDX-License-Identifier: MIT
/*
 * Measures what Cleave costs its guests, in ticks of the TSC: on an emulator that counts, those are
 * instructions. Prints one line "BENCH name ticks items exits" for each measurement.
 */
#include "guests/bench_vmx.h"
#include "lib/string.h"

const char *const guest_options[] = {"test", "l2", NULL};

#define DEV_COMMAND 0xe8
#define DEV_FIGURE  0xe9
#define DEV_VALUE   0xec
#define DEV_BEGIN   0x10
#define DEV_END	    0x11

struct bench_l2 l2;

static u64 begun;
static u32 exits_before;

static u32 value(void)
{
	u32 v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"((u16)DEV_VALUE) : "memory");
	return v;
}

u32 bench_figure(enum bench_figure figure)
{
	outb(DEV_FIGURE, (u8)figure);
	return value();
}

void bench_command(enum bench_command command)
{
	outb(DEV_COMMAND, (u8)command);
}

void bench_begin(void)
{
	outb(DEV_FIGURE, BENCH_EXITS);
	outb(DEV_COMMAND, DEV_BEGIN);
	exits_before = value();
	begun = rdtsc();
}

void bench_end(const char *name, u64 items)
{
	u64 ticks = rdtsc() - begun;
	u32 exits = value();

	outb(DEV_COMMAND, DEV_END);
	if (exits == ~0u)
		die("%s: the bench device could not do what it was told", name);
	/* Without the one that read the number. */
	console_print("BENCH %s %lu %lu %u\n", name, ticks, items, exits - exits_before - 1);
}

void bench_l2_init(void)
{
	const char *missing = svm_enable();

	if (missing)
		die("%s", missing);
	npt_init(&l2.npt);
	npt_map(&l2.npt, 0, 0, BENCH_IMAGE_END, 2, NPT_RW);
	svm_vcpu_init(&l2.v, (u64)l2.npt.root, read_cr3(), 0, 0);
	vmcb_intercept_clear(&l2.v.vmcb->control, INTERCEPT_CPUID);
	/* The memory map of the first run is all that is flushed. */
	bench_l2_run(bench_l2_cpuid, 1, 0);
	l2.v.vmcb->control.tlb_control = TLB_CONTROL_NONE;
}

u64 *bench_l2_leaf_tables(u64 start, u64 size)
{
	u64 *tables = pages_alloc((u32)(size / SIZE_2M));

	if ((u64)tables + size / SIZE_2M * PAGE_SIZE > BENCH_IMAGE_END)
		die("the nested tables do not lie below %lu MiB", BENCH_IMAGE_END >> 20);
	for (u64 i = 0; i < size / SIZE_2M; i++)
		*npt_entry(&l2.npt, start + i * SIZE_2M, 2) =
			((u64)tables + i * PAGE_SIZE) | NPT_RW;
	return tables;
}

void bench_l2_map_4k(u64 start, u64 size)
{
	u64 *leaves = bench_l2_leaf_tables(start, size);

	for (u64 i = 0; i < size / PAGE_SIZE; i++)
		leaves[i] = (start + i * PAGE_SIZE) | NPT_RW;
}

void bench_l2_run(const char *code, u64 a, u64 b)
{
	l2.v.vmcb->save.rip = (u64)code;
	bench_vmrun((u64)l2.v.vmcb, a, b);
	if (l2.v.vmcb->control.exit_code != SVM_EXIT_VMMCALL)
		die("L2's exit has the code 0x%lx", l2.v.vmcb->control.exit_code);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"exits", bench_exits},		  {"nested", bench_nested}, {"vmx-exits", bench_vmx_exits},
	{"vmx-nested", bench_vmx_nested}, {"dirty", bench_dirty},   {"memory", bench_memory},
};

int guest_main(void)
{
	u32 boot = bench_figure(BENCH_BOOT_TICKS);
	char name[16];

	/* Where there is no such device, or no bench=on, ports read as ones. */
	if (boot == ~0u)
		die("there is no bench device: start Cleave with bench=on");
	if (!option_word("test", name, sizeof(name)))
		die("test= is missing");
	for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
		if (strcmp(name, tests[i].name))
			continue;
		console_print("BENCH boot %u 1 0\n", boot);
		tests[i].run();
		return 0;
	}
	die("there is no test '%s'", name);
}
