/* SPDX-License-Identifier: MIT */
/*
 * What L1's tables say, in the model: what stands in them now, and for each word every value
 * since L1's last flush, any of which a TLB could still hold.
 */
#pragma once

#include "tests/host/pt_oracle.h"

#define POOL_TABLES 12
#define POOL_WORDS  7
#define MAX_HISTORY 12

/* The words of 8 bytes that are stored to, in whatever table; all others stay zero. */
extern const u16 pool_word[POOL_WORDS];

struct model_tables {
	u64 first_gfn;					 /* of the pool */
	u64 value[POOL_TABLES][POOL_WORDS][MAX_HISTORY]; /* [0 .. n-1] */
	u8 n[POOL_TABLES][POOL_WORDS];
	u64 *memory; /* the pool's pages */
};

/* True when a slot holds @gfn. Data never looks like a present entry. */
bool model_is_memory(u64 gfn);
/* The pool's table at @gpa; POOL_TABLES: none. */
u64 model_table_at(const struct model_tables *t, u64 gpa);
/* Notes what stands at @gpa now; false when the history is full (then L1 must flush). */
bool model_note(struct model_tables *t, u64 gpa);
/* Room in that history for @n more. */
bool model_has_room(const struct model_tables *t, u64 gpa, int n);
/* L1 flushed: only what stands there now counts. */
void model_synced(struct model_tables *t);

struct model_walk {
	bool maps;
	u64 gfn;    /* what is mapped */
	u64 error;  /* nothing is: PFERR_* */
	bool fresh; /* no entry on the way was written since the last flush */
	bool ad;    /* A, and D for a write, are set as the access must set them */
};

/* What a fault says of the access @error: that it was a fetch only where that can be forbidden. */
u64 model_error(const struct pt_mode *mode, u64 error);
/* The walk of what stands in memory. @error: PFERR_W, PFERR_I. */
struct model_walk model_walk_now(const struct model_tables *t, const struct pt_mode *mode, u64 root,
				 u64 addr, u64 error);
/* True when some mixture of old and new entries maps @addr to @gfn for the access. */
bool model_may_map(const struct model_tables *t, const struct pt_mode *mode, u64 root, u64 addr,
		   u64 error, u64 gfn);
