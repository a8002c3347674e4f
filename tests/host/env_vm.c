// SPDX-License-Identifier: MIT
/*
 * A VM for tests: memory, slots, the model TLB and a model vCPU of L1. The walk of the
 * tables here is the processor's and shares nothing with mmu/ but the format's bits.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mmu/guest_mem.h"
#include "tests/host/env_internal.h"

struct arena {
	struct arena *next;
	void *map;
	size_t len;
};

struct translation {
	struct mmu *mmu;
	const u64 *root;
	u64 page; /* address >> 12 */
	u64 hpa;  /* of that 4K page */
	u64 *sptep;
	u64 spte;
	u64 tables[PT_MAX_LEVEL + 1]; /* passed on the way, 0: none */
	enum mmu_tree tree;
	bool read, write, exec, valid;
};

#define TLB_SIZE 4096
static struct translation tlb[TLB_SIZE];
static pthread_mutex_t tlb_guard = PTHREAD_MUTEX_INITIALIZER;
static struct arena *arenas;

/* --- memory and slots ------------------------------------------------------------------- */

void *env_guest_memory(size_t bytes)
{
	const size_t gig = LEVEL_SIZE(PG_LEVEL_1G);
	struct arena *a = malloc(sizeof(*a));

	a->len = ALIGN_UP(bytes, gig) + gig;
	a->map = mmap(NULL, a->len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->map == MAP_FAILED) {
		perror("mmap of guest memory");
		abort();
	}
	a->next = arenas;
	arenas = a;
	return (void *)ALIGN_UP((u64)a->map, gig);
}

void env_guest_free(void)
{
	while (arenas) {
		struct arena *a = arenas;

		arenas = a->next;
		munmap(a->map, a->len);
		free(a);
	}
}

static int piece_level(u64 gfn, u64 end, int level)
{
	while (level > 1 &&
	       (!IS_ALIGNED(gfn, LEVEL_PAGES(level)) || gfn + LEVEL_PAGES(level) > end))
		level--;
	return level;
}

struct memslot *env_slot(struct mmu *mmu, u16 id, u64 base, u64 npages, u32 flags, int level)
{
	u64 first = ALIGN_DOWN(base, LEVEL_PAGES(PG_LEVEL_1G));
	u64 memory = (u64)env_guest_memory((base + npages - first) * PAGE_SIZE);
	struct memslot *slot;

	if (memslot_add(mmu, id, (gfn_t){base}, npages, flags, &slot))
		return NULL;
	for (u64 gfn = base; gfn < base + npages;) {
		int l = piece_level(gfn, base + npages, level);

		if (memslot_set_piece(slot, (gfn_t){gfn},
				      (hpa_t){memory + (gfn - first) * PAGE_SIZE}, l))
			return NULL;
		gfn += LEVEL_PAGES(l);
	}
	return slot;
}

int env_mmu_make(struct mmu *mmu, const struct mmu_config *cfg)
{
	static const struct mmu_config npt = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.eager_page_split = true,
	};
	int err;

	memset(mmu, 0, sizeof(*mmu));
	err = mmu_init(mmu, cfg ? cfg : &npt, NULL);
	if (err)
		return err;
	env_watched = mmu;
	env_watch_root(mmu->tdp_root);
	return 0;
}

int env_mmu_end(struct mmu *mmu)
{
	int errors;

	env_fail_after(0);
	env_fail_from(0);
	errors = env_check_no_plain_stores() != 0;
	errors += mmu_destroy(mmu);
	env_watched = NULL;
	tlb_drop();
	if (env_live_allocs()) {
		fprintf(stderr, "%llu allocations leaked\n", (unsigned long long)env_live_allocs());
		errors++;
	}
	env_guest_free();
	return errors + (int)env_violations();
}

/* --- the processor's walk and its TLB --------------------------------------------------- */

static bool walk(struct mmu *mmu, const u64 *root, u64 addr, struct translation *t)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	u64 *table = (u64 *)root;

	*t = (struct translation){.mmu = mmu,
				  .root = root,
				  .page = addr >> 12,
				  .read = true,
				  .write = true,
				  .exec = true};
	for (int level = fmt->levels;; level--) {
		u64 *p = &table[(addr >> (3 + 9 * level)) & 511];
		u64 e = READ_ONCE(*p);

		if (!(e & fmt->present))
			return false;
		t->tables[level] = (u64)table;
		t->read &= !fmt->read || (e & fmt->read);
		t->write &= (e & fmt->write) != 0;
		t->exec &= fmt->exec ? (e & fmt->exec) != 0 : !(e & fmt->nx);
		if (level == 1 || (level <= 3 && (e & fmt->huge))) {
			u64 size = LEVEL_SIZE(level);

			t->hpa = (e & fmt->addr_mask & ~(size - 1)) |
				 (addr & (size - 1) & PAGE_MASK);
			t->sptep = p;
			t->spte = e;
			t->valid = true;
			return true;
		}
		table = (u64 *)(e & fmt->addr_mask);
	}
}

/* A changed entry means that the processor would walk again. */
static bool set_ad(struct mmu *mmu, struct translation *t, bool write)
{
	u64 bits = mmu->cfg.fmt->accessed | (write ? mmu->cfg.fmt->dirty : 0);

	if ((t->spte & bits) == bits)
		return true;
	if (READ_ONCE(*t->sptep) != t->spte)
		return false;
	env_hw_set(t->sptep, bits);
	t->spte |= bits;
	return true;
}

static struct translation *tlb_entry(const struct mmu *mmu, enum mmu_tree tree, const u64 *root,
				     u64 addr)
{
	u64 h = (addr >> 12) * 0x9e3779b97f4a7c15ull >> 52;

	for (u64 i = 0; i < 8; i++) {
		struct translation *t = &tlb[(h + i) % TLB_SIZE];

		if (t->valid && t->mmu == mmu && t->tree == tree && t->root == root &&
		    t->page == addr >> 12)
			return t;
	}
	return NULL;
}

static void tlb_insert(const struct translation *t, enum mmu_tree tree)
{
	u64 h = t->page * 0x9e3779b97f4a7c15ull >> 52;
	struct translation *place = tlb_entry(t->mmu, tree, t->root, t->page << 12);

	for (u64 i = 0; !place && i < 8; i++)
		if (!tlb[(h + i) % TLB_SIZE].valid)
			place = &tlb[(h + i) % TLB_SIZE];
	if (!place)
		place = &tlb[h];
	*place = *t;
	place->tree = tree;
}

bool tlb_touch_root(struct mmu *mmu, enum mmu_tree tree, const u64 *root, u64 addr)
{
	struct translation t;

	if (!walk(mmu, root, addr, &t))
		return false;
	pthread_mutex_lock(&tlb_guard);
	tlb_insert(&t, tree);
	pthread_mutex_unlock(&tlb_guard);
	return true;
}

bool tlb_touch(struct mmu *mmu, u64 addr)
{
	return tlb_touch_root(mmu, MMU_TREE_TDP, mmu->tdp_root, addr);
}

static bool grants_more(const struct translation *cached)
{
	struct translation now;

	if (!walk(cached->mmu, cached->root, cached->page << 12, &now))
		return true;
	return now.hpa != cached->hpa || (cached->write && !now.write) ||
	       (cached->exec && !now.exec) || (cached->read && !now.read);
}

u64 tlb_stale(struct mmu *mmu)
{
	u64 n = 0;

	for (int i = 0; i < TLB_SIZE; i++)
		n += tlb[i].valid && tlb[i].mmu == mmu && grants_more(&tlb[i]);
	return n;
}

u64 tlb_cached(struct mmu *mmu)
{
	u64 n = 0;

	for (int i = 0; i < TLB_SIZE; i++)
		n += tlb[i].valid && tlb[i].mmu == mmu;
	return n;
}

void tlb_drop(void)
{
	memset(tlb, 0, sizeof(tlb));
}

void tlb_flushed(struct mmu *mmu, u32 trees)
{
	pthread_mutex_lock(&tlb_guard);
	for (int i = 0; i < TLB_SIZE; i++)
		if (tlb[i].mmu == mmu && (trees & BIT(tlb[i].tree)))
			tlb[i].valid = false;
	pthread_mutex_unlock(&tlb_guard);
}

/* Paging-structure caches hold tables' addresses: none may be left when a table goes away. */
void tlb_page_freed(const void *page)
{
	for (int i = 0; i < TLB_SIZE; i++) {
		for (int level = 1; tlb[i].valid && level <= PT_MAX_LEVEL; level++) {
			if (tlb[i].tables[level] != (u64)page)
				continue;
			env_violation("table %p freed while the TLB may still walk it", page);
			tlb[i].valid = false;
		}
	}
}

/* --- a vCPU of L1 ----------------------------------------------------------------------- */

static int vcpu_access(struct mmu *mmu, u64 gpa, u64 error, void **hva)
{
	bool write = error & BIT(1), exec = error & BIT(4);

	for (int tries = 0; tries < 16; tries++) {
		struct translation t, *cached;
		bool present;
		int r;

		pthread_mutex_lock(&tlb_guard);
		cached = tlb_entry(mmu, MMU_TREE_TDP, mmu->tdp_root, gpa);
		if (cached)
			t = *cached;
		pthread_mutex_unlock(&tlb_guard);
		if (cached && (!write || t.write) && (!exec || t.exec)) {
			*hva = (void *)(t.hpa + (gpa & ~PAGE_MASK));
			return FAULT_FIXED;
		}
		present = walk(mmu, mmu->tdp_root, gpa, &t);
		if (present && (!write || t.write) && (!exec || t.exec)) {
			if (!set_ad(mmu, &t, write))
				continue;
			tlb_touch(mmu, gpa);
			*hva = (void *)(t.hpa + (gpa & ~PAGE_MASK));
			return FAULT_FIXED;
		}
		r = mmu_tdp_fault(mmu, (gpa_t){gpa}, error | (present ? BIT(0) : 0) | BIT(2));
		if (r != FAULT_FIXED)
			return r;
	}
	env_violation("gpa %llx faults again and again", (unsigned long long)gpa);
	return -EAGAIN;
}

int env_vcpu_read(struct mmu *mmu, u64 gpa, void *dst, size_t len)
{
	void *hva;
	int r = vcpu_access(mmu, gpa, 0, &hva);

	if (r == FAULT_FIXED)
		memcpy(dst, hva, len);
	return r;
}

int env_vcpu_write(struct mmu *mmu, u64 gpa, const void *src, size_t len)
{
	void *hva;
	int r = vcpu_access(mmu, gpa, BIT(1), &hva);

	if (r == FAULT_FIXED)
		memcpy(hva, src, len);
	else if (r == FAULT_EMULATE)
		r = guest_write(mmu, (gpa_t){gpa}, src, len) ? -EFAULT : FAULT_FIXED;
	return r;
}

int env_vcpu_fetch(struct mmu *mmu, u64 gpa)
{
	void *hva;

	return vcpu_access(mmu, gpa, BIT(4), &hva);
}

bool env_vcpu_write_cached(struct mmu *mmu, u64 gpa, const void *src, size_t len)
{
	struct translation *t = tlb_entry(mmu, MMU_TREE_TDP, mmu->tdp_root, gpa);

	if (!t || !t->write)
		return false;
	memcpy((void *)(t->hpa + (gpa & ~PAGE_MASK)), src, len);
	return true;
}
