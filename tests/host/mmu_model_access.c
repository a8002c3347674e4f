// SPDX-License-Identifier: MIT
/* Accesses by L1 and L2, and what the model says of their results. */
#include <string.h>

#include "mmu/guest_mem.h"
#include "tests/host/mmu_model_internal.h"

/* --- choices ------------------------------------------------------------------------------ */

static u64 some_address(void)
{
	static const u16 top[] = {0, 1, 2, 255}, l2[] = {0, 1, 4, 511};
	u8 a = model_byte(), b = model_byte();

	return (u64)top[a & 3] << 39 | (u64)top[a >> 2 & 3] << 30 | (u64)l2[a >> 4 & 3] << 21 |
	       (u64)model_offset[a >> 6 & 3] << 12 | (u64)pool_index[b % POOL_INDEXES] << 3;
}

static u64 some_data_gfn(void)
{
	u8 b = model_byte();

	return (u64)(b % REGIONS) * 512 + model_offset[b / REGIONS % OFFSETS];
}

static u64 some_entry(void)
{
	u8 kind = model_byte(), flags = model_byte();
	u64 e = E_P | E_U | E_W | (flags & 3 ? 0 : E_A | E_D);

	if ((flags & 0x0c) == 0x0c)
		e &= ~E_W;
	if ((flags & 0x30) == 0x30)
		e |= E_NX;
	if ((flags & 0xc0) == 0xc0)
		e ^= flags & 1 ? E_A : E_U;
	switch (kind % 12) {
	case 0:
		return 0;
	case 1:
		return e | BIT(45) | some_data_gfn() << 12; /* reserved */
	case 2:
		return e | (u64)(RAM_PAGES + 7) << 12; /* no memory there */
	case 3:
		return e | (ROM_GFN << 12) | (kind & 0x80 ? E_PS : 0);
	case 4:
	case 5:
		return e | some_data_gfn() << 12;
	case 6:
	case 7:
		return e | E_PS | (u64)(model_byte() % REGIONS) * 512 << 12;
	case 8:
		return e | E_PS; /* of 1G if it stands at level 3 */
	default:
		return e | (POOL_GFN + (u64)model_byte() % POOL_TABLES) << 12;
	}
}

/* A value never written before, that is no present entry should the page be used as a table. */
static u64 next_value(void)
{
	return ++m.counter << 1;
}

/* --- operations --------------------------------------------------------------------------- */

bool model_load(int c, int root, bool sync)
{
	struct pt_mode pt = m.v.mode;
	int r;

	pt.nx = m.mode.nx;
	pt.ad = m.mode.ad;
	pt.huge_1g = m.mode.huge_1g;
	r = nested_mmu_load(&m.v.mmu, &m.vcpus[c].n, &pt, (gpa_t){(POOL_GFN + (u64)root) << 12},
			    sync);
	check(r == 0 || (r == -ENOMEM && m.starved));
	if (r)
		return false;
	m.vcpus[c].root = root;
	m.vcpus[c].mode = m.mode;
	env_watch_root(m.vcpus[c].n.root->spt);
	if (sync)
		model_synced(&m.tables);
	return true;
}

/* A table was written: while L1 may still rely on what was there, the model keeps both. */
static void wrote(u64 gpa)
{
	u64 gfn = gpa >> 12;

	if (gfn - POOL_GFN >= POOL_TABLES)
		return;
	if (model_note(&m.tables, gfn - POOL_GFN, gpa % PAGE_SIZE / 8))
		return;
	m.starved = false;
	env_fail_after(0);
	env_fail_from(0);
	check(model_load(0, m.vcpus[0].root, true));
}

void model_store_entry(bool by_l0)
{
	u8 where = model_byte();
	u64 gpa = (POOL_GFN + (u64)where % POOL_TABLES) << 12, e = some_entry();
	int r;

	gpa += (u64)pool_index[where / POOL_TABLES % POOL_INDEXES] * 8;
	r = by_l0 ? guest_write(&m.v.mmu, (gpa_t){gpa}, &e, 8)
		  : env_vcpu_write(&m.v.mmu, gpa, &e, 8);
	check(r == FAULT_FIXED || (r == -ENOMEM && m.starved));
	if (r == FAULT_FIXED)
		wrote(gpa);
}

void model_l1_access(void)
{
	u64 gpa = some_data_gfn() << 12, value = next_value();
	u8 how = model_byte();
	int r;

	if (how & 1)
		r = env_vcpu_write(&m.v.mmu, gpa, &value, 8);
	else
		r = how & 2 ? env_vcpu_fetch(&m.v.mmu, gpa)
			    : env_vcpu_read(&m.v.mmu, gpa, &value, 8);
	check(r == FAULT_FIXED || (r == -ENOMEM && m.starved));
	if (r == FAULT_FIXED && (how & 1))
		wrote(gpa);
}

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

/* L1 was told of a fault: it must be one of the walk as the tables stand, or of the slots. */
static void check_reflected(const struct model_walk *w, u64 error, const struct nested_fault *out,
			    u64 addr)
{
	u64 asked = PFERR_U | (error & (PFERR_W | PFERR_I));

	check(out->addr == addr);
	if (w->result == MODEL_FAULT) {
		check(out->error == w->error);
	} else if (in_rom(w->gfn)) {
		check((error & PFERR_W) && out->error == (asked | PFERR_P));
	} else {
		check(!in_ram(w->gfn) && out->error == asked);
	}
}

static void check_granted(int c, const struct model_walk *w, u64 addr, u64 error, const u8 *va)
{
	u64 gfn = (u64)(va - m.ram) >> 12;

	if (va >= m.rom && va < m.rom + ROM_PAGES * PAGE_SIZE) {
		gfn = ROM_GFN + ((u64)(va - m.rom) >> 12);
		check(!(error & PFERR_W));
	} else {
		check(va >= m.ram && in_ram(gfn));
	}
	check(((u64)va & 0xfff) == (addr & 0xfff));
	check(model_may_map(&m.tables, &m.vcpus[c].mode, POOL_GFN + (u64)m.vcpus[c].root, addr,
			    error, gfn));
	if (!w->fresh)
		return;
	/* Nothing changed since the flush: exactly this page, and A and D as promised. */
	check(w->result == MODEL_MAPS && w->gfn == gfn);
	if (m.vcpus[c].mode.ad)
		check((*w->leaf & E_A) && (!(error & PFERR_W) || (*w->leaf & E_D)));
}

/* L0 carries out what L2 stores in a table, or cannot and lets go of it. */
static void emulate(gpa_t gpa, bool cannot)
{
	u64 value, old = *(u64 *)(m.ram + gpa.v);

	if (cannot) {
		mmu_track_end(&m.v.mmu, gpa);
		return;
	}
	value = some_entry();
	if (value & E_NX)
		check(guest_cmpxchg(&m.v.mmu, gpa, old, value, 8) == 0);
	else
		check(guest_write_entry(&m.v.mmu, gpa, value, 8) == 0);
	wrote(gpa.v);
}

/* Half of the accesses go where some went before, so that what was mapped is used again. */
static u64 used_address(u8 which)
{
	return m.used[which % USED];
}

void model_l2_access(void)
{
	static const u64 errors[4] = {0, PFERR_W, PFERR_W, PFERR_I};
	u8 how = model_byte();
	int c = how & 1, r;
	u64 addr = how & 0x80 ? used_address(how >> 4 & 7) : some_address(),
	    error = errors[how >> 1 & 3], value;
	struct nested_fault out = {0};
	struct model_walk w;
	void *va = NULL;

	if (!m.vcpus[c].n.root && !model_load(c, m.vcpus[c].root, true))
		return;
	w = model_walk_now(&m.tables, &m.vcpus[c].mode, POOL_GFN + (u64)m.vcpus[c].root, addr,
			   error);
	m.v.n = m.vcpus[c].n;
	r = nv_access(&m.v, addr, error, &va, &out);
	m.vcpus[c].n = m.v.n;
	memset(&m.v.n, 0, sizeof(m.v.n));
	switch (r) {
	case FAULT_FIXED:
		check_granted(c, &w, addr, error, va);
		m.used[m.next_used++ % USED] = addr;
		if (error & PFERR_W) {
			u64 gpa = (u64)((u8 *)va - m.ram);

			value = (gpa >> 12) - POOL_GFN < POOL_TABLES ? some_entry() : next_value();
			*(u64 *)va = value;
			wrote(gpa);
		}
		break;
	case FAULT_EMULATE:
		check((error & PFERR_W) && (out.gpa.v & 0xfff) == (addr & 0xfff));
		check((out.gpa.v >> 12) - POOL_GFN < POOL_TABLES);
		check_granted(c, &w, addr, error, m.ram + out.gpa.v);
		emulate(out.gpa, how & 0x80);
		break;
	case FAULT_REFLECT:
		check_reflected(&w, error, &out, addr);
		break;
	default:
		check(r == -ENOMEM && m.starved);
	}
}
