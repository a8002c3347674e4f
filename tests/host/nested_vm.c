// SPDX-License-Identifier: MIT
/* An L1 with nested tables and an L2 under them, for the tests of the shadow MMU. */
#include "tests/host/nested_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/audit.h"
#include "mmu/guest_mem.h"
#include "tests/host/env_internal.h"

#define need(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

void nv_start(struct nested_vm *v, u64 npages, int level, const struct mmu_config *cfg)
{
	memset(v, 0, sizeof(*v));
	env_reset();
	need(env_mmu_make(&v->mmu, cfg) == 0);
	v->slot = env_slot(&v->mmu, 0, 0, npages, 0, level);
	need(v->slot);
	v->next_table = npages;
	v->mode = (struct pt_mode){
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 40,
		.nx = true,
		.huge_1g = true,
		.wp = true,
		.ad = true,
	};
}

void nv_use(struct nested_vm *v)
{
	v->root.v = nv_table(v);
	nv_load(v, true);
}

void nv_make(struct nested_vm *v, u64 npages, int level, const struct mmu_config *cfg)
{
	nv_start(v, npages, level, cfg);
	nv_use(v);
}

int nv_end(struct nested_vm *v)
{
	env_fail_after(0);
	env_fail_from(0);
	nested_mmu_free(&v->mmu, &v->n);
	return env_mmu_end(&v->mmu);
}

void *nv_va(struct nested_vm *v, u64 gpa)
{
	struct memslot *slot = memslot_find(&v->mmu, (gfn_t){gpa >> PAGE_SHIFT});

	need(slot);
	return (char *)env_va(memslot_hpa(slot, (gfn_t){gpa >> PAGE_SHIFT}, NULL)) +
	       gpa % PAGE_SIZE;
}

u64 nv_table(struct nested_vm *v)
{
	u64 gpa = --v->next_table << PAGE_SHIFT;

	memset(nv_va(v, gpa), 0, PAGE_SIZE);
	return gpa;
}

static void l1_store(struct nested_vm *v, u64 gpa, u64 value)
{
	need(env_vcpu_write(&v->mmu, gpa, &value, sizeof(value)) == FAULT_FIXED);
}

static u64 index_of(u64 addr, int level)
{
	return addr >> LEVEL_SHIFT(level) & 511;
}

u64 nv_entry_gpa(struct nested_vm *v, gpa_t root, u64 addr, int level)
{
	u64 table = root.v;

	for (int l = v->mode.fmt->levels; l > level; l--) {
		u64 gpa = table + index_of(addr, l) * 8, entry = *(u64 *)nv_va(v, gpa);

		if (!(entry & L1_P) || (entry & L1_PS)) {
			entry = nv_table(v) | L1_RWX;
			l1_store(v, gpa, entry);
		}
		table = entry & GENMASK(51, 12);
	}
	return table + index_of(addr, level) * 8;
}

void nv_set_entry(struct nested_vm *v, u64 addr, int level, u64 value)
{
	l1_store(v, nv_entry_gpa(v, v->root, addr, level), value);
}

u64 nv_entry(struct nested_vm *v, u64 addr, int level)
{
	return *(u64 *)nv_va(v, nv_entry_gpa(v, v->root, addr, level));
}

void nv_map(struct nested_vm *v, u64 addr, u64 gfn, int level, u64 flags)
{
	nv_set_entry(v, addr, level, gfn << PAGE_SHIFT | flags | (level > 1 ? L1_PS : 0));
}

void nv_load(struct nested_vm *v, bool sync)
{
	need(nested_mmu_load(&v->mmu, &v->n, &v->mode, v->root, sync) == 0);
	env_watch_root(v->n.root->spt);
}

/* Where the processor's walk begins. */
static u64 *hw_root(const struct nested_mmu *n)
{
	return env_va(nested_mmu_root(n));
}

u64 *nv_sptep(struct nested_vm *v, u64 addr, int level)
{
	u64 *table = hw_root(&v->n);

	for (int l = v->mmu.cfg.fmt->levels; l > level; l--) {
		u64 spte = table[index_of(addr, l)];

		if (!spte_present(&v->mmu, spte) || spte_is_leaf(&v->mmu, spte, l))
			return NULL;
		table = env_va(spte_hpa(&v->mmu, spte));
	}
	return &table[index_of(addr, level)];
}

int nv_level(struct nested_vm *v, u64 addr)
{
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) {
		u64 *sptep = nv_sptep(v, addr, level);

		if (sptep)
			return spte_is_leaf(&v->mmu, *sptep, level) ? level : 0;
	}
	return 0;
}

struct shadow_page *nv_sp(struct nested_vm *v, u64 addr, int level)
{
	u64 *sptep = nv_sptep(v, addr, level);

	return sptep ? sptep_to_sp(sptep) : NULL;
}

int nv_access_on(struct nested_vm *v, struct nested_mmu *n, u64 addr, u64 error, void **va,
		 struct nested_fault *out)
{
	for (int tries = 0; tries < 16; tries++) {
		bool present;
		int r;

		if (cpu_access(&v->mmu, MMU_TREE_NESTED, hw_root(n), addr, error, va, &present))
			return FAULT_FIXED;
		r = mmu_nested_fault(&v->mmu, n, (ngpa_t){addr},
				     error | PFERR_U | (present ? PFERR_P : 0), out);
		if (n->root)
			env_watch_root(n->root->spt);
		if (r != FAULT_FIXED)
			return r;
	}
	env_violation("ngpa %llx faults again and again", (unsigned long long)addr);
	return -EAGAIN;
}

int nv_access(struct nested_vm *v, u64 addr, u64 error, void **va, struct nested_fault *out)
{
	struct nested_fault ignored;
	void *unused;

	return nv_access_on(v, &v->n, addr, error, va ? va : &unused, out ? out : &ignored);
}

int nv_read(struct nested_vm *v, u64 addr)
{
	return nv_access(v, addr, 0, NULL, NULL);
}

int nv_fetch(struct nested_vm *v, u64 addr)
{
	return nv_access(v, addr, PFERR_I, NULL, NULL);
}

int nv_write(struct nested_vm *v, u64 addr, u64 value)
{
	struct nested_fault out;
	void *va;
	int r = nv_access(v, addr, PFERR_W, &va, &out);

	if (r == FAULT_FIXED)
		*(u64 *)va = value;
	else if (r == FAULT_EMULATE)
		r = guest_write_entry(&v->mmu, out.gpa, value, 8) ? -EFAULT : FAULT_FIXED;
	return r;
}

void nv_lock(struct nested_vm *v)
{
	mutex_lock(&v->mmu.slots_lock);
	rwlock_write_lock(&v->mmu.lock);
}

void nv_unlock(struct nested_vm *v, struct flush_batch *b)
{
	flush_pay(&v->mmu, b);
	rwlock_write_unlock(&v->mmu.lock);
	mutex_unlock(&v->mmu.slots_lock);
}

int nv_split(struct nested_vm *v, u64 start, u64 end)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	int r;

	nv_lock(v);
	r = nested_split_range(&v->mmu, v->slot, start, end, &b);
	v->owed = b.owed;
	nv_unlock(v, &b);
	return r;
}

u64 nv_faults(struct nested_vm *v)
{
	struct audit a = {0};
	u64 audit = mmu_audit(&v->mmu, &a), stale = tlb_stale(&v->mmu);
	u64 plain = env_check_no_plain_stores();

	if (audit)
		fprintf(stderr, "audit: %s\n", a.first);
	if (stale)
		fprintf(stderr, "%llu stale translations\n", (unsigned long long)stale);
	return audit + stale + plain + env_violations() + env_warnings();
}
