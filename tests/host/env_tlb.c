// SPDX-License-Identifier: MIT
/* What the model of a processor has cached: env_cpu.c. */
#include <string.h>

#include "tests/host/env_internal.h"

#define BUCKETS 1024

struct cached env_cached[CACHED_MAX];
int env_nr_cached;
static int bucket[BUCKETS];
static bool buckets_made;

u64 cached_key(u64 addr, int level)
{
	return addr >> (level ? LEVEL_SHIFT(level) : PAGE_SHIFT);
}

static int *bucket_of(const u64 *root, int level, u64 key)
{
	u64 mixed = (key * 8 + (u64)level) * 0x9e3779b97f4a7c15ull ^
		    ((u64)root >> 12) * 0xc2b2ae3d27d4eb4full;

	return &bucket[mixed >> 54];
}

static void link_bucket(int i)
{
	struct cached *c = &env_cached[i];
	int *head = bucket_of(c->root, c->level, c->key);

	c->next = *head;
	*head = i;
}

/* Keeps what @keep says of all that is cached. */
static void sweep(bool (*keep)(const struct cached *c, const void *arg), const void *arg)
{
	int n = 0;

	memset(bucket, 0xff, sizeof(bucket));
	buckets_made = true;
	for (int i = 0; i < env_nr_cached; i++) {
		if (!keep(&env_cached[i], arg))
			continue;
		if (n != i)
			env_cached[n] = env_cached[i];
		link_bucket(n++);
	}
	env_nr_cached = n;
}

static bool same_place(const struct cached *a, const struct cached *b)
{
	return a->mmu == b->mmu && a->root == b->root && a->tree == b->tree &&
	       a->level == b->level && a->key == b->key && a->hpa == b->hpa &&
	       a->at.table == b->at.table && a->at.level == b->at.level;
}

static bool keep_newer(const struct cached *c, const void *arg)
{
	(void)arg;
	return c - env_cached >= CACHED_MAX / 2;
}

/* What is there already and grants no more is forgotten; all else may be used as well as the new.
 */
void cached_insert(const struct cached *new)
{
	if (!buckets_made || env_nr_cached == CACHED_MAX)
		sweep(keep_newer, NULL);
	for (int i = *bucket_of(new->root, new->level, new->key); i >= 0; i = env_cached[i].next) {
		struct cached *c = &env_cached[i];
		int next = c->next;

		if (!same_place(c, new) || (c->rights & ~new->rights) ||
		    (c->at.rights & ~new->at.rights) || (c->dirty && !new->dirty))
			continue;
		*c = *new;
		c->next = next;
		return;
	}
	env_cached[env_nr_cached] = *new;
	link_bucket(env_nr_cached++);
}

static bool keep_none(const struct cached *c, const void *arg)
{
	(void)c;
	(void)arg;
	return false;
}

int cached_first(const u64 *root, int level, u64 key)
{
	if (!buckets_made)
		sweep(keep_none, NULL);
	return *bucket_of(root, level, key);
}

void tlb_drop(void)
{
	env_lock();
	sweep(keep_none, NULL);
	env_unlock();
}

struct flush_of {
	struct mmu *mmu;
	u32 trees;
};

static bool keep_unflushed(const struct cached *c, const void *arg)
{
	const struct flush_of *f = arg;

	return c->mmu != f->mmu || !(f->trees & BIT(c->tree));
}

void tlb_flushed(struct mmu *mmu, u32 trees)
{
	const struct flush_of f = {mmu, trees};

	env_lock();
	sweep(keep_unflushed, &f);
	env_unlock();
}

static bool keep_clear_of(const struct cached *c, const void *page)
{
	for (int level = 1; level <= PT_MAX_LEVEL; level++)
		if (c->tables[level] == (u64)page)
			return false;
	return c->at.table != page;
}

void tlb_page_freed(const void *page)
{
	int before = env_nr_cached;

	for (int i = 0; i < env_nr_cached; i++) {
		if (keep_clear_of(&env_cached[i], page))
			continue;
		sweep(keep_clear_of, page);
		env_violation("table %p freed while %d cached entries may still lead to it", page,
			      before - env_nr_cached);
	}
}
