// SPDX-License-Identifier: MIT
/*
 * What L1 itself must find unchanged across an entry and across a migration: registers of the host
 * state, the VMCB or VMCS fields that only L1 writes, and pages with a history of their own.
 */
#include "guests/fpu.h"
#include "guests/l1.h"
#include "lib/string.h"

#define HISTORY_PAGES  64
#define HISTORY_DENSE  32 /* of them side by side; the others each in a 2M range of their own */
#define HISTORY_SPREAD L1_MEMORY_END	       /* where the first half of those is */
#define L1_OWN_HUGE    (2 * SIZE_1G - SIZE_2M) /* ... and the second half: L2 leaves it alone */
#define MSRS_EVERY     16		       /* exits between two looks at the MSRs */
#define COMPLETE_EVERY 4096

static const u32 own_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,		MSR_LSTAR,
	MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
};

static const struct history history = {0x4c314c31, 25};
static struct history_page *dense;
static u64 pass;     /* complete passes over the pages */
static u64 position; /* the page of pass + 1 that comes next */

static u64 fpu_pattern;
static u64 before_cr[3];
static struct table_register before_gdtr, before_idtr;

/*
 * Most of L1's memory holds page tables of its own or of L2, which are mapped in 4K pages below us.
 * So some pages lie where nothing else of L1's does, and, given the memory, in the gigabyte that
 * only L2 uses otherwise: that is where L1's memory is mapped huge.
 */
static struct history_page *page_at(u64 index)
{
	u64 n = index - HISTORY_DENSE, half = (HISTORY_PAGES - HISTORY_DENSE) / 2;

	if (index < HISTORY_DENSE)
		return &dense[index];
	if (n >= half && memory_end >= 2 * SIZE_1G)
		return (struct history_page *)(L1_OWN_HUGE + (n - half) * PAGE_SIZE);
	return (struct history_page *)(HISTORY_SPREAD + n * (SIZE_2M + PAGE_SIZE));
}

static u64 msr_pattern(u32 msr)
{
	/* SYSENTER_CS keeps 16 bits, the bases must be canonical. */
	return history_mix(msr) & (msr == MSR_SYSENTER_CS ? 0xffff : 0x7fffffff);
}

void checks_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		wrmsr(own_msrs[i], msr_pattern(own_msrs[i]));
	fpu_pattern = history_mix(1);
	fpu_set_l1(fpu_pattern);
	dense = pages_alloc(HISTORY_DENSE);
	for (u64 i = 0; i < HISTORY_PAGES; i++)
		history_init(&history, page_at(i), i);
}

u64 checks_pages(void)
{
	return HISTORY_PAGES;
}

void checks_before_entry(void)
{
	l1.virt->remember();
	before_cr[0] = read_cr0();
	before_cr[1] = read_cr3();
	before_cr[2] = read_cr4();
	before_gdtr = read_gdtr();
	before_idtr = read_idtr();
}

static void check_control(void)
{
	const char *changed = l1.virt->changed();

	if (changed)
		die("%s", changed);
	if (l1.regs.host_damaged)
		die("an exit came back with other registers or flags");
}

static void check_registers(void)
{
	struct table_register gdtr = read_gdtr(), idtr = read_idtr();

	if (read_cr0() != before_cr[0] || read_cr3() != before_cr[1] || read_cr4() != before_cr[2])
		die("an exit came back with other control registers");
	if (memcmp(&gdtr, &before_gdtr, sizeof(gdtr)) || memcmp(&idtr, &before_idtr, sizeof(idtr)))
		die("an exit came back with another GDTR or IDTR");
}

static void check_msrs(void)
{
	const char *bad = fpu_check_l1(fpu_pattern);

	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		if (rdmsr(own_msrs[i]) != msr_pattern(own_msrs[i]))
			die("L1's MSR 0x%x changed to 0x%lx", own_msrs[i], rdmsr(own_msrs[i]));
	if (bad)
		die("L1's %s changed", bad);
	fpu_pattern = history_mix(fpu_pattern);
	fpu_set_l1(fpu_pattern);
	l1.checks += 2;
}

static void check_page(u64 index)
{
	u64 upto = index < position ? pass + 1 : pass;
	const char *wrong = history_check(&history, page_at(index), index, upto);

	if (wrong)
		die("L1's page %lu: wrong %s", index, wrong);
	l1.checks++;
}

/* One page's turn in each exit: check it, write it if this pass does, check the next time. */
static void history_step(void)
{
	check_page(position);
	if (history_selected(&history, position, pass + 1))
		history_write(page_at(position), pass + 1);
	if (++position == HISTORY_PAGES) {
		position = 0;
		pass++;
	}
}

void checks_complete(void)
{
	for (u64 i = 0; i < HISTORY_PAGES; i++)
		check_page(i);
	check_msrs();
}

void checks_after_exit(void)
{
	check_control();
	check_registers();
	l1.checks += 2;
	if (l1.exits % 8 == 0)
		history_step();
	if (l1.exits % MSRS_EVERY == 0)
		check_msrs();
	if (l1.exits % COMPLETE_EVERY == 0)
		checks_complete();
}
