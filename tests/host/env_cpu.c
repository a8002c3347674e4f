// SPDX-License-Identifier: MIT
/*
 * A processor that remembers as much as one may: translations, and entries that lead to tables
 * (SDM 3A 4.10, APM 2 5.5), each for as long as no flush has covered it, with what its A and D
 * bits were. It goes on from whatever it holds. Its walk shares nothing with mmu/ but the format's
 * bits.
 */
#include <string.h>

#include "mmu/pt_walk.h"
#include "tests/host/env_internal.h"

#define WAYS_MAX 32

#define R ACC_READ
#define W ACC_WRITE
#define X ACC_EXEC

u32 (*env_choose)(u32 n);

/* --- the walk --------------------------------------------------------------------------- */

struct walk {
	struct mmu *mmu;
	const u64 *root;
	enum mmu_tree tree;
	u64 addr;
	u32 need;  /* rights; 0: a walk that the processor makes on its own account */
	bool look; /* reads only: sets nothing, caches nothing */
	u64 tables[PT_MAX_LEVEL + 1];

	/* The leaf, if there is one. */
	bool present;
	struct place at;
	u64 *sptep, spte, hpa;
	u32 rights;
};

static u32 entry_rights(const struct pt_format *fmt, u64 e)
{
	u32 rights = !fmt->read || (e & fmt->read) ? R : 0;

	rights |= e & fmt->write ? W : 0;
	return rights | ((fmt->exec ? (e & fmt->exec) != 0 : !(e & fmt->nx)) ? X : 0);
}

static struct cached cached_for(const struct walk *w, int level, const struct place *at)
{
	struct cached c = {.mmu = w->mmu,
			   .root = w->root,
			   .tree = w->tree,
			   .level = level,
			   .key = cached_key(w->addr, level),
			   .at = *at};

	memcpy(c.tables, w->tables, sizeof(c.tables));
	return c;
}

/*
 * Walks on from @at, setting A in what leads to tables and caching it. False when an entry is not
 * present. The leaf is left as it is.
 */
static bool descend(struct walk *w, struct place at)
{
	const struct pt_format *fmt = w->mmu->cfg.fmt;

	for (;;) {
		u64 *p = &at.table[w->addr >> LEVEL_SHIFT(at.level) & 511], e = READ_ONCE(*p);
		struct cached c;

		w->tables[at.level] = (u64)at.table;
		if (!(e & fmt->present))
			return false;
		if (at.level == 1 || (at.level <= 3 && (e & fmt->huge))) {
			u64 offset = LEVEL_SIZE(at.level) - 1;

			w->present = true;
			w->at = at;
			w->sptep = p;
			w->spte = e;
			w->hpa = (e & fmt->addr_mask & ~offset) | (w->addr & offset & PAGE_MASK);
			w->rights = at.rights & entry_rights(fmt, e);
			return true;
		}
		if (!w->look && !(e & fmt->accessed))
			env_hw_set(p, fmt->accessed);
		at.table = (u64 *)(e & fmt->addr_mask);
		at.rights &= entry_rights(fmt, e);
		c = cached_for(w, at.level--, &at);
		c.at.level = at.level;
		if (!w->look)
			cached_insert(&c);
	}
}

/* Finishes a walk that is granted: sets A and D in the leaf as it was read, and caches it. */
static bool finish(struct walk *w)
{
	const struct pt_format *fmt = w->mmu->cfg.fmt;
	u64 bits = fmt->accessed | (w->need & W ? fmt->dirty : 0);
	struct cached c = cached_for(w, 0, &w->at);

	if ((w->spte & bits) != bits) {
		if (READ_ONCE(*w->sptep) != w->spte)
			return false; /* changed meanwhile */
		env_hw_set(w->sptep, bits);
	}
	c.hpa = w->hpa;
	c.rights = w->rights;
	c.dirty = (w->spte | bits) & fmt->dirty;
	cached_insert(&c);
	return true;
}

static struct place root_place(const struct mmu *mmu, const u64 *root)
{
	return (struct place){(u64 *)root, mmu->cfg.fmt->levels, R | W | X};
}

/* The walk as it would be now, from the root, leaving no trace. */
static bool look(struct walk *w, struct mmu *mmu, const u64 *root, u64 addr)
{
	*w = (struct walk){.mmu = mmu, .root = root, .addr = addr, .look = true};
	return descend(w, root_place(mmu, root));
}

/* --- an access -------------------------------------------------------------------------- */

/* One way in which the processor may go about an access. */
struct way {
	enum { USE, WALK, REFUSE } what;
	int i; /* of what is cached */
	struct place from;
};

struct ways {
	struct way way[WAYS_MAX];
	u32 n;
};

static void add_way(struct ways *w, struct way way)
{
	if (w->n < WAYS_MAX)
		w->way[w->n++] = way;
}

/* Each that is cached for the walk's address at @level. */
static void cached_ways(struct ways *ways, const struct walk *w, int level)
{
	u64 key = cached_key(w->addr, level);

	for (int i = cached_first(w->root, level, key); i >= 0; i = env_cached[i].next) {
		const struct cached *c = &env_cached[i];
		bool grants = !(w->need & ~c->rights);

		if (c->mmu != w->mmu || c->root != w->root || c->tree != w->tree ||
		    c->level != level || c->key != key)
			continue;
		if (level || (grants && (w->need & W) && !c->dirty))
			add_way(ways, (struct way){WALK, i, c->at});
		else if (grants)
			add_way(ways, (struct way){USE, i, c->at});
		else if (!c->refused)
			add_way(ways, (struct way){REFUSE, i, c->at});
	}
}

/* What is cached for the nearest level comes first, and the walk from the root last. */
static struct way choose_way(const struct walk *w)
{
	struct ways ways = {.n = 0};
	u32 first = 0;

	for (int level = 0; level <= PT_MAX_LEVEL; level += level ? 1 : 2)
		cached_ways(&ways, w, level);
	add_way(&ways, (struct way){WALK, -1, root_place(w->mmu, w->root)});
	if (env_choose)
		return ways.way[env_choose(ways.n)];
	while (ways.way[first].what == REFUSE)
		first++;
	return ways.way[first];
}

static bool access_once(struct walk *w, u64 *hpa, bool *present)
{
	struct way way = choose_way(w);

	*present = true;
	if (way.what == USE) {
		*hpa = env_cached[way.i].hpa;
		return true;
	}
	if (way.what == REFUSE) {
		env_cached[way.i].refused = true;
		return false;
	}
	if (way.i >= 0)
		memcpy(w->tables, env_cached[way.i].tables, sizeof(w->tables));
	*present = descend(w, way.from);
	*hpa = w->hpa;
	return *present && !(w->need & ~w->rights) && finish(w);
}

bool cpu_access(struct mmu *mmu, enum mmu_tree tree, const u64 *root, u64 addr, u64 error,
		void **va, bool *present)
{
	struct walk w = {.mmu = mmu, .root = root, .tree = tree, .addr = addr};
	bool done;
	u64 hpa = 0;

	w.need = error & PFERR_I ? X : R;
	w.need |= error & PFERR_W ? W : 0;
	env_lock();
	done = access_once(&w, &hpa, present);
	env_unlock();
	*va = (void *)(hpa | (addr & ~PAGE_MASK));
	return done;
}

bool cpu_look(struct mmu *mmu, const u64 *root, u64 addr, u32 *access, void **va)
{
	struct walk w;
	bool present = look(&w, mmu, root, addr);

	*access = present ? w.rights : 0;
	*va = present ? (void *)(w.hpa | (addr & ~PAGE_MASK)) : NULL;
	return present;
}

bool tlb_touch_root(struct mmu *mmu, enum mmu_tree tree, const u64 *root, u64 addr)
{
	struct walk w = {.mmu = mmu, .root = root, .tree = tree, .addr = addr};
	bool done;

	env_lock();
	done = descend(&w, root_place(mmu, root)) && finish(&w);
	env_unlock();
	return done;
}

bool tlb_touch(struct mmu *mmu, u64 addr)
{
	return tlb_touch_root(mmu, MMU_TREE_TDP, mmu->tdp_root, addr);
}

/* --- what is cached and should not be --------------------------------------------------- */

/* The entry of a table that is cached still leads there, with A and all rights. */
static bool table_is_stale(const struct cached *c)
{
	const struct pt_format *fmt = c->mmu->cfg.fmt;
	u64 addr = c->key << LEVEL_SHIFT(c->level);
	struct place at = root_place(c->mmu, c->root);

	for (; at.level >= c->level; at.level--) {
		u64 e = READ_ONCE(at.table[addr >> LEVEL_SHIFT(at.level) & 511]);

		if (!(e & fmt->present) || !(e & fmt->accessed) ||
		    (at.level <= 3 && (e & fmt->huge)))
			return true;
		at.table = (u64 *)(e & fmt->addr_mask);
		at.rights &= entry_rights(fmt, e);
	}
	return at.table != c->at.table || (c->at.rights & ~at.rights);
}

static bool is_stale(const struct cached *c)
{
	struct walk now;

	if (c->level)
		return table_is_stale(c);
	if (!look(&now, c->mmu, c->root, c->key << PAGE_SHIFT))
		return true;
	return now.hpa != c->hpa || (c->rights & ~now.rights) ||
	       (c->dirty && (c->rights & W) && !(now.spte & c->mmu->cfg.fmt->dirty));
}

u64 tlb_stale(struct mmu *mmu)
{
	u64 n = 0;

	env_lock();
	for (int i = 0; i < env_nr_cached; i++)
		n += env_cached[i].mmu == mmu && is_stale(&env_cached[i]);
	env_unlock();
	return n;
}

u64 tlb_cached(struct mmu *mmu)
{
	u64 n = 0;

	for (int i = 0; i < env_nr_cached; i++)
		n += env_cached[i].mmu == mmu && !env_cached[i].level;
	return n;
}
