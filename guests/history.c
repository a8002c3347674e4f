// SPDX-License-Identifier: MIT
/* Pages with a provable history; see history.h. */
#include "guests/history.h"

#define EPOCH_PASSES 64

/*
 * The passes of one epoch that write page @index, one bit each: 64 coins that each fall with
 * the chance @writes / 100, tossed together by going through the chance's binary digits.
 */
static u64 epoch_mask(const struct history *h, u64 index, u64 epoch)
{
	u32 chance = h->writes * 128 / 100;
	u64 key = history_mix(h->seed + index * 0x9e3779b97f4a7c15ull + epoch);
	u64 mask = 0;

	if (h->writes >= 100)
		return ~0ull;
	for (u32 bit = 0; bit < 7; bit++) {
		u64 coins = history_mix(key + bit + 1);

		mask = chance >> bit & 1 ? mask | coins : mask & coins;
	}
	return mask;
}

bool history_selected(const struct history *h, u64 index, u64 pass)
{
	return epoch_mask(h, index, (pass - 1) / EPOCH_PASSES) >> ((pass - 1) % EPOCH_PASSES) & 1;
}

static u64 body_start(const struct history_page *page)
{
	return history_mix(page->seed ^ history_mix(page->index + history_mix(page->count)) ^
			   page->last);
}

#define BODY_STEP 0x9e3779b97f4a7c15ull

static u64 checksum(const struct history_page *page)
{
	u64 c = page->seed;

	c = c * 31 + page->index;
	c = c * 31 + page->count;
	c = c * 31 + page->last;
	c = c * 31 + page->sum;
	for (u32 i = 0; i < HISTORY_WORDS; i++)
		c = c * 31 + page->body[i];
	return c;
}

static void fill(struct history_page *page)
{
	u64 w = body_start(page);

	for (u32 i = 0; i < HISTORY_WORDS; i++, w += BODY_STEP)
		page->body[i] = w;
	page->checksum = checksum(page);
}

void history_init(const struct history *h, struct history_page *page, u64 index)
{
	page->seed = h->seed;
	page->index = index;
	page->count = 0;
	page->last = 0;
	page->sum = 0;
	fill(page);
}

void history_write(struct history_page *page, u64 pass)
{
	page->count++;
	page->sum += pass;
	page->last = pass;
	fill(page);
}

struct expected {
	u64 count;
	u64 last;
	u64 sum;
};

static struct expected expect(const struct history *h, u64 index, u64 pass)
{
	struct expected e = {0, 0, 0};

	for (u64 first = 0; first < pass; first += EPOCH_PASSES) {
		u64 mask = epoch_mask(h, index, first / EPOCH_PASSES);

		if (pass - first < EPOCH_PASSES)
			mask &= BIT(pass - first) - 1;
		for (; mask; mask &= mask - 1) {
			e.last = first + (u64)__builtin_ctzll(mask) + 1;
			e.sum += e.last;
			e.count++;
		}
	}
	return e;
}

const char *history_check_head(const struct history *h, const struct history_page *page, u64 index,
			       u64 pass)
{
	struct expected e = expect(h, index, pass);

	if (page->seed != h->seed)
		return "seed";
	if (page->index != index)
		return "index";
	if (page->count != e.count)
		return "count";
	if (page->last != e.last)
		return "last pass";
	if (page->sum != e.sum)
		return "sum of passes";
	return NULL;
}

const char *history_check(const struct history *h, const struct history_page *page, u64 index,
			  u64 pass)
{
	const char *wrong = history_check_head(h, page, index, pass);
	u64 w = body_start(page);

	if (wrong)
		return wrong;
	for (u32 i = 0; i < HISTORY_WORDS; i++, w += BODY_STEP)
		if (page->body[i] != w)
			return "body";
	return page->checksum == checksum(page) ? NULL : "checksum";
}
