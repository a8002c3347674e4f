// SPDX-License-Identifier: MIT
/* A VM for tests: memory, slots, and a model vCPU of L1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mmu/guest_mem.h"
#include "mmu/pt_walk.h"
#include "tests/host/env_internal.h"

struct arena {
	struct arena *next;
	void *map;
	size_t len;
};

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

/* --- a vCPU of L1 ----------------------------------------------------------------------- */

static int vcpu_access(struct mmu *mmu, u64 gpa, u64 error, void **va)
{
	for (int tries = 0; tries < 16; tries++) {
		bool present;
		int r;

		if (cpu_access(mmu, MMU_TREE_TDP, mmu->tdp_root, gpa, error, va, &present))
			return FAULT_FIXED;
		r = mmu_tdp_fault(mmu, (gpa_t){gpa}, error | (present ? PFERR_P : 0) | PFERR_U);
		if (r != FAULT_FIXED)
			return r;
	}
	env_violation("gpa %llx faults again and again", (unsigned long long)gpa);
	return -EAGAIN;
}

int env_vcpu_read(struct mmu *mmu, u64 gpa, void *dst, size_t len)
{
	void *va;
	int r = vcpu_access(mmu, gpa, 0, &va);

	if (r == FAULT_FIXED)
		memcpy(dst, va, len);
	return r;
}

int env_vcpu_write(struct mmu *mmu, u64 gpa, const void *src, size_t len)
{
	void *va;
	int r = vcpu_access(mmu, gpa, PFERR_W, &va);

	if (r == FAULT_FIXED)
		memcpy(va, src, len);
	else if (r == FAULT_EMULATE)
		r = guest_write(mmu, (gpa_t){gpa}, src, len) ? -EFAULT : FAULT_FIXED;
	return r;
}

int env_vcpu_fetch(struct mmu *mmu, u64 gpa)
{
	void *va;

	return vcpu_access(mmu, gpa, PFERR_I, &va);
}

bool env_vcpu_try_write(struct mmu *mmu, u64 gpa, const void *src, size_t len)
{
	bool present;
	void *va;

	if (!cpu_access(mmu, MMU_TREE_TDP, mmu->tdp_root, gpa, PFERR_W, &va, &present))
		return false;
	memcpy(va, src, len);
	return true;
}
