// SPDX-License-Identifier: MIT
/*
 * L1's tables as the model's L1 builds them: mostly entries that make sense where they stand, so
 * that most walks get somewhere, and now and then anything at all.
 */
#include <string.h>

#include "mmu/guest_mem.h"
#include "tests/host/mmu_model_internal.h"

/* --- entries ------------------------------------------------------------------------------ */

/* Which level the pool's table @i is meant for; it may be used for others all the same. */
static int level_of(u64 i)
{
	int levels = oracle_levels(&m.mode);

	if (i < ROOTS)
		return levels;
	if (levels == 2)
		return 1;
	if (levels == 3)
		return i < 6 ? 2 : 1;
	if (i < 4)
		return levels == 5 && i == 2 ? 4 : 3;
	return i < 6 ? 2 : 1;
}

static u64 table_of_level(int level)
{
	u64 i = model_byte() % POOL_TABLES;

	for (int n = 0; n < POOL_TABLES && level_of(i) != level; n++)
		i = (i + 1) % POOL_TABLES;
	return POOL_GFN + i;
}

u64 model_data_gfn(void)
{
	u8 b = model_byte();

	return (u64)(b % REGIONS) * 512 + model_offset[b / REGIONS % OFFSETS];
}

static bool is_ept(void)
{
	return m.mode.fmt->id >= PT_FMT_EPT4;
}

/* @flags takes rights away, and A and D. */
static u64 make_entry(int level, bool leaf, u64 gfn, u8 flags)
{
	bool a = (flags & 3) != 3, d = a && (flags & 3) != 2, w = (flags & 0x1c) != 0x1c;
	bool nx = (flags & 0xe0) == 0xe0, r = flags != 0x5a;
	u64 e = gfn << PAGE_SHIFT | (leaf && level > 1 ? BIT(7) : 0);

	if (is_ept())
		return e | (r || w ? BIT(0) : 0) | (w ? BIT(1) : 0) | (nx ? 0 : BIT(2)) |
		       (leaf ? 6 << 3 : 0) | (a ? BIT(8) : 0) | (d && leaf ? BIT(9) : 0);
	if (m.mode.fmt->id == PT_FMT_PAE && level == 3)
		return e | BIT(0);
	e |= BIT(0) | (w ? BIT(1) : 0) | (r ? BIT(2) : 0) | (a ? BIT(5) : 0);
	e |= d && leaf ? BIT(6) : 0;
	return nx && m.mode.fmt->id != PT_FMT_32 ? e | BIT(63) : e;
}

static u64 some_leaf(int level, u8 flags)
{
	u64 span = oracle_span(&m.mode, level) >> PAGE_SHIFT, gfn;
	u8 b = model_byte();

	if (level == 1 && b % 8 == 0) /* a table of its own */
		return make_entry(1, true, POOL_GFN + b / 8 % POOL_TABLES, flags);
	gfn = b % 16 == 1 ? ROM_GFN : model_data_gfn();
	return make_entry(level, true, gfn & ~(span - 1), flags);
}

/* What makes no sense: reserved bits, memory that is not there, any table, any bits. */
static u64 odd_entry(int level, u8 flags)
{
	u64 e = some_leaf(level, flags);

	switch (model_byte() % 6) {
	case 0:
		return e | (is_ept() || m.mode.fmt->id != PT_FMT_32 ? BIT(45) : BIT(21));
	case 1:
		return make_entry(level, level == 1, RAM_PAGES + 7, flags);
	case 2:
		return make_entry(level, level == 1, POOL_GFN + model_byte() % POOL_TABLES, flags);
	case 3:
		return e ^ BIT(model_byte() % 64);
	case 4:
		return e | BIT(7);
	default:
		return (u64)model_byte() << 56 | (u64)model_byte() << 12 | model_byte();
	}
}

u64 model_entry(u64 gpa)
{
	int level = level_of(model_table_at(&m.tables, gpa));
	u8 kind = model_byte(), flags = model_byte();
	bool leaf = level == 1 || (level <= 3 && (kind & 0x70) < (level == 2 ? 0x30 : 0x10));

	if (m.mode.fmt->id == PT_FMT_PAE && level == 3)
		leaf = false;
	if (kind % 16 == 0)
		return odd_entry(level, flags);
	if (kind % 16 == 1)
		return 0;
	if (leaf)
		return some_leaf(level, flags);
	return make_entry(level, false, table_of_level(level - 1), flags);
}

/* Bits 2 to 0 stay clear in both halves: present in no format. */
static u64 next_value(void)
{
	return ++m.counter << 3;
}

u64 model_value(u64 gpa)
{
	return model_table_at(&m.tables, gpa) < POOL_TABLES ? model_entry(gpa) : next_value();
}

/* --- L1 writes them ----------------------------------------------------------------------- */

/* By memory only: before anything is mapped, or loaded. */
static void put(u64 table, u32 index, u64 e)
{
	int size = oracle_entry_size(&m.mode);

	memcpy(m.ram + ((POOL_GFN + table) << PAGE_SHIFT) + index * (u64)size, &e, (size_t)size);
}

void model_first_tables(void)
{
	for (u64 i = 0; i < POOL_TABLES; i++) {
		int level = level_of(i);
		bool leaf = level == 1 || (level == 2 && i % 2);

		for (u64 n = 0, table = i + 1; n < 3; n++, table++) {
			u64 gfn = n * 512 + (level == 1 ? model_offset[i % OFFSETS] : 0);

			while (table < POOL_TABLES && level_of(table) != level - 1)
				table++;
			if (!leaf)
				gfn = POOL_GFN + MIN(table, (u64)POOL_TABLES - 1);
			put(i, pool_word[n], make_entry(level, leaf, gfn, 0));
		}
	}
	/* A table that maps itself. */
	put(POOL_TABLES - 1, 4, make_entry(1, true, POOL_GFN + POOL_TABLES - 1, 0));
}

void model_wrote(u64 gpa, int size)
{
	bool room = true;

	if (model_table_at(&m.tables, gpa) == POOL_TABLES)
		return;
	m.stored[m.stores++ % USED] = gpa;
	for (u64 word = gpa & ~7ull; word < gpa + (u64)size; word += 8)
		room &= model_note(&m.tables, word);
	if (room)
		return;
	m.starved = false;
	env_fail_after(0);
	env_fail_from(0);
	check(model_load(0, m.vcpus[0].root, true));
}

static u64 some_entry_gpa(void)
{
	u8 where = model_byte();
	u64 gpa = (POOL_GFN + (u64)where % POOL_TABLES) << PAGE_SHIFT;

	gpa += (u64)pool_word[where / POOL_TABLES % POOL_WORDS] * 8;
	return oracle_entry_size(&m.mode) == 4 ? gpa + (where >> 7) * 4 : gpa;
}

void model_store_entry(bool by_l0)
{
	int size = oracle_entry_size(&m.mode), r;
	u64 gpa = some_entry_gpa(), e[2] = {model_entry(gpa), 0};

	/* L0 may write more than an entry at once, for a device. */
	if (by_l0 && size == 8 && gpa % PAGE_SIZE == 0) {
		e[1] = model_entry(gpa);
		size = 16;
	}
	r = by_l0 ? guest_write(&m.v.mmu, (gpa_t){gpa}, e, (size_t)size)
		  : env_vcpu_write(&m.v.mmu, gpa, e, (size_t)size);
	check(r == FAULT_FIXED || (r == -ENOMEM && m.starved));
	if (r == FAULT_FIXED)
		model_wrote(gpa, size);
}

/* --- addresses ---------------------------------------------------------------------------- */

/* An index in the table at @table that holds a present entry, if one of those stored to does. */
static u32 some_index(const struct pt_mode *mode, u64 table, int level, u64 *e)
{
	int size = oracle_entry_size(mode);
	/* L2 cannot address more than the processor's tables translate. */
	u32 start = level > m.v.mmu.cfg.fmt->levels ? 0 : model_byte(), index = 0;

	for (u32 n = 0; n < POOL_WORDS; n++) {
		u64 byte = pool_word[(start + n) % POOL_WORDS] * 8u, at;

		if (size == 4)
			byte += (start >> 7) * 4;
		at = (table & ~PAGE_MASK ? byte & 0x1f : byte) / (u64)size;
		at &= mode->fmt->id == PT_FMT_PAE && level == 3 ? 3 : ~0ull;
		index = (u32)at;
		*e = 0;
		if (model_table_at(&m.tables, table) == POOL_TABLES)
			break;
		memcpy(e, m.ram + table + at * (u64)size, (size_t)size);
		if (oracle_entry(mode, level, *e).present)
			break;
	}
	return index;
}

u64 model_address(const struct model_vcpu *vcpu)
{
	const struct pt_mode *mode = &vcpu->mode;
	u64 table = vcpu->root, addr = 0, rest = model_byte();

	for (int level = oracle_levels(mode); level; level--) {
		struct oracle_entry o;
		u64 e;

		addr |= some_index(mode, table, level, &e) * oracle_span(mode, level);
		o = oracle_entry(mode, level, e);
		table = o.addr;
		if (!o.leaf || level == 1)
			continue;
		/* Somewhere within: at the offsets, in one of the first 2M. */
		addr |= (u64)model_offset[rest % OFFSETS] << PAGE_SHIFT;
		addr |= ((rest >> 2) % REGIONS << 21) & (oracle_span(mode, level) - 1);
		break;
	}
	addr &= LEVEL_SIZE(m.v.mmu.cfg.fmt->levels + 1) - 1;
	return addr | (u64)pool_word[rest % POOL_WORDS] << 3;
}
