// SPDX-License-Identifier: MIT
/* Operations on a VM from a string of bytes, each checked against the model. See mmu_model.h. */
#include "tests/host/mmu_model.h"

#include <string.h>

#include "mmu/dirty_log.h"
#include "tests/host/mmu_model_internal.h"

#define WATCHED (REGIONS * OFFSETS + POOL_TABLES)

const u16 model_offset[OFFSETS] = {0, 1, 63, 511};
struct model m;
/* Of the watched pages, when their bits were last cleared. */
static u8 (*copies)[PAGE_SIZE];

u8 model_byte(void)
{
	if (!m.left)
		return 0;
	m.left--;
	return *m.input++;
}

static u64 watched_gfn(int i)
{
	if (i < POOL_TABLES)
		return POOL_GFN + (u64)i;
	i -= POOL_TABLES;
	return (u64)(i / OFFSETS) * 512 + model_offset[i % OFFSETS];
}

static void take_copies(void)
{
	for (int i = 0; i < WATCHED; i++)
		memcpy(copies[i], m.ram + watched_gfn(i) * PAGE_SIZE, PAGE_SIZE);
}

static void op_log(bool on)
{
	int r;

	if (!on) {
		dirty_log_disable(&m.v.mmu, m.v.slot);
		return;
	}
	if (m.v.slot->dirty_bitmap)
		return;
	r = dirty_log_enable(&m.v.mmu, m.v.slot,
			     model_byte() & 1 ? DIRTY_INITIALLY_SET : DIRTY_PROTECT_ALL);
	check(r == 0 || (r == -ENOMEM && m.starved));
	if (!r)
		take_copies();
}

static void op_read_clear(void)
{
	u8 b = model_byte();
	u64 first = (u64)(b % 40) * 64, npages = b & 0x80 ? RAM_PAGES - first : 64;
	u64 out[RAM_PAGES / 64];

	if (!m.v.slot->dirty_bitmap)
		return;
	dirty_log_read_clear(&m.v.mmu, m.v.slot, first, npages, out);
	for (int i = 0; i < WATCHED; i++) {
		u64 gfn = watched_gfn(i), n = gfn - first;
		const u8 *now = m.ram + gfn * PAGE_SIZE;

		if (n >= npages || !memcmp(copies[i], now, PAGE_SIZE))
			continue;
		check(out[n / 64] & BIT(n % 64));
		memcpy(copies[i], now, PAGE_SIZE);
	}
}

static void op_resize(bool split)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u8 what = model_byte();
	u64 start = (u64)(what % 8) * 512, end = what & 0x80 ? RAM_PAGES : start + 512;
	int r = 0;

	start = MIN(start, (u64)RAM_PAGES - 512);
	end = MIN(end, (u64)RAM_PAGES);
	nv_lock(&m.v);
	if (split)
		r = nested_split_range(&m.v.mmu, m.v.slot, start, end, &b);
	else
		nested_recover_range(&m.v.mmu, m.v.slot, start, end, &b);
	check(r == 0 || r == -ENOSPC || (r == -ENOMEM && m.starved));
	nv_unlock(&m.v, &b);
}

static void op_pressure(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u8 what = model_byte();

	nv_lock(&m.v);
	if (what & 1)
		shadow_zap_all(&m.v.mmu, &b);
	else if (what & 2)
		(void)!shadow_make_room(&m.v.mmu, what % 24, &b);
	else
		shadow_zap_range(&m.v.mmu, m.v.slot, (what & 4) * 128, RAM_PAGES, &b);
	nv_unlock(&m.v, &b);
	if (what & 0x40)
		split_caches_release(&m.v.mmu);
}

static void op_mode(void)
{
	u8 b = model_byte();

	m.mode = (struct model_mode){.nx = b & 1, .ad = b & 2, .huge_1g = b & 4};
	model_load(b >> 3 & 1, b >> 4 & 1, true);
}

static void op_starve(void)
{
	u8 b = model_byte();

	m.starved = true;
	if (b & 0x80)
		env_fail_from(1 + b % 16);
	else
		env_fail_after(1 + b % 16);
}

static void operation(void)
{
	u8 op = model_byte(), b;

	switch (op % 32) {
	case 0 ... 7:
		model_store_entry(op & 0x80);
		break;
	case 8 ... 17:
		model_l2_access();
		break;
	case 18:
		model_l1_access();
		break;
	case 19 ... 20:
		b = model_byte();
		model_load(b & 1, b >> 1 & 1, b & 0x3c);
		break;
	case 21:
		nested_mmu_unload(&m.v.mmu, &m.vcpus[model_byte() & 1].n);
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
		mmu_set_eager_split(&m.v.mmu, op & 0x80);
		break;
	default:
		env_contend_after(model_byte() % 4);
	}
}

/* --- a run -------------------------------------------------------------------------------- */

/* A first set of tables, so that short inputs get somewhere: all levels, all sizes. */
static void first_tables(void)
{
	u64 *pool = m.tables.memory;
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
	u8 b = model_byte();
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
	nv_start(&m.v, RAM_PAGES, PG_LEVEL_2M, &cfg);
	slot = env_slot(&m.v.mmu, 1, ROM_GFN, ROM_PAGES, MEMSLOT_READONLY, PG_LEVEL_2M);
	check(slot);
	m.ram = nv_va(&m.v, 0);
	m.rom = env_va(memslot_hpa(slot, slot->base, NULL));
	memset(m.vcpus, 0, sizeof(m.vcpus));
	memset(&m.tables, 0, sizeof(m.tables));
	m.tables.first_gfn = POOL_GFN;
	m.tables.memory = (u64 *)(m.ram + POOL_GFN * PAGE_SIZE);
	m.mode = (struct model_mode){.nx = true, .ad = true, .huge_1g = true};
	first_tables();
	model_synced(&m.tables);
	m.starved = false;
	m.counter = 0;
	memset(m.used, 0, sizeof(m.used));
	m.next_used = 0;
}

u64 mmu_model_run(const u8 *data, size_t size)
{
	u64 operations = 0;

	if (!copies)
		copies = malloc(WATCHED * PAGE_SIZE);
	m.input = data;
	m.left = size;
	start();
	while (m.left) {
		bool starve = m.left > 1 && *m.input == 0xff;

		if (starve) {
			model_byte();
			op_starve();
		}
		operation();
		m.starved = false;
		env_fail_after(0);
		env_fail_from(0);
		check(nv_faults(&m.v) == 0);
		operations++;
	}
	dirty_log_disable(&m.v.mmu, m.v.slot);
	for (int c = 0; c < VCPUS; c++)
		nested_mmu_free(&m.v.mmu, &m.vcpus[c].n);
	check(nv_end(&m.v) == 0);
	return operations;
}
