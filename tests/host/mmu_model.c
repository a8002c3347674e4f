// SPDX-License-Identifier: MIT
/* Operations on a VM from a string of bytes, each checked against the model. See mmu_model.h. */
#include "tests/host/mmu_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/dirty_log.h"
#include "mmu/guest_mem.h"
#include "tests/host/mmu_model_walk.h"
#include "tests/host/nested_vm.h"

#define RAM_PAGES (5 * 512)
#define POOL_GFN  (4 * 512) /* L1's tables; the 2M they lie in can be mapped, too */
#define ROM_GFN	  0x2000
#define ROM_PAGES 512
#define REGIONS	  5
#define VCPUS	  2
#define ROOTS	  2
/* Indexes at which accesses happen inside of 2M. */
#define OFFSETS 4
static const u16 offsets[OFFSETS] = {0, 1, 63, 511};
#define WATCHED (REGIONS * OFFSETS + POOL_TABLES)

static struct nested_vm v;
static struct model_tables tables;
static struct model_mode mode;
static struct {
	struct nested_mmu n;
	int root;
	struct model_mode mode;
} vcpus[VCPUS];
static u8 *ram, *rom;
static const u8 *input;
static size_t left;
static u64 counter;
static bool starved;		/* allocations fail during this operation */
static u8 (*copies)[PAGE_SIZE]; /* of the watched pages, when their bits were last cleared */

#define check(x)                                                                \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

static u8 byte(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static u64 watched_gfn(int i)
{
	if (i < POOL_TABLES)
		return POOL_GFN + (u64)i;
	i -= POOL_TABLES;
	return (u64)(i / OFFSETS) * 512 + offsets[i % OFFSETS];
}

/* --- choices ------------------------------------------------------------------------------ */

static u64 some_address(void)
{
	static const u16 top[] = {0, 1, 2, 255}, l2[] = {0, 1, 4, 511};
	u8 a = byte(), b = byte();

	return (u64)top[a & 3] << 39 | (u64)top[a >> 2 & 3] << 30 | (u64)l2[a >> 4 & 3] << 21 |
	       (u64)offsets[a >> 6 & 3] << 12 | (u64)pool_index[b % POOL_INDEXES] << 3;
}

static u64 some_data_gfn(void)
{
	u8 b = byte();

	return (u64)(b % REGIONS) * 512 + offsets[b / REGIONS % OFFSETS];
}

static u64 some_entry(void)
{
	u8 kind = byte(), flags = byte();
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
		return e | E_PS | (u64)(byte() % REGIONS) * 512 << 12;
	case 8:
		return e | E_PS; /* of 1G if it stands at level 3 */
	default:
		return e | (POOL_GFN + (u64)byte() % POOL_TABLES) << 12;
	}
}

/* A value never written before, that is no present entry should the page be used as a table. */
static u64 next_value(void)
{
	return ++counter << 1;
}

/* --- operations --------------------------------------------------------------------------- */

static bool load(int c, int root, bool sync)
{
	struct pt_mode m = v.mode;
	int r;

	m.nx = mode.nx;
	m.ad = mode.ad;
	m.huge_1g = mode.huge_1g;
	r = nested_mmu_load(&v.mmu, &vcpus[c].n, &m, (gpa_t){(POOL_GFN + (u64)root) << 12}, sync);
	check(r == 0 || (r == -ENOMEM && starved));
	if (r)
		return false;
	vcpus[c].root = root;
	vcpus[c].mode = mode;
	env_watch_root(vcpus[c].n.root->spt);
	if (sync)
		model_synced(&tables);
	return true;
}

/* A table was written: while L1 may still rely on what was there, the model keeps both. */
static void wrote(u64 gpa)
{
	u64 gfn = gpa >> 12;

	if (gfn - POOL_GFN >= POOL_TABLES)
		return;
	if (model_note(&tables, gfn - POOL_GFN, gpa % PAGE_SIZE / 8))
		return;
	starved = false;
	env_fail_after(0);
	env_fail_from(0);
	check(load(0, vcpus[0].root, true));
}

static void op_store_entry(bool by_l0)
{
	u8 where = byte();
	u64 gpa = (POOL_GFN + (u64)where % POOL_TABLES) << 12, e = some_entry();
	int r;

	gpa += (u64)pool_index[where / POOL_TABLES % POOL_INDEXES] * 8;
	r = by_l0 ? guest_write(&v.mmu, (gpa_t){gpa}, &e, 8) : env_vcpu_write(&v.mmu, gpa, &e, 8);
	check(r == FAULT_FIXED || (r == -ENOMEM && starved));
	if (r == FAULT_FIXED)
		wrote(gpa);
}

static void op_l1_access(void)
{
	u64 gpa = some_data_gfn() << 12, value = next_value();
	u8 how = byte();
	int r;

	if (how & 1)
		r = env_vcpu_write(&v.mmu, gpa, &value, 8);
	else
		r = how & 2 ? env_vcpu_fetch(&v.mmu, gpa) : env_vcpu_read(&v.mmu, gpa, &value, 8);
	check(r == FAULT_FIXED || (r == -ENOMEM && starved));
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
	u64 gfn = (u64)(va - ram) >> 12;

	if (va >= rom && va < rom + ROM_PAGES * PAGE_SIZE) {
		gfn = ROM_GFN + ((u64)(va - rom) >> 12);
		check(!(error & PFERR_W));
	} else {
		check(va >= ram && in_ram(gfn));
	}
	check(((u64)va & 0xfff) == (addr & 0xfff));
	check(model_may_map(&tables, &vcpus[c].mode, POOL_GFN + (u64)vcpus[c].root, addr, error,
			    gfn));
	if (!w->fresh)
		return;
	/* Nothing changed since the flush: exactly this page, and A and D as promised. */
	check(w->result == MODEL_MAPS && w->gfn == gfn);
	if (vcpus[c].mode.ad)
		check((*w->leaf & E_A) && (!(error & PFERR_W) || (*w->leaf & E_D)));
}

static void op_l2_access(void)
{
	static const u64 errors[4] = {0, PFERR_W, PFERR_W, PFERR_I};
	u8 how = byte();
	int c = how & 1, r;
	u64 addr = some_address(), error = errors[how >> 1 & 3], value;
	struct nested_fault out = {0};
	struct model_walk w;
	void *va = NULL;

	if (!vcpus[c].n.root && !load(c, vcpus[c].root, true))
		return;
	w = model_walk_now(&tables, &vcpus[c].mode, POOL_GFN + (u64)vcpus[c].root, addr, error);
	v.n = vcpus[c].n;
	r = nv_access(&v, addr, error, &va, &out);
	vcpus[c].n = v.n;
	memset(&v.n, 0, sizeof(v.n));
	switch (r) {
	case FAULT_FIXED:
		check_granted(c, &w, addr, error, va);
		if (error & PFERR_W) {
			u64 gpa = (u64)((u8 *)va - ram);

			value = (gpa >> 12) - POOL_GFN < POOL_TABLES ? some_entry() : next_value();
			*(u64 *)va = value;
			wrote(gpa);
		}
		break;
	case FAULT_REFLECT:
		check_reflected(&w, error, &out, addr);
		break;
	case -EAGAIN:
		/* Only what writes an upper table that maps the write itself makes no headway. */
		check((error & PFERR_W) && w.gfn - POOL_GFN < POOL_TABLES &&
		      (w.tables & BIT(w.gfn - POOL_GFN)));
		break;
	default:
		check(r == -ENOMEM && starved);
	}
}

static void take_copies(void)
{
	for (int i = 0; i < WATCHED; i++)
		memcpy(copies[i], ram + watched_gfn(i) * PAGE_SIZE, PAGE_SIZE);
}

static void op_log(bool on)
{
	int r;

	if (!on) {
		dirty_log_disable(&v.mmu, v.slot);
		return;
	}
	if (v.slot->dirty_bitmap)
		return;
	r = dirty_log_enable(&v.mmu, v.slot, byte() & 1 ? DIRTY_INITIALLY_SET : DIRTY_PROTECT_ALL);
	check(r == 0 || (r == -ENOMEM && starved));
	if (!r)
		take_copies();
}

static void op_read_clear(void)
{
	u8 b = byte();
	u64 first = (u64)(b % 40) * 64, npages = b & 0x80 ? RAM_PAGES - first : 64;
	u64 out[RAM_PAGES / 64];

	if (!v.slot->dirty_bitmap)
		return;
	dirty_log_read_clear(&v.mmu, v.slot, first, npages, out);
	for (int i = 0; i < WATCHED; i++) {
		u64 gfn = watched_gfn(i), n = gfn - first;
		const u8 *now = ram + gfn * PAGE_SIZE;

		if (n >= npages || !memcmp(copies[i], now, PAGE_SIZE))
			continue;
		check(out[n / 64] & BIT(n % 64));
		memcpy(copies[i], now, PAGE_SIZE);
	}
}

static void op_resize(bool split)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u8 what = byte();
	u64 start = (u64)(what % 8) * 512, end = what & 0x80 ? RAM_PAGES : start + 512;
	int r = 0;

	start = MIN(start, (u64)RAM_PAGES - 512);
	end = MIN(end, (u64)RAM_PAGES);
	nv_lock(&v);
	if (split)
		r = nested_split_range(&v.mmu, v.slot, start, end, &b);
	else
		nested_recover_range(&v.mmu, v.slot, start, end, &b);
	check(r == 0 || r == -ENOSPC || (r == -ENOMEM && starved));
	nv_unlock(&v, &b);
}

static void op_pressure(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u8 what = byte();

	nv_lock(&v);
	if (what & 1)
		shadow_zap_all(&v.mmu, &b);
	else if (what & 2)
		(void)!shadow_make_room(&v.mmu, what % 24, &b);
	else
		shadow_zap_range(&v.mmu, v.slot, (what & 4) * 128, RAM_PAGES, &b);
	nv_unlock(&v, &b);
	if (what & 0x40)
		split_caches_release(&v.mmu);
}

static void op_mode(void)
{
	u8 b = byte();

	mode = (struct model_mode){.nx = b & 1, .ad = b & 2, .huge_1g = b & 4};
	load(b >> 3 & 1, b >> 4 & 1, true);
}

static void op_starve(void)
{
	u8 b = byte();

	starved = true;
	if (b & 0x80)
		env_fail_from(1 + b % 16);
	else
		env_fail_after(1 + b % 16);
}

static void operation(void)
{
	u8 op = byte(), b;

	switch (op % 32) {
	case 0 ... 7:
		op_store_entry(op & 0x80);
		break;
	case 8 ... 17:
		op_l2_access();
		break;
	case 18:
		op_l1_access();
		break;
	case 19 ... 20:
		b = byte();
		load(b & 1, b >> 1 & 1, b & 0x3c);
		break;
	case 21:
		nested_mmu_unload(&v.mmu, &vcpus[byte() & 1].n);
		break;
	case 22:
		op_log(true);
		break;
	case 23:
		op_log(false);
		break;
	case 24 ... 25:
		op_read_clear();
		break;
	case 26:
		op_resize(true);
		break;
	case 27:
		op_resize(false);
		break;
	case 28:
		op_pressure();
		break;
	case 29:
		op_mode();
		break;
	case 30:
		mmu_set_eager_split(&v.mmu, op & 0x80);
		break;
	default:
		env_contend_after(byte() % 4);
	}
}

/* --- a run -------------------------------------------------------------------------------- */

/* A first set of tables, so that short inputs get somewhere: all levels, all sizes. */
static void first_tables(void)
{
	u64 *pool = tables.memory;
	u64 flags = E_P | E_W | E_U;

	for (int root = 0; root < ROOTS; root++) {
		pool[root * 512] = (POOL_GFN + 2) << 12 | flags;
		pool[root * 512 + 1] = (POOL_GFN + 3) << 12 | flags;
	}
	pool[2 * 512] = (POOL_GFN + 4) << 12 | flags;
	pool[2 * 512 + 1] = (POOL_GFN + 5) << 12 | flags;
	pool[3 * 512] = flags | E_PS; /* 1G */
	pool[3 * 512 + 1] = (POOL_GFN + 5) << 12 | flags;
	pool[4 * 512] = flags | E_PS;
	pool[4 * 512 + 1] = (POOL_GFN + 6) << 12 | flags;
	pool[5 * 512] = flags | E_PS; /* the same memory again */
	pool[5 * 512 + 1] = 512 << 12 | flags | E_PS;
	pool[6 * 512] = 1ull << 12 | flags;
	pool[6 * 512 + 63] = (POOL_GFN + 6) << 12 | flags; /* the table itself */
}

static void start(void)
{
	static const u8 limits[4] = {0, 8, 16, 32};
	u8 b = byte();
	struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = 1 + b % 3,
		.eager_page_split = b & 0x10,
		.nx_huge_pages = (b & 0x60) == 0x60,
		.max_shadow_pages = limits[b >> 2 & 3],
	};
	struct memslot *slot;

	if (cfg.max_leaf_level == 1 && !(b & 0x80))
		cfg.max_leaf_level = PG_LEVEL_1G;
	nv_start(&v, RAM_PAGES, PG_LEVEL_2M, &cfg);
	slot = env_slot(&v.mmu, 1, ROM_GFN, ROM_PAGES, MEMSLOT_READONLY, PG_LEVEL_2M);
	check(slot);
	ram = nv_va(&v, 0);
	rom = env_va(memslot_hpa(slot, slot->base, NULL));
	memset(vcpus, 0, sizeof(vcpus));
	memset(&tables, 0, sizeof(tables));
	tables.first_gfn = POOL_GFN;
	tables.memory = (u64 *)(ram + POOL_GFN * PAGE_SIZE);
	mode = (struct model_mode){.nx = true, .ad = true, .huge_1g = true};
	first_tables();
	model_synced(&tables);
	starved = false;
	counter = 0;
}

u64 mmu_model_run(const u8 *data, size_t size)
{
	u64 operations = 0;

	if (!copies)
		copies = malloc(WATCHED * PAGE_SIZE);
	input = data;
	left = size;
	start();
	while (left) {
		bool starve = left > 1 && *input == 0xff;

		if (starve) {
			byte();
			op_starve();
		}
		operation();
		starved = false;
		env_fail_after(0);
		env_fail_from(0);
		check(nv_faults(&v) == 0);
		operations++;
	}
	dirty_log_disable(&v.mmu, v.slot);
	for (int c = 0; c < VCPUS; c++)
		nested_mmu_free(&v.mmu, &vcpus[c].n);
	check(nv_end(&v) == 0);
	return operations;
}
