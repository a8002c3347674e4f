/* SPDX-License-Identifier: MIT */
/*
 * Memory whose content proves that its history was correct. Time runs in passes, from 1 on; in
 * each pass a part of the pages is rewritten, chosen by a hash. Each write continues what the
 * page held before (a count and a sum of pass numbers) and fills the whole page from it, so a
 * lost write, a doubled one or an old copy of a page contradicts what can be computed
 * from the pass number alone.
 */
#pragma once

#include "lib/types.h"

#define HISTORY_WORDS 506

struct history_page {
	u64 seed;
	u64 index;
	u64 count;    /* writes so far */
	u64 last;     /* pass of the last one, 0: never */
	u64 sum;      /* of the passes that wrote it */
	u64 checksum; /* over all else */
	u64 body[HISTORY_WORDS];
};

_Static_assert(sizeof(struct history_page) == PAGE_SIZE, "a history page is a page");

struct history {
	u64 seed;
	u32 writes; /* percent of the pages written in each pass, 0 to 100 */
};

/* Whether page @index is among those that @pass writes. */
bool history_selected(const struct history *h, u64 index, u64 pass);

/* Makes @page page @index that no pass has written yet. */
void history_init(const struct history *h, struct history_page *page, u64 index);

/* Writes @page as @pass does. */
void history_write(struct history_page *page, u64 pass);

/*
 * Whether @page is what page @index must be after pass @pass: NULL, or the name of the first
 * field that is wrong. history_check_head() leaves out the body and the checksum over it.
 */
const char *history_check(const struct history *h, const struct history_page *page, u64 index,
			  u64 pass);
const char *history_check_head(const struct history *h, const struct history_page *page, u64 index,
			       u64 pass);

/* A hash of 64 bits: every bit of the result depends on every bit of @x. */
static inline u64 history_mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}
