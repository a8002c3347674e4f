// SPDX-License-Identifier: MIT
/*
 * A fault of L2: walk L1's tables without a lock, then build the shadow of that walk from the root
 * down. Each table of L1 is tracked before its entry is read again under the lock, so an entry
 * that L1 changed meanwhile is noticed either here or when it is written.
 */
#include "lib/assert.h"
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/nx_huge.h"
#include "mmu/shadow_internal.h"

/* Descriptors that a fault may use: its links and its leaf, and some for splitting what it finds.
 */
#define FAULT_KEEP_DESCS (PT_MAX_LEVEL + 1)
#define FAULT_DESCS	 (FAULT_KEEP_DESCS + 10)

struct fetch {
	struct mmu *mmu;
	struct nested_mmu *n;
	const struct pt_walk *w;
	u64 addr;   /* L2-physical */
	u32 access; /* what the access needs */
	u32 grant;  /* what L1's walk grants; no W while its leaf lacks D */
	struct memslot *slot;
	gfn_t gfn; /* what L1 maps the address to, 4K */
	struct flush_batch b;

	struct shadow_page *path[PT_MAX_LEVEL + 1]; /* by level */
};

/* Does L1's entry at @level still hold what the walk read there? */
static bool walk_entry_valid(const struct fetch *f, int level)
{
	const struct pt_format *fmt = f->n->mode.fmt;
	gpa_t gpa = f->w->table[level];
	struct memslot *slot;
	const char *p;

	gpa.v += (u64)pt_index(fmt, f->addr, level) * fmt->entry_size;
	slot = memslot_find(f->mmu, gpa_to_gfn(gpa));
	if (!slot)
		return false;
	p = env_va(memslot_hpa(slot, gpa_to_gfn(gpa), NULL));
	p += gpa.v % PAGE_SIZE;
	if (fmt->entry_size == 4)
		return READ_ONCE(*(const u32 *)p) == (u32)f->w->entry[level];
	return READ_ONCE(*(const u64 *)p) == f->w->entry[level];
}

static int entry_index(const struct fetch *f, int level)
{
	return f->addr >> LEVEL_SHIFT(level) & (TABLE_ENTRIES - 1);
}

static gfn_t gfn_at(gfn_t gfn, int level)
{
	return (gfn_t){gfn.v & ~(LEVEL_PAGES(level) - 1)};
}

/* Leads the entry at @pos to @child, which may be linked elsewhere too. */
static void link_child(struct fetch *f, const struct spte_pos *pos, struct shadow_page *child)
{
	shadow_limit_parents(f->mmu, child, &f->b);
	spte_set(pos, spte_make_table(f->mmu, child->spt), &f->n->caches, &f->b);
}

/*
 * Finds or makes the page for L1's table under f->path[level] and links it; false when L1 changed
 * the entry in it that the walk used.
 */
static bool fetch_l1_table(struct fetch *f, int level)
{
	struct shadow_page *sp = f->path[level], *child;
	int levels = f->n->mode.fmt->levels, index = entry_index(f, level);
	/* Above L1's own root there are only L0's pages, which lead to it. */
	bool own = level > levels;
	u32 access =
		own ? sp->role.access
		    : sp->role.access & pt_level_access(&f->n->mode, f->w->entry[level], level);
	gfn_t gfn = gpa_to_gfn(level - 1 > levels ? f->n->root_gpa : f->w->table[level - 1]);
	union page_role role = page_role_child(sp->role, access, false, (u32)index);
	u64 old = READ_ONCE(sp->spt[index]);
	struct spte_pos pos;
	bool created;

	if (spte_present(f->mmu, old) && !spte_is_leaf(f->mmu, old, level)) {
		child = f->path[level - 1] = spte_child(f->mmu, old);
		if (child->gfn.v == gfn.v && child->role.word == role.word)
			return level - 1 > levels || walk_entry_valid(f, level - 1);
	}
	child = shadow_page_get(f->mmu, gfn, role, &f->n->caches, &created, &f->b);
	f->path[level - 1] = child;
	if (!created && !shadow_sync_before_link(f->mmu, child, &f->b))
		return false;
	/* Whatever protecting the table owes: nobody may still write it once it is read again. */
	flush_pay(f->mmu, &f->b);
	if (level - 1 <= levels && !walk_entry_valid(f, level - 1)) {
		if (created)
			shadow_page_zap(f->mmu, child, &f->b);
		return false;
	}
	if (spte_present(f->mmu, old))
		shadow_drop_entry(f->mmu, sp, index, &f->b);
	shadow_page_note(sp, index, gfn, access);
	pos = shadow_pos(f->mmu, sp, index);
	link_child(f, &pos, child);
	return true;
}

/*
 * Below what L1 maps huge: finds or makes the direct page for the range and links it; a huge leaf
 * that is in the way is split.
 */
static void fetch_direct(struct fetch *f, int level)
{
	struct shadow_page *sp = f->path[level], *child;
	int index = entry_index(f, level);
	union page_role role = page_role_child(sp->role, f->grant, true, (u32)index);
	gfn_t gfn = gfn_at(f->gfn, level);
	u64 old = READ_ONCE(sp->spt[index]);
	struct spte_pos pos;
	bool created;

	child = shadow_page_get(f->mmu, gfn, role, &f->n->caches, &created, &f->b);
	f->path[level - 1] = child;
	if (spte_is_leaf(f->mmu, old, level) && shadow_page_gfn(sp, index).v == gfn.v) {
		shadow_page_note(sp, index, gfn, f->grant);
		pos = shadow_pos(f->mmu, sp, index);
		shadow_split_leaf(&pos, child, &f->n->caches, FAULT_KEEP_DESCS, &f->b);
		if (f->slot->dirty_bitmap)
			mmu_stat_add(&f->mmu->stats.fault_split[MMU_TREE_NESTED], 1);
		return;
	}
	if (spte_present(f->mmu, old)) {
		if (!spte_is_leaf(f->mmu, old, level) && spte_child(f->mmu, old) == child)
			return;
		shadow_drop_entry(f->mmu, sp, index, &f->b);
	}
	shadow_page_note(sp, index, gfn, f->grant);
	pos = shadow_pos(f->mmu, sp, index);
	link_child(f, &pos, child);
}

/* The level at which the address may be mapped: L1's, our host memory's, and what is tracked. */
static int goal_level(const struct fetch *f)
{
	int level = MIN(f->w->level, memslot_max_level(f->mmu, f->slot, f->gfn));

	level = MIN(level, f->mmu->cfg.max_leaf_level);
	if (f->mmu->cfg.nx_huge_pages && (f->access & ACC_EXEC))
		level = PG_LEVEL_4K;
	return level;
}

/* Could the page of @level be huge, were it not for what is executed, logged or tracked in it? */
static bool could_be_huge(const struct fetch *f, int level)
{
	int host;

	memslot_hpa(f->slot, f->gfn, &host);
	return level <= f->w->level && level <= host && level <= f->mmu->cfg.max_leaf_level;
}

/* Something below is executable, which no huge page may be: a fault must not join it again. */
static bool fetch_stays_split(const struct fetch *f, int level)
{
	u64 spte = f->path[level]->spt[entry_index(f, level)];

	return f->mmu->cfg.nx_huge_pages && level > PG_LEVEL_4K && spte_present(f->mmu, spte) &&
	       !spte_is_leaf(f->mmu, spte, level);
}

/* Of what may be huge again only that which is executed, as for L1 itself. */
static bool nx_leaf_executable(const struct fetch *f, int level, u64 old)
{
	if (level > PG_LEVEL_4K)
		return false;
	return (f->access & ACC_EXEC) || (spte_access(f->mmu, old) & ACC_EXEC) ||
	       !could_be_huge(f, PG_LEVEL_2M);
}

/*
 * What the leaf may grant now, of what L1 allows: tracking and NX huge pages forbid, and the dirty
 * log keeps back @withheld.
 */
static u32 leaf_access(const struct fetch *f, int level, u64 withheld, u64 old)
{
	u32 access = f->grant;

	if ((f->slot->flags & MEMSLOT_READONLY) || shadow_gfn_tracked(f->slot, f->gfn) ||
	    (withheld & f->mmu->cfg.fmt->write))
		access &= ~ACC_WRITE;
	if (f->mmu->cfg.nx_huge_pages && !nx_leaf_executable(f, level, old))
		access &= ~ACC_EXEC;
	return access;
}

static void fetch_leaf(struct fetch *f, int level)
{
	struct shadow_page *sp = f->path[level];
	int index = entry_index(f, level);
	gfn_t gfn = gfn_at(f->gfn, level);
	hpa_t hpa = memslot_hpa(f->slot, gfn, NULL);
	u64 old = READ_ONCE(sp->spt[index]);
	struct spte_pos pos;
	u64 withheld;
	int descs;
	bool same;
	u32 access;

	same = spte_is_leaf(f->mmu, old, level) && shadow_page_gfn(sp, index).v == gfn.v;
	if (same && !(f->access & ~ACC_USER & ~spte_access(f->mmu, old))) {
		mmu_stat_add(&f->mmu->stats.pf_spurious, 1);
		return;
	}
	if (spte_present(f->mmu, old) && !same) {
		shadow_drop_entry(f->mmu, sp, index, &f->b);
		old = 0;
	}
	/* What was granted before is not taken back. */
	withheld = dirty_log_withheld(f->mmu, f->slot, f->access & ACC_WRITE) & ~old;
	access = leaf_access(f, level, withheld, old);
	/* A huge leaf is never one of a logged slot. */
	if ((access & ACC_WRITE) && dirty_log_by_faults(f->mmu, f->slot)) {
		if (same)
			mmu_stat_add(&f->mmu->stats.dirty_faults, 1);
		dirty_log_mark(f->slot, gfn);
	}
	shadow_page_note(sp, index, gfn, f->grant);
	pos = shadow_pos(f->mmu, sp, index);
	descs = f->n->caches.nr_descs;
	spte_set(&pos, spte_make_leaf(f->mmu, hpa, level, access) & ~withheld, &f->n->caches,
		 &f->b);
	if (f->n->caches.nr_descs < descs)
		shadow_limit_aliases(f->mmu, rmap_get(f->slot, gfn, level), &f->b);
	mmu_stat_add(&f->mmu->stats.nested_pf_fixed, 1);
}

/*
 * Builds the path and the leaf. False when L1 changed its tables meanwhile: what was built so
 * far is right, and L2 faults again.
 */
static bool fetch(struct fetch *f)
{
	int level = f->n->root->role.level, top = level, goal;

	f->path[level] = f->n->root;
	if (level <= f->n->mode.fmt->levels && !walk_entry_valid(f, level))
		return false;
	for (; level > f->w->level; level--) {
		if (!fetch_l1_table(f, level))
			return false;
	}
	/* Only now, as tracking L1's tables may have forbidden a huge page. */
	goal = goal_level(f);
	for (; level > goal || fetch_stays_split(f, level); level--) {
		fetch_direct(f, level);
		if (f->mmu->cfg.nx_huge_pages && (f->access & ACC_EXEC) && could_be_huge(f, level))
			nx_shadow_add(f->mmu, f->path[level - 1]);
	}
	assert(level >= PG_LEVEL_4K);
	fetch_leaf(f, level);
	shadow_path_touch(f->mmu, f->path, level, top);
	return true;
}

/* Makes room for what the path lacks. */
static void fetch_make_room(struct fetch *f)
{
	struct shadow_page *path[PT_MAX_LEVEL + 1], *sp = f->n->root;
	int level = sp->role.level, top = level;

	if (shadow_pages_available(f->mmu) >= (u64)level)
		return;
	for (path[level] = sp; level > PG_LEVEL_4K; path[--level] = sp) {
		u64 spte = READ_ONCE(sp->spt[entry_index(f, level)]);

		if (!spte_present(f->mmu, spte) || spte_is_leaf(f->mmu, spte, level))
			break;
		sp = spte_child(f->mmu, spte);
	}
	shadow_path_make_room(f->mmu, path, level, top, &f->b);
}

static int fault_reflect(struct mmu *mmu, ngpa_t addr, u64 error, u32 granted,
			 struct nested_fault *out)
{
	out->error = error;
	out->granted = granted;
	out->addr = addr.v;
	mmu_stat_add(&mmu->stats.nested_pf_reflected, 1);
	return FAULT_REFLECT;
}

/* The leaf that maps the address now; NULL when none does, or L1 changed its tables meanwhile. */
static struct shadow_page *fault_find_leaf(const struct fetch *f, int *index)
{
	struct shadow_page *sp = f->n->root;
	int levels = f->n->mode.fmt->levels;

	while (sp && !sp->role.invalid) {
		int level = sp->role.level;
		u64 spte;

		if (level <= levels && level >= f->w->level && !walk_entry_valid(f, level))
			return NULL;
		*index = entry_index(f, level);
		spte = READ_ONCE(sp->spt[*index]);
		if (spte_is_leaf(f->mmu, spte, level))
			return level <= f->w->level ? sp : NULL;
		sp = spte_present(f->mmu, spte) ? spte_child(f->mmu, spte) : NULL;
	}
	return NULL;
}

/*
 * Memory is out. A write to what is mapped already needs none: the leaf becomes writable as it
 * is. A huge page of a logged slot stays huge then, and all of it counts as dirty.
 */
static int fault_without_memory(struct fetch *f)
{
	int index = 0;
	struct shadow_page *sp = fault_find_leaf(f, &index);
	struct spte_pos pos;
	u64 old, new;

	if (!sp || !(f->access & ACC_WRITE))
		return -ENOMEM;
	pos = shadow_pos(f->mmu, sp, index);
	if (pos.gfn.v != gfn_at(f->gfn, pos.level).v ||
	    memslot_tracked_inside(f->slot, f->gfn, pos.level) ||
	    (sp->role.direct && !(sp->role.access & ACC_WRITE)))
		return -ENOMEM;
	old = READ_ONCE(*pos.sptep);
	new = spte_make_leaf(f->mmu, spte_hpa(f->mmu, old), pos.level,
			     spte_access(f->mmu, old) | ACC_WRITE);
	shadow_page_note(sp, index, pos.gfn, f->grant);
	if (pos.level > PG_LEVEL_4K) {
		dirty_log_mark_range(f->slot, pos.gfn, LEVEL_PAGES(pos.level));
	} else {
		if (dirty_log_by_faults(f->mmu, f->slot))
			dirty_log_mark(f->slot, pos.gfn);
		new &= ~dirty_log_withheld(f->mmu, f->slot, true);
	}
	spte_set(&pos, new, NULL, &f->b);
	return FAULT_FIXED;
}

/* mmu_lock (write). @filled: the caches hold what a fault may need. */
static int fault_locked(struct fetch *f, bool filled, ngpa_t addr, struct nested_fault *out)
{
	u64 asked = f->access & ACC_WRITE ? PFERR_W | PFERR_U : PFERR_U;

	if ((f->access & ACC_EXEC) && pt_fetch_shows(&f->n->mode))
		asked |= PFERR_I;
	f->slot = memslot_find(f->mmu, f->gfn);
	if (!f->slot)
		return fault_reflect(f->mmu, addr, asked, 0, out);
	if ((f->access & ACC_WRITE) && (f->slot->flags & MEMSLOT_READONLY))
		return fault_reflect(f->mmu, addr, asked | PFERR_P, f->w->access & ~ACC_WRITE, out);
	/* L2 writes a table of L1's: a last-level one goes out of sync. */
	if ((f->access & ACC_WRITE) && shadow_track_fault(f->mmu, f->slot, f->gfn, &f->b)) {
		out->gpa = f->w->gpa;
		return FAULT_EMULATE;
	}
	if (!filled)
		return fault_without_memory(f);
	nested_mmu_refresh(f->mmu, f->n, &f->b);
	/* As for any table of L1's: protected and flushed before its entry is read again. */
	flush_pay(f->mmu, &f->b);
	fetch_make_room(f);
	(void)fetch(f);
	return FAULT_FIXED;
}

int nested_fault_walk(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u32 access,
		      struct nested_fault *out, int *level)
{
	int levels = (int)shadow_root_level(mmu, n->mode.fmt->id), r;
	struct pt_walk w;
	struct fetch f = {.mmu = mmu,
			  .n = n,
			  .w = &w,
			  .addr = addr.v,
			  .access = access,
			  .b = FLUSH_BATCH_INIT};
	bool filled = !mmu_caches_fill(mmu, &n->caches, levels, levels, levels, FAULT_DESCS);

	if (pt_walk(mmu, &n->mode, n->root_gpa, addr.v, access, &w)) {
		r = fault_reflect(mmu, addr, w.error, w.access, out);
	} else {
		f.gfn = gpa_to_gfn(w.gpa);
		f.grant = w.dirty ? w.access : w.access & ~ACC_WRITE;
		rwlock_write_lock(&mmu->lock);
		r = fault_locked(&f, filled, addr, out);
		flush_pay(mmu, &f.b);
		rwlock_write_unlock(&mmu->lock);
	}
	*level = w.level;
	return r;
}
