// SPDX-License-Identifier: MIT
/*
 * A kernel that virtualizes nothing: it works on memory with a history, takes exits of all kinds on
 * purpose and checks what comes of them, until it has been migrated, or for passes= passes.
 */
#include "guests/plain.h"
#include "guests/history.h"
#include "guests/l1.h"
#include "lib/string.h"

const char *const guest_options[] = {"test", "wmem", "writes", "passes", "after", "seed", NULL};

#define CHECK_EVERY 16 /* pages between two checks of the processor */
#define WORK_BASE   L1_MEMORY_END

static struct history history;
static u64 pages, pass;

static struct history_page *page_at(u64 index)
{
	return (struct history_page *)(WORK_BASE + index * PAGE_SIZE);
}

static void work_on(u64 index)
{
	const char *wrong = history_check(&history, page_at(index), index, pass);

	if (wrong)
		die("page %lu in pass %lu: wrong %s", index, pass, wrong);
	if (history_selected(&history, index, pass + 1))
		history_write(page_at(index), pass + 1);
	if (index % CHECK_EVERY)
		return;
	plain_check_next();
	plain_registers_check();
}

static void work_pass(void)
{
	for (u64 i = 0; i < pages; i++)
		work_on(i);
	pass++;
}

static void work_init(void)
{
	history = (struct history){option_u64("seed", 42), (u32)option_u64("writes", 30)};
	pages = option_u64("wmem", 4ul << 20) / PAGE_SIZE;
	if (WORK_BASE + pages * PAGE_SIZE > memory_end)
		die("wmem= is more than there is");
	for (u64 i = 0; i < pages; i++)
		history_init(&history, page_at(i), i);
}

/* Every kind of check once, at least. */
static u64 warm_passes(void)
{
	return DIV_ROUND_UP(plain_kinds() * CHECK_EVERY, pages) + 1;
}

/* The pass to end with: so many after the one in which the migration was noticed. */
static u64 after_migration(u64 end, u8 *migrations)
{
	u8 now = platform_migrations();

	if (now == *migrations)
		return end;
	*migrations = now;
	console_print("plain: migrated, all %lu checks hold\n", plain_checks);
	return pass + option_u64("after", 3);
}

static void run(void)
{
	u64 end = option_u64("passes", 0);
	u8 migrations = platform_migrations();

	work_init();
	plain_registers_init();
	console_print("plain: %lu pages, %u kinds of checks\n", pages, plain_kinds());
	platform_phase(PHASE_L2);
	while (!end || pass < end) {
		work_pass();
		if (pass == warm_passes())
			platform_phase(PHASE_WARM);
		end = after_migration(end, &migrations);
	}
	console_print("plain: done after %lu passes, all %lu checks hold\n", pass, plain_checks);
	platform_phase(PHASE_DONE);
}

static void triple_fault(void)
{
	struct table_register none = {0, 0};

	console_print("plain: a triple fault\n");
	asm volatile("lidt %0\n\tud2" ::"m"(none));
}

/* With its own interrupts off, and without an exit of its own: only L0's timer gets in. */
static void spin(void)
{
	u64 n = option_u64("passes", 1ul << 28);

	console_print("plain: spinning with interrupts off\n");
	platform_phase(PHASE_WARM);
	interrupts_off();
	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(n));
	interrupts_on();
}

int guest_main(void)
{
	static const char *const tests[] = {"run", "triplefault", "spin", NULL};
	static void (*const functions[])(void) = {run, triple_fault, spin};

	platform_init();
	platform_phase(PHASE_L1);
	functions[option_choice("test", tests)]();
	return 0;
}
