// SPDX-License-Identifier: MIT
/*
 * The history of visible changes. Each page that a processor can reach has a copy that only
 * env_pte_cmpxchg() and the processor's A and D change: what differs was stored plainly.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/host/env_internal.h"

void (*env_on_change)(u64 *p, u64 old, u64 new);
void (*env_before_cmpxchg)(u64 *p, u64 old, u64 new);

static struct env_change *history;
static u64 history_len, history_cap;

/* An entry that holds the address of one of our pages leads to a table: leaves map guest memory. */
static struct env_page *linked_page(u64 entry)
{
	return entry & 7 ? env_page_find(entry & GENMASK(47, 12)) : NULL;
}

static void page_show(struct env_page *page)
{
	if (page->visible)
		return;
	page->visible = true;
	page->copy = page->copy ? page->copy : malloc(PAGE_SIZE);
	memcpy(page->copy, page->va, PAGE_SIZE);
	for (int i = 0; i < 512; i++) {
		struct env_page *child = linked_page(page->copy[i]);

		if (child) {
			child->links++;
			page_show(child);
		}
	}
}

static void page_unlink(u64 entry);

void env_page_hide(struct env_page *page)
{
	page->visible = false;
	for (int i = 0; i < 512; i++)
		page_unlink(page->copy[i]);
}

static void page_unlink(u64 entry)
{
	struct env_page *child = linked_page(entry);

	if (child && child->links && --child->links == 0 && !child->root)
		env_page_hide(child);
}

static void page_link(u64 entry)
{
	struct env_page *child = linked_page(entry);

	if (child) {
		child->links++;
		page_show(child);
	}
}

static bool same_entry(const struct env_page *page, int i)
{
	u64 now = READ_ONCE(page->va[i]);

	if (now == page->copy[i])
		return true;
	env_violation("plain store: entry %d of table %p is %llx, history says %llx", i,
		      (void *)page->va, (unsigned long long)now, (unsigned long long)page->copy[i]);
	return false;
}

static u64 changed_entries(const struct env_page *page)
{
	u64 bad = 0;

	if (!memcmp(page->va, page->copy, PAGE_SIZE))
		return 0;
	for (int i = 0; i < 512; i++)
		bad += !same_entry(page, i);
	return bad;
}

void env_watch_root(void *va)
{
	env_lock();
	env_page_find((u64)va)->root = true;
	page_show(env_page_find((u64)va));
	env_unlock();
}

u64 env_check_no_plain_stores(void)
{
	u64 bad = 0;

	env_lock();
	for (int b = 0; b < PAGE_BUCKETS; b++)
		for (struct env_page *page = env_pages[b]; page; page = page->next)
			bad += page->visible ? changed_entries(page) : 0;
	env_unlock();
	return bad;
}

static void history_add(u64 *p, u64 old, u64 new, bool success)
{
	if (history_len == history_cap) {
		history_cap = history_cap ? 2 * history_cap : 4096;
		history = realloc(history, history_cap * sizeof(*history));
	}
	history[history_len++] = (struct env_change){p, old, new, success};
}

const struct env_change *env_history(u64 *count)
{
	*count = history_len;
	return history;
}

void env_history_clear(void)
{
	free(history);
	history = NULL;
	history_len = history_cap = 0;
}

u64 env_pte_cmpxchg(u64 *p, u64 old, u64 new)
{
	struct env_page *page;
	u64 was = old;
	bool done;

	if (env_before_cmpxchg)
		env_before_cmpxchg(p, old, new);
	env_lock();
	page = env_page_find((u64)p);
	if (!page)
		env_violation("exchange of %p, which is in no table", (void *)p);
	if (page && page->visible)
		same_entry(page, ((u64)p & ~PAGE_MASK) / 8);
	done = __atomic_compare_exchange_n(p, &was, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	history_add(p, old, new, done);
	if (done && page && page->visible) {
		page->copy[((u64)p & ~PAGE_MASK) / 8] = new;
		page_link(new); /* first, so that a table that stays does not vanish in between */
		page_unlink(old);
	}
	env_unlock();
	if (done && env_on_change)
		env_on_change(p, old, new);
	return was;
}

void env_pte_clear(u64 *p, u64 bits)
{
	u64 old = READ_ONCE(*p), was;

	while ((was = env_pte_cmpxchg(p, old, old & ~bits)) != old)
		old = was;
}

bool env_pte_clear_run(u64 *p, u64 n, u64 bits)
{
	bool had = false;

	for (u64 *end = p + n; p < end; p++) {
		if (READ_ONCE(*p) & bits) {
			env_pte_clear(p, bits);
			had = true;
		}
	}
	return had;
}

u64 env_pte_take_64(u64 *p, u64 bit)
{
	u64 had = 0;

	for (int i = 0; i < 64; i++)
		had |= env_pte_clear_run(p + i, 1, bit) ? BIT(i) : 0;
	return had;
}

void env_hw_set(u64 *p, u64 bits)
{
	struct env_page *page;

	env_lock();
	page = env_page_find((u64)p);
	if (page && page->visible) {
		same_entry(page, ((u64)p & ~PAGE_MASK) / 8);
		page->copy[((u64)p & ~PAGE_MASK) / 8] |= bits;
	}
	__atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST);
	env_unlock();
}
