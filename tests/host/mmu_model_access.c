// SPDX-License-Identifier: MIT
/* Accesses by L1 and L2, and what the model says of their results. */
#include <string.h>

#include "mmu/guest_mem.h"
#include "tests/host/mmu_model_internal.h"

bool model_load(int c, u64 root, bool sync)
{
	struct model_vcpu *vcpu = &m.vcpus[c];
	int r;

	if (m.mode.fmt->id != PT_FMT_PAE)
		root &= PAGE_MASK;
	vcpu->loading = true;
	r = nested_mmu_load(&m.v.mmu, &vcpu->n, &m.mode, (gpa_t){root}, sync);
	vcpu->loading = false;
	check(r == 0 || (r == -ENOMEM && m.starved));
	if (r)
		return false;
	vcpu->root = root;
	vcpu->mode = m.mode;
	env_watch_root(vcpu->n.root->spt);
	if (sync)
		model_synced(&m.tables);
	return true;
}

void model_enter(struct model_vcpu *vcpu)
{
	vcpu->entered = vcpu->n.root ? env_va(nested_mmu_root(&vcpu->n)) : NULL;
}

void model_l1_access(void)
{
	u64 gpa = model_data_gfn() << PAGE_SHIFT, value = model_value(gpa);
	u8 how = model_byte();
	int r;

	if (how & 1)
		r = env_vcpu_write(&m.v.mmu, gpa, &value, 8);
	else
		r = how & 2 ? env_vcpu_fetch(&m.v.mmu, gpa)
			    : env_vcpu_read(&m.v.mmu, gpa, &value, 8);
	check(r == FAULT_FIXED || (r == -ENOMEM && m.starved));
	if (r == FAULT_FIXED && (how & 1))
		model_wrote(gpa, 8);
}

/* --- what the model says ------------------------------------------------------------------ */

static bool in_ram(u64 gfn)
{
	return gfn < RAM_PAGES;
}

static bool in_rom(u64 gfn)
{
	return gfn - ROM_GFN < ROM_PAGES;
}

bool model_is_memory(u64 gfn)
{
	return in_ram(gfn) || in_rom(gfn);
}

static u64 gfn_of(const u8 *va)
{
	if (va >= m.rom && va < m.rom + ROM_PAGES * PAGE_SIZE)
		return ROM_GFN + ((u64)(va - m.rom) >> PAGE_SHIFT);
	check(va >= m.ram && in_ram((u64)(va - m.ram) >> PAGE_SHIFT));
	return (u64)(va - m.ram) >> PAGE_SHIFT;
}

bool model_grants(const struct model_vcpu *vcpu, u64 addr, u64 error, const u8 *va)
{
	u64 gfn = gfn_of(va);

	if (((u64)va ^ addr) & ~PAGE_MASK || (!in_ram(gfn) && (error & PFERR_W)))
		return false;
	return model_may_map(&m.tables, &vcpu->mode, vcpu->root, addr, error, gfn);
}

/* L1 was told of a fault: it must be one of the walk as the tables stand, or of the slots. */
static void check_reflected(const struct model_walk *w, const struct pt_mode *mode, u64 error,
			    const struct nested_fault *out, u64 addr)
{
	u64 asked = model_error(mode, error);

	check(out->addr == addr);
	if (!w->maps) {
		check(out->error == w->error);
	} else if (in_rom(w->gfn)) {
		check((error & PFERR_W) && out->error == (asked | PFERR_P));
	} else {
		check(!in_ram(w->gfn) && out->error == asked);
	}
}

/* Nothing changed since the flush: exactly this page, and A and D as promised. */
static void check_granted(const struct model_vcpu *vcpu, const struct model_walk *w, u64 addr,
			  u64 error, const u8 *va)
{
	check(model_grants(vcpu, addr, error, va));
	check(!w->fresh || (w->maps && w->ad && w->gfn == gfn_of(va)));
}

/* --- L2 ----------------------------------------------------------------------------------- */

/* L0 carries out what L2 stores in a table, or cannot and lets go of it. */
static void emulate(gpa_t gpa, bool cannot)
{
	u64 value, old = *(u64 *)(m.ram + gpa.v);

	if (cannot) {
		mmu_track_end(&m.v.mmu, gpa);
		return;
	}
	value = model_entry(gpa.v);
	if (value & BIT(63))
		check(guest_cmpxchg(&m.v.mmu, gpa, old, value, 8) == 0);
	else
		check(guest_write_entry(&m.v.mmu, gpa, value, 8) == 0);
	model_wrote(gpa.v, 8);
}

static void l2_result(const struct model_vcpu *vcpu, u64 addr, u64 error, int r, u8 *va,
		      const struct nested_fault *out, bool quiet)
{
	struct model_walk w = model_walk_now(&m.tables, &vcpu->mode, vcpu->root, addr, error);

	switch (r) {
	case FAULT_FIXED:
		check_granted(vcpu, &w, addr, error, va);
		m.used[m.next_used++ % USED] = addr;
		if (error & PFERR_W) {
			*(u64 *)va = model_value((u64)(va - m.ram));
			model_wrote((u64)(va - m.ram), 8);
		}
		break;
	case FAULT_EMULATE:
		check((error & PFERR_W) && model_table_at(&m.tables, out->gpa.v) < POOL_TABLES);
		check_granted(vcpu, &w, addr, error, m.ram + out->gpa.v);
		emulate(out->gpa, model_byte() & 1);
		break;
	case FAULT_REFLECT:
		if (quiet) /* else the tables may have said so a moment ago */
			check_reflected(&w, &vcpu->mode, error, out, addr);
		break;
	default:
		check(r == -ENOMEM && m.starved);
	}
}

/* Half of the accesses go where some went before, so that what was mapped is used again. */
static u64 used_address(u64 which)
{
	return m.used[which % USED];
}

void model_l2_access(void)
{
	static const u64 errors[4] = {0, PFERR_W, PFERR_W, PFERR_I};
	u8 how = model_byte();
	struct model_vcpu *vcpu = &m.vcpus[how & 1];
	u64 addr, error = errors[how >> 1 & 3], stores = m.stores;
	struct nested_fault out = {0};
	void *va = NULL;
	int r;

	/* A load lets others run, but this vCPU is at work in it. */
	if (vcpu->loading)
		return;
	if (!vcpu->n.root && (m.beside || !model_load(how & 1, vcpu->root, true)))
		return;
	addr = how & 0x80 ? used_address(how >> 4) : model_address(vcpu);
	r = nv_access_on(&m.v, &vcpu->n, addr, error, &va, &out);
	l2_result(vcpu, addr, error, r, va, &out, stores == m.stores);
}

/* --- writes that take no fault ------------------------------------------------------------ */

static u8 *l1_try(void)
{
	u64 addr = model_watched_gfn((int)(model_rnd() % WATCHED)) << PAGE_SHIFT;
	bool present;
	void *va;

	if (model_rnd() % 4) /* another entry of a table that was stored to */
		addr = m.stored[model_rnd() % USED] & PAGE_MASK;
	addr += (u64)pool_word[model_rnd() % POOL_WORDS] * 8;
	if (!cpu_access(&m.v.mmu, MMU_TREE_TDP, m.v.mmu.tdp_root, addr, PFERR_W, &va, &present))
		return NULL;
	check(va == m.ram + addr);
	return va;
}

static u8 *l2_try(void)
{
	struct model_vcpu *vcpu = &m.vcpus[model_rnd() % VCPUS];
	u64 addr = used_address(model_rnd());
	bool present;
	void *va;

	if (!vcpu->entered || model_rnd() % 2)
		model_enter(vcpu);
	if (vcpu->loading || !vcpu->entered ||
	    !cpu_access(&m.v.mmu, MMU_TREE_NESTED, vcpu->entered, addr, PFERR_W, &va, &present))
		return NULL;
	check(model_grants(vcpu, addr, PFERR_W, va));
	return va;
}

void model_try_write(void)
{
	u8 *va = model_rnd() % 2 ? l1_try() : l2_try();
	u64 gpa = (u64)(va - m.ram);
	bool beside = m.beside;

	/* L1 cannot flush now. */
	if (!va ||
	    (model_table_at(&m.tables, gpa) < POOL_TABLES && !model_has_room(&m.tables, gpa, 2)))
		return;
	m.beside = true;
	*(u64 *)va = model_value(gpa);
	m.beside = beside;
	model_wrote(gpa, 8);
}
