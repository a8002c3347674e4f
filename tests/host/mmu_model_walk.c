// SPDX-License-Identifier: MIT
/* Walks of L1's tables in the model, entry by entry as the oracle says; nothing is from mmu/. */
#include "tests/host/mmu_model_walk.h"

const u16 pool_word[POOL_WORDS] = {0, 1, 2, 4, 63, 255, 511};

static int word_slot(u64 gpa)
{
	for (int i = 0; i < POOL_WORDS; i++) {
		if (pool_word[i] == gpa % PAGE_SIZE / 8)
			return i;
	}
	return -1;
}

u64 model_table_at(const struct model_tables *t, u64 gpa)
{
	u64 table = (gpa >> PAGE_SHIFT) - t->first_gfn;

	return MIN(table, (u64)POOL_TABLES);
}

static u64 word_now(const struct model_tables *t, u64 gpa)
{
	return t->memory[model_table_at(t, gpa) * 512 + gpa % PAGE_SIZE / 8];
}

bool model_note(struct model_tables *t, u64 gpa)
{
	u64 table = model_table_at(t, gpa);
	int i = word_slot(gpa);

	if (i < 0)
		return true;
	if (t->n[table][i] == MAX_HISTORY)
		return false;
	t->value[table][i][t->n[table][i]++] = word_now(t, gpa);
	return t->n[table][i] < MAX_HISTORY;
}

bool model_has_room(const struct model_tables *t, u64 gpa, int n)
{
	int i = word_slot(gpa);

	return i < 0 || t->n[model_table_at(t, gpa)][i] + n <= MAX_HISTORY;
}

void model_synced(struct model_tables *t)
{
	for (u64 table = 0; table < POOL_TABLES; table++) {
		for (int i = 0; i < POOL_WORDS; i++) {
			t->value[table][i][0] = t->memory[table * 512 + pool_word[i]];
			t->n[table][i] = 1;
		}
	}
}

/* The entry of @size bytes at @gpa in @word, which lies there. */
static u64 entry_in(u64 word, u64 gpa, int size)
{
	return size == 4 ? word >> (gpa % 8 * 8) & 0xffffffff : word;
}

/* Other pages of memory hold no present entry; where there is none, all bits are ones. */
static u64 entry_outside(u64 gpa, int size)
{
	if (model_is_memory(gpa >> PAGE_SHIFT))
		return 0;
	return size == 4 ? 0xffffffff : ~0ull;
}

static u32 need_of(u64 error)
{
	return ACC_READ | ACC_USER | (error & PFERR_W ? ACC_WRITE : 0) |
	       (error & PFERR_I ? ACC_EXEC : 0);
}

static u64 entry_gpa(const struct pt_mode *mode, u64 table, u64 addr, int level)
{
	return table + oracle_index(mode, addr, level) * (u64)oracle_entry_size(mode);
}

u64 model_error(const struct pt_mode *mode, u64 error)
{
	bool fetch_known = mode->nx || mode->fmt->id >= PT_FMT_EPT4;

	return PFERR_U | (error & PFERR_W) | (fetch_known ? error & PFERR_I : 0);
}

static struct model_walk walk_fault(struct model_walk w, const struct pt_mode *mode, u64 error,
				    u64 why)
{
	w.error = why | model_error(mode, error);
	return w;
}

struct model_walk model_walk_now(const struct model_tables *t, const struct pt_mode *mode, u64 root,
				 u64 addr, u64 error)
{
	struct model_walk w = {.fresh = true, .ad = true};
	int size = oracle_entry_size(mode);
	bool permitted = true;
	u64 table = root;

	if (!oracle_address_fits(mode, addr))
		return walk_fault(w, mode, error, 0);
	for (int level = oracle_levels(mode);; level--) {
		u64 gpa = entry_gpa(mode, table, addr, level), e = entry_outside(gpa, size), bits;
		struct oracle_entry o;

		if (model_table_at(t, gpa) < POOL_TABLES) {
			int i = word_slot(gpa);

			e = entry_in(word_now(t, gpa), gpa, size);
			w.fresh &= i < 0 || t->n[model_table_at(t, gpa)][i] == 1;
		}
		o = oracle_entry(mode, level, e);
		if (!o.present)
			return walk_fault(w, mode, error, 0);
		if (o.malformed)
			return walk_fault(w, mode, error, PFERR_P | PFERR_RSV);
		permitted &= oracle_allows(mode, o.access, need_of(error));
		bits = oracle_ad_bits(mode, level, o.leaf, error & PFERR_W);
		w.ad &= (e & bits) == bits;
		table = o.addr;
		if (!o.leaf)
			continue;
		w.gfn = (o.addr | (addr & (oracle_span(mode, level) - 1))) >> PAGE_SHIFT;
		w.maps = permitted;
		return permitted ? w : walk_fault(w, mode, error, PFERR_P);
	}
}

struct search {
	const struct model_tables *t;
	const struct pt_mode *mode;
	u64 addr, gfn;
	u32 need;
};

static bool may_map(const struct search *s, u64 table, int level);

static bool entry_may_map(const struct search *s, u64 e, int level)
{
	struct oracle_entry o = oracle_entry(s->mode, level, e);

	if (!o.present || o.malformed || !oracle_allows(s->mode, o.access, s->need))
		return false;
	if (!o.leaf)
		return may_map(s, o.addr, level - 1);
	return (o.addr | (s->addr & (oracle_span(s->mode, level) - 1))) >> PAGE_SHIFT == s->gfn;
}

static bool may_map(const struct search *s, u64 table, int level)
{
	const struct model_tables *t = s->t;
	int size = oracle_entry_size(s->mode), i;
	u64 gpa = entry_gpa(s->mode, table, s->addr, level), at = model_table_at(t, gpa);

	if (at == POOL_TABLES)
		return entry_may_map(s, entry_outside(gpa, size), level);
	i = word_slot(gpa);
	if (i < 0)
		return false;
	/* As it stands now it may have A and D besides, which are other bits in other formats. */
	if (entry_may_map(s, entry_in(word_now(t, gpa), gpa, size), level))
		return true;
	for (int h = 0; h < t->n[at][i]; h++)
		if (entry_may_map(s, entry_in(t->value[at][i][h], gpa, size), level))
			return true;
	return false;
}

bool model_may_map(const struct model_tables *t, const struct pt_mode *mode, u64 root, u64 addr,
		   u64 error, u64 gfn)
{
	const struct search s = {t, mode, addr, gfn, need_of(error)};

	return oracle_address_fits(mode, addr) && may_map(&s, root, oracle_levels(mode));
}
