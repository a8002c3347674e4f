// SPDX-License-Identifier: MIT
/* The model's own walk of 4-level tables (APM 2 5.3, 15.25); it shares nothing with mmu/. */
#include "tests/host/mmu_model_walk.h"

#include "mmu/pt_walk.h"

#define MAXPHY 40

const u16 pool_index[POOL_INDEXES] = {0, 1, 2, 4, 63, 255, 511};

static int index_slot(u64 index)
{
	for (int i = 0; i < POOL_INDEXES; i++) {
		if (pool_index[i] == index)
			return i;
	}
	return -1;
}

static u64 without_ad(u64 entry)
{
	return entry & ~(E_A | E_D);
}

bool model_note(struct model_tables *t, u64 table, u64 index)
{
	int i = index_slot(index);
	u64 value = t->memory[table * 512 + index];

	if (i < 0)
		return true;
	if (t->n[table][i] == MAX_HISTORY)
		return false;
	t->value[table][i][t->n[table][i]++] = without_ad(value);
	return t->n[table][i] < MAX_HISTORY;
}

void model_synced(struct model_tables *t)
{
	for (u64 table = 0; table < POOL_TABLES; table++) {
		for (int i = 0; i < POOL_INDEXES; i++) {
			t->value[table][i][0] = without_ad(t->memory[table * 512 + pool_index[i]]);
			t->n[table][i] = 1;
		}
	}
}

static u64 index_at(u64 addr, int level)
{
	return addr >> (3 + 9 * level) & 511;
}

static bool is_leaf(const struct model_mode *mode, u64 e, int level)
{
	return level == 1 || ((e & E_PS) && (level == 2 || (level == 3 && mode->huge_1g)));
}

static bool malformed(const struct model_mode *mode, u64 e, int level)
{
	u64 reserved = GENMASK(51, MAXPHY);

	if (!mode->nx)
		reserved |= E_NX;
	if (level == 4 || (level == 3 && !mode->huge_1g))
		reserved |= E_PS;
	if (level > 1 && is_leaf(mode, e, level))
		reserved |= GENMASK(3 + 9 * level - 1, 13);
	return e & reserved;
}

static bool permits(const struct model_mode *mode, u64 e, u64 error)
{
	return (e & E_U) && (!(error & PFERR_W) || (e & E_W)) &&
	       (!(error & PFERR_I) || !mode->nx || !(e & E_NX));
}

static u64 leaf_gfn(u64 e, u64 addr, int level)
{
	u64 below = BIT(3 + 9 * level) - 1;

	return (((e & E_ADDR) & ~below) | (addr & below)) >> 12;
}

static struct model_walk walk_fault(struct model_walk w, const struct model_mode *mode, u64 error,
				    u64 why)
{
	w.result = MODEL_FAULT;
	w.error = why | PFERR_U | (error & PFERR_W) | (mode->nx ? error & PFERR_I : 0);
	return w;
}

struct model_walk model_walk_now(const struct model_tables *t, const struct model_mode *mode,
				 u64 root_gfn, u64 addr, u64 error)
{
	struct model_walk w = {.fresh = true};
	u64 gfn = root_gfn;
	bool permitted = true;

	for (int level = 4;; level--) {
		u64 table = gfn - t->first_gfn, index = index_at(addr, level), e;
		int i = index_slot(index);

		/* Other pages of memory hold no present entry; where there is none, all bits are.
		 */
		if (table >= POOL_TABLES)
			return walk_fault(w, mode, error,
					  model_is_memory(gfn) ? 0 : PFERR_P | PFERR_RSV);
		w.leaf = &t->memory[table * 512 + index];
		w.fresh &= i < 0 || t->n[table][i] == 1;
		if (level > 1)
			w.tables |= BIT(table);
		e = *w.leaf;
		if (!(e & E_P))
			return walk_fault(w, mode, error, 0);
		if (malformed(mode, e, level))
			return walk_fault(w, mode, error, PFERR_P | PFERR_RSV);
		permitted &= permits(mode, e, error);
		if (is_leaf(mode, e, level)) {
			w.gfn = leaf_gfn(e, addr, level);
			return permitted ? w : walk_fault(w, mode, error, PFERR_P);
		}
		gfn = (e & E_ADDR) >> 12;
	}
}

static bool may_map(const struct model_tables *t, const struct model_mode *mode, u64 table_gfn,
		    u64 addr, u64 error, u64 gfn, int level)
{
	u64 table = table_gfn - t->first_gfn;
	int i = index_slot(index_at(addr, level));

	if (table >= POOL_TABLES || i < 0)
		return false;
	for (int h = 0; h < t->n[table][i]; h++) {
		u64 e = t->value[table][i][h];

		if (!(e & E_P) || malformed(mode, e, level) || !permits(mode, e, error))
			continue;
		if (is_leaf(mode, e, level)
			    ? leaf_gfn(e, addr, level) == gfn
			    : may_map(t, mode, (e & E_ADDR) >> 12, addr, error, gfn, level - 1))
			return true;
	}
	return false;
}

bool model_may_map(const struct model_tables *t, const struct model_mode *mode, u64 root_gfn,
		   u64 addr, u64 error, u64 gfn)
{
	return may_map(t, mode, root_gfn, addr, error, gfn, 4);
}
