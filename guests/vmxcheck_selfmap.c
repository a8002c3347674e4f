// SPDX-License-Identifier: MIT
/* An L2 that may write the EPT tables that map it: what is there at the next INVEPT is what counts.
 */
#include "guests/history.h"
#include "guests/vmxcheck_ept.h"

#define VIOLATION OTHER_EXIT(VMX_EXIT_EPT_VIOLATION)
#define MISCONFIG OTHER_EXIT(VMX_EXIT_EPT_MISCONFIG)
#define SCRIBBLES 300

/* L2 writes one entry of its own tables; L1 only flushes. */
static u32 l2_sets(u64 *entry, u64 value)
{
	u32 answer = ept_store((u64)entry, value);

	ept_flush();
	return answer;
}

static u64 *entry_of(u64 l2, int level)
{
	return npt_entry(&ept_tables, l2, level);
}

static void check_read(const char *name, u32 want, u64 number)
{
	u64 value;
	u32 answer = ept_access(L2_READ, 0, &value);

	vmxcheck(name, answer == want && (want != RUNS || value == number),
		 "answer 0x%x, L2 reads 0x%lx", answer, value);
}

static void own_leaf(void)
{
	struct ept_page *a = ept_page(0), *b = ept_page(1);
	u64 *e = entry_of(EPT_BASE, 1);

	l2_sets(e, ept_leaf(a, 1, EPT_RWX));
	check_read("L2 maps a page for itself", RUNS, a->number);
	l2_sets(e, ept_leaf(b, 1, EPT_RWX));
	check_read("L2 changes its own page", RUNS, b->number);
	l2_sets(e, ept_leaf(b, 1, EPT_R));
	vmxcheck_answer("L2 write-protects it", ept_access(L2_WRITE, 0, NULL), VIOLATION);
	l2_sets(e, ept_leaf(b, 1, EPT_W));
	check_read("L2 misconfigures it", MISCONFIG, 0);
	l2_sets(e, 0);
	check_read("L2 unmaps it", VIOLATION, 0);
}

static void own_upper(void)
{
	struct ept_page *page[2] = {ept_page(0), ept_page(1)};
	u64 *table[2] = {pages_alloc(1), pages_alloc(1)}, *e = entry_of(EPT_BASE, 2);
	u64 bad = 0;

	for (u32 i = 0; i < 2; i++)
		table[i][0] = ept_leaf(page[i], 1, EPT_RWX);
	for (u32 i = 0; i < 100; i++) {
		u64 value;

		l2_sets(e, (u64)table[i & 1] | EPT_RWX);
		bad += ept_access(L2_READ, 0, &value) != RUNS || value != page[i & 1]->number;
	}
	vmxcheck("L2 exchanges whole tables", !bad, "%lu wrong", bad);
	l2_sets(e, 0);
}

/* The table that maps the page in which it is: L2 takes its own permission away. */
static void own_table(void)
{
	u64 *table = pages_alloc(1), at = (u64)table, value;
	u64 *pd = entry_of(at, 2), whole = *pd, *own = &table[PT_INDEX(at, 1)];

	for (u64 i = 0; i < PT_ENTRIES; i++)
		table[i] =
			npt_leaf(&ept_tables, ALIGN_DOWN(at, SIZE_2M) + i * PAGE_SIZE, 1, EPT_RWX);
	*pd = at | EPT_RWX;
	ept_flush();
	vmxcheck_answer("L2 protects the table that maps it",
			l2_sets(own, npt_leaf(&ept_tables, at, 1, EPT_R | EPT_X)), RUNS);
	vmxcheck_answer("and can write it no more", ept_store(at, 0), VIOLATION);
	value = *(volatile u64 *)own & ~(EPT_A | EPT_D);
	vmxcheck("but it is as L2 wrote it", value == npt_leaf(&ept_tables, at, 1, EPT_R | EPT_X),
		 "0x%lx", value);
	*own = npt_leaf(&ept_tables, at, 1, EPT_RWX);
	*pd = whole;
	ept_flush();
	vmxcheck_valid();
}

/* All that maps L2's code goes away: the next fetch faults. */
static void own_end(void)
{
	u64 *e = entry_of(0, 4), was = *e;
	u32 answer = l2_sets(e, 0);

	vmxcheck("L2 clears its own root entry", answer == RUNS || answer == VIOLATION,
		 "answer 0x%x", answer);
	vmxcheck_answer("and has nothing left", vmxcheck_run(), VIOLATION);
	*e = was;
	ept_flush();
	vmxcheck_valid();
}

/* Random entries into a table in use: any fault is right, L1 and its other pages must live. */
static void scribble(void)
{
	u64 *table = pages_alloc(1), *e = entry_of(EPT_BASE, 2), odd = 0;

	*e = (u64)table | EPT_RWX;
	for (u64 r = 0; r < SCRIBBLES; r++) {
		u64 n = history_mix(r) % 8;
		u32 answer;

		l2_sets(&table[n], history_mix(~r) & (r & 1 ? ~0ul : GENMASK(25, 0)) & ~EPT_W);
		answer = ept_access(L2_READ, n * PAGE_SIZE, NULL);
		odd += answer != RUNS && answer != VIOLATION && answer != MISCONFIG;
	}
	vmxcheck("L2 scribbles over a table", !odd, "%lu exits of another kind", odd);
	*e = 0;
	ept_flush();
	vmxcheck_valid();
}

void vmxcheck_selfmap(void)
{
	ept_setup();
	ept_set(0, 3, 0);
	own_leaf();
	own_upper();
	own_table();
	own_end();
	scribble();
}
