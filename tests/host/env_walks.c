// SPDX-License-Identifier: MIT
/* All walks at once; tests/host/env_walks.h. */
#include "tests/host/env_walks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 65536
#define FOUND_MAX  65536

/* Where a walk for an address may be: about to read @table, with what the way so far grants. */
struct walk_place {
	int addr, level;
	u32 rights;
	const u64 *table;
};

struct found {
	int addr;
	bool present, since_flush;
	u32 rights;
	void *va;
};

struct truth {
	bool present;
	u32 rights;
	void *va;
};

static struct {
	struct mmu *mmu;
	enum mmu_tree tree;
	const u64 *root;
	u64 addrs[WALKS_ADDRS];
	int nr_addrs;
	struct truth before[WALKS_ADDRS], after[WALKS_ADDRS];
	struct walk_place places[PLACES_MAX];
	u32 nr_places;
	struct found found[FOUND_MAX];
	u32 nr_found;
	u64 changes;
	bool flushed;
	u32 set_bits, random;
} w;

/* --- reading entries, by the manual's text and not by mmu/'s code --------------------------- */

static bool is_ept(void)
{
	return w.mmu->cfg.fmt->read != 0;
}

/* SDM 3C table 28-6, or APM 2 5.4.1. */
static u32 granted(u64 e)
{
	u32 rights = 0;

	if (is_ept())
		return (e & 1 ? ACC_READ : 0) | (e & 2 ? ACC_WRITE : 0) | (e & 4 ? ACC_EXEC : 0);
	rights = ACC_READ | (e & 2 ? ACC_WRITE : 0);
	return rights | (e >> 63 ? 0 : ACC_EXEC);
}

static bool entry_present(u64 e)
{
	return is_ept() ? e & 7 : e & 1;
}

static bool entry_leaf(u64 e, int level)
{
	return level == 1 || (level <= 3 && e & BIT(7));
}

#define ENTRY_ADDR GENMASK(51, 12)

/* --- the places ----------------------------------------------------------------------------- */

static void add_place(const struct walk_place *p)
{
	for (u32 i = 0; i < w.nr_places; i++) {
		const struct walk_place *q = &w.places[i];

		if (q->addr == p->addr && q->level == p->level && q->rights == p->rights &&
		    q->table == p->table)
			return;
	}
	if (w.nr_places == PLACES_MAX)
		abort();
	w.places[w.nr_places++] = *p;
}

static void add_found(const struct found *f)
{
	for (u32 i = 0; i < w.nr_found; i++) {
		const struct found *g = &w.found[i];

		if (g->addr == f->addr && g->present == f->present && g->rights == f->rights &&
		    g->va == f->va && g->since_flush == f->since_flush)
			return;
	}
	if (w.nr_found == FOUND_MAX)
		abort();
	w.found[w.nr_found++] = *f;
}

/* The walk at @p reads its entry now. */
static void step(const struct walk_place *p)
{
	u64 addr = w.addrs[p->addr], mask = LEVEL_SIZE(p->level) - 1;
	u64 e = READ_ONCE(p->table[addr >> LEVEL_SHIFT(p->level) & 511]);
	struct found f = {.addr = p->addr, .since_flush = true};
	struct walk_place next;

	if (!entry_present(e)) {
		add_found(&f);
		return;
	}
	if (entry_leaf(e, p->level)) {
		f.present = true;
		f.rights = p->rights & granted(e);
		f.va = env_va((hpa_t){(e & ENTRY_ADDR & ~mask) | (addr & mask & PAGE_MASK)});
		add_found(&f);
		return;
	}
	next = (struct walk_place){.addr = p->addr,
				   .level = p->level - 1,
				   .rights = p->rights & granted(e),
				   .table = env_va((hpa_t){e & ENTRY_ADDR})};
	add_place(&next);
}

/* Places that a step adds are stepped in their turn. */
static void step_all(void)
{
	for (u32 i = 0; i < w.nr_places; i++) {
		struct walk_place p = w.places[i];

		step(&p);
	}
}

/* Walks that begin now. */
static void start_walks(void)
{
	for (int i = 0; i < w.nr_addrs; i++) {
		struct walk_place p = {.addr = i,
				       .level = w.mmu->cfg.fmt->levels,
				       .rights = ACC_READ | ACC_WRITE | ACC_EXEC,
				       .table = w.root};

		add_place(&p);
	}
}

/* --- what happens --------------------------------------------------------------------------- */

static void on_change(u64 *p, u64 old, u64 new)
{
	(void)p, (void)old, (void)new;
	w.changes++;
	step_all();
}

/* Every walk is over, and nothing that was found before is cached any more. */
static void on_flush(struct mmu *mmu, u32 trees)
{
	if (mmu != w.mmu || !(trees & BIT(w.tree)))
		return;
	w.flushed = true;
	w.nr_places = 0;
	for (u32 i = 0; i < w.nr_found; i++)
		w.found[i].since_flush = false;
	start_walks();
	step_all();
}

static u32 random_number(void)
{
	return w.random = w.random * 1664525 + 1013904223;
}

static void set_bits(u64 *p, u64 old, u64 new)
{
	const struct pt_format *fmt = w.mmu->cfg.fmt;
	u64 e = READ_ONCE(*p), bits = fmt->accessed;

	(void)old, (void)new;
	if (!entry_present(e) || !w.set_bits || random_number() >> 16 % w.set_bits)
		return;
	/* D in leaves only, and only where they may be written. */
	if (e & fmt->write && (e & fmt->huge || e & fmt->leaf_type || e & fmt->dirty))
		bits |= fmt->dirty;
	env_hw_set(p, bits);
}

static void look(struct truth *t)
{
	for (int i = 0; i < w.nr_addrs; i++) {
		t[i] = (struct truth){0};
		t[i].present = cpu_look(w.mmu, w.root, w.addrs[i], &t[i].rights, &t[i].va);
		t[i].rights &= ACC_READ | ACC_WRITE | ACC_EXEC;
	}
}

void walks_begin(struct mmu *mmu, enum mmu_tree tree, const u64 *root, const u64 *addrs, int n)
{
	w.mmu = mmu;
	w.tree = tree;
	w.root = root;
	w.nr_addrs = n;
	memcpy(w.addrs, addrs, (size_t)n * sizeof(addrs[0]));
	w.nr_places = w.nr_found = 0;
	w.changes = 0;
	w.flushed = false;
	w.random = 1;
	look(w.before);
	start_walks();
	step_all();
	env_on_change = on_change;
	env_on_flush = on_flush;
	env_before_cmpxchg = set_bits;
}

/* --- the verdict ---------------------------------------------------------------------------- */

static bool within(const struct found *f, const struct truth *t)
{
	return t->present && t->va == f->va && !(f->rights & ~t->rights);
}

static bool right(const struct found *f)
{
	const struct truth *before = &w.before[f->addr], *after = &w.after[f->addr];

	if (!f->present)
		return !before->present || !after->present;
	if (!within(f, before) && !within(f, after))
		return false;
	return !f->since_flush || within(f, after);
}

u64 walks_end(void)
{
	u64 faults = 0;

	/* Those that are half-way come to their end. */
	step_all();
	env_on_change = NULL;
	env_on_flush = NULL;
	env_before_cmpxchg = NULL;
	look(w.after);
	for (u32 i = 0; i < w.nr_found; i++) {
		const struct found *f = &w.found[i];

		if (right(f))
			continue;
		faults++;
		fprintf(stderr,
			"walk of 0x%llx found %s rights %x va %p%s; before %d %x %p, after %d %x "
			"%p\n",
			(unsigned long long)w.addrs[f->addr], f->present ? "a page," : "nothing,",
			f->rights, f->va, f->since_flush ? ", not flushed since" : "",
			w.before[f->addr].present, w.before[f->addr].rights, w.before[f->addr].va,
			w.after[f->addr].present, w.after[f->addr].rights, w.after[f->addr].va);
	}
	return faults;
}

u64 walks_found(void)
{
	return w.nr_found;
}

u64 walks_changes(void)
{
	return w.changes;
}

void walks_set_bits(u32 n)
{
	w.set_bits = n;
}
