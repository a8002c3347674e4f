/* SPDX-License-Identifier: MIT */
/*
 * What L1's tables say, in the model: what stands in them now, and for each entry every value
 * since L1's last flush, any of which a TLB could still hold.
 */
#pragma once

#include "lib/types.h"

#define E_P    BIT(0)
#define E_W    BIT(1)
#define E_U    BIT(2)
#define E_A    BIT(5)
#define E_D    BIT(6)
#define E_PS   BIT(7)
#define E_NX   BIT(63)
#define E_ADDR GENMASK(51, 12)

#define POOL_TABLES  12
#define POOL_INDEXES 7
#define MAX_HISTORY  12

/* The indexes that entries are stored at, in whatever table; all others stay zero. */
extern const u16 pool_index[POOL_INDEXES];

struct model_mode {
	bool nx, ad, huge_1g;
};

struct model_tables {
	u64 first_gfn; /* of the pool */
	/* Values without A and D; [0 .. n-1] */
	u64 value[POOL_TABLES][POOL_INDEXES][MAX_HISTORY];
	u8 n[POOL_TABLES][POOL_INDEXES];
	u64 *memory; /* the pool's pages */
};

/* True when a slot holds @gfn. Data never looks like a present entry. */
bool model_is_memory(u64 gfn);
/* Notes that an entry was written; false when its history is full (then L1 must flush). */
bool model_note(struct model_tables *t, u64 table, u64 index);
/* L1 flushed: only what stands there now counts. */
void model_synced(struct model_tables *t);

enum model_result { MODEL_MAPS, MODEL_FAULT };
struct model_walk {
	enum model_result result;
	u64 gfn;    /* MODEL_MAPS */
	u64 error;  /* MODEL_FAULT: PFERR_* */
	u64 *leaf;  /* entry in L1's memory that decided */
	bool fresh; /* no entry on the way was written since the last flush */
	u32 tables; /* BIT(pool table) for those passed above level 1 */
};

/* The walk of what stands in memory. @error: PFERR_W, PFERR_I. */
struct model_walk model_walk_now(const struct model_tables *t, const struct model_mode *mode,
				 u64 root_gfn, u64 addr, u64 error);
/* True when some mixture of old and new entries maps @addr to @gfn for the access. */
bool model_may_map(const struct model_tables *t, const struct model_mode *mode, u64 root_gfn,
		   u64 addr, u64 error, u64 gfn);
