// SPDX-License-Identifier: MIT
/* Operations on a VM from a string of bytes, each checked against the model. See mmu_model.h. */
#include "tests/host/mmu_model.h"

#include <string.h>

#include "mmu/reclaim.h"
#include "tests/host/mmu_model_internal.h"

const u16 model_offset[OFFSETS] = {0, 1, 63, 511};
struct model m;

u64 model_rnd(void)
{
	m.seed = m.seed * 6364136223846793005ull + 1442695040888963407ull;
	return m.seed >> 32;
}

u8 model_byte(void)
{
	if (m.beside)
		return (u8)model_rnd();
	if (!m.left)
		return 0;
	m.left--;
	return *m.input++;
}

u64 model_watched_gfn(int i)
{
	if (i < POOL_TABLES)
		return POOL_GFN + (u64)i;
	i -= POOL_TABLES;
	return (u64)(i / OFFSETS) * 512 + model_offset[i % OFFSETS];
}

static void op_noise(void)
{
	u8 b = model_byte();

	if (b & 0x80)
		m.noise = b & NOISE_ALL;
	env_contend_after(b >> 5 & 3);
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
	if (what & 0x20)
		(void)mmu_reclaim(&m.v.mmu, what % 16);
}

/* The formats that L1 may use where L0's own is the first of a row; -1 ends it. */
static const int formats[4][6] = {
	{PT_FMT_LONG4, PT_FMT_LONG4, PT_FMT_PAE, PT_FMT_32, PT_FMT_LONG5, -1},
	{PT_FMT_LONG5, PT_FMT_LONG5, PT_FMT_LONG4, PT_FMT_PAE, -1},
	{PT_FMT_EPT4, PT_FMT_EPT4, -1},
	{PT_FMT_EPT5, PT_FMT_EPT5, PT_FMT_EPT4, -1},
};
static int host; /* the row */

static struct pt_mode some_mode(u8 b)
{
	int n = 1;

	while (formats[host][n] >= 0)
		n++;
	n = 1 + (b >> 4) % (n - 1);
	return (struct pt_mode){
		.fmt = &pt_formats[formats[host][n]],
		.maxphyaddr = 40,
		.nx = (b & 1) && formats[host][n] != PT_FMT_32,
		.ad = b & 2,
		.huge_1g = b & 4,
		.pse = b & 8,
		.wp = true,
	};
}

/* A root that @b picks; the four PDPTEs of PAE need not start a page. */
static u64 some_root(u8 b)
{
	static const u16 pdpt[] = {0, 0, 1, 15};
	u64 root = (POOL_GFN + (b & 1)) << PAGE_SHIFT;

	return m.mode.fmt->id == PT_FMT_PAE ? root + pdpt[b >> 1 & 3] * 32u : root;
}

static void op_load(void)
{
	u8 b = model_byte();

	model_load(b & 1, some_root(b >> 4), b & 0xe);
}

static void op_mode(void)
{
	u8 b = model_byte();

	m.mode = some_mode(b);
	model_load(b & 1, some_root(model_byte()), true);
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
	u8 op = model_byte();

	for (int c = 0; c < VCPUS; c++)
		model_enter(&m.vcpus[c]);
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
		op_load();
		break;
	case 21:
		nested_mmu_unload(&m.v.mmu, &m.vcpus[model_byte() & 1].n);
		break;
	case 22:
		model_log_on();
		break;
	case 23:
		if (op & 0x80)
			model_log_off();
		else
			model_log_last_round();
		break;
	case 24 ... 25:
		model_log_round();
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
		if (op & 0x80)
			model_move();
		else
			op_mode();
		break;
	case 30:
		mmu_set_eager_split(&m.v.mmu, op & 0x80);
		break;
	default:
		op_noise();
	}
}

/* --- a run -------------------------------------------------------------------------------- */

void model_make_vm(void)
{
	u8 b = m.config[0], b2 = m.config[1];
	static const u8 limits[4] = {0, 8, 16, 32};
	struct mmu_config cfg = {
		.fmt = &pt_formats[formats[host][0]],
		.maxphyaddr = 48,
		.max_leaf_level = 1 + b % 3,
		.eager_page_split = b & 0x10,
		.nx_huge_pages = (b & 0x60) == 0x60,
		.dirty = b2 & 1 ? DIRTY_DBIT : DIRTY_WP,
		.max_shadow_pages = limits[b >> 2 & 3],
	};
	struct memslot *slot;

	if (cfg.max_leaf_level == 1 && !(b & 0x80))
		cfg.max_leaf_level = PG_LEVEL_1G;
	nv_start(&m.v, RAM_PAGES, PG_LEVEL_2M, &cfg);
	if (b & 1)
		m.v.mmu.shadow_step = 1;
	slot = env_slot(&m.v.mmu, 1, ROM_GFN, ROM_PAGES, MEMSLOT_READONLY, PG_LEVEL_2M);
	check(slot);
	m.ram = nv_va(&m.v, 0);
	m.rom = env_va(memslot_hpa(slot, slot->base, NULL));
}

static void start(void)
{
	u8 b = model_byte(), b2 = model_byte();

	memset(&m.vcpus, 0, sizeof(m.vcpus));
	memset(&m.tables, 0, sizeof(m.tables));
	memset(m.used, 0, sizeof(m.used));
	memset(m.stored, 0, sizeof(m.stored));
	m.stores = m.counter = m.next_used = 0;
	m.starved = m.beside = false;
	m.seed = (u64)b << 8 | b2;
	m.noise = b2 & 2 ? NOISE_ALL : b2 >> 3;
	host = b2 & 0x40 ? b2 >> 2 & 3 : 0;
	m.config[0] = b;
	m.config[1] = b2;
	model_make_vm();
	m.mode = some_mode(b2 & 0x80 ? model_byte() : 0x0f);
	m.tables.first_gfn = POOL_GFN;
	m.tables.memory = (u64 *)(m.ram + POOL_GFN * PAGE_SIZE);
	model_first_tables();
	model_synced(&m.tables);
	for (int c = 0; c < VCPUS; c++)
		m.vcpus[c].root = some_root((u8)c);
	model_log_start();
	model_noise_start();
}

u64 mmu_model_run(const u8 *data, size_t size)
{
	u64 operations = 0;

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
		model_check_shadow();
		operations++;
	}
	model_log_last_round();
	model_noise_stop();
	model_log_off();
	for (int c = 0; c < VCPUS; c++)
		nested_mmu_free(&m.v.mmu, &m.vcpus[c].n);
	check(nv_end(&m.v) == 0);
	return operations;
}
