// SPDX-License-Identifier: MIT
// One round: takes the dirty log chunk by chunk and sends the pages.
#include "lib/bitmap.h"
#include "migration/engine_steps.h"
#include "migration/wire.h"

/* Sleeps when more was sent in this round than max_bandwidth allows. */
static void limit_bandwidth(struct migration *m)
{
	u64 rate = m->params.max_bandwidth >> 10; /* KiB, to keep the products within 64 bits */
	u64 sent = (m->out.bytes - m->round.bytes) >> 10;
	u64 elapsed, due;

	if (m->params.max_bandwidth == 0)
		return;
	rate = MAX(rate, 1ull);
	due = sent / rate * 1000000000 + sent % rate * 1000000000 / rate;
	elapsed = m->ops->now_ns(m->ctx) - m->round.started_ns;
	if (due > elapsed)
		m->ops->sleep(m->ctx, due - elapsed);
}

u64 migration_count_dirty(struct migration *m)
{
	m->ops->dirty_sync(m->ctx);
	return m->ops->dirty_count(m->ctx);
}

static int send_page(struct migration *m, u32 slot, u64 page)
{
	u64 gfn = m->cfg.slots[slot].base + page;
	const void *data = m->ops->page(m->ctx, slot, page);
	bool zero = page_is_zero(data);

	m->round.sent++;
	if (zero) {
		m->info.duplicate++;
	} else {
		m->info.normal++;
		m->round.normal++;
	}
	return ram_batch_add(&m->batch, slot, gfn, zero ? NULL : data);
}

static int send_word(struct migration *m, u32 slot, u64 base, u64 word)
{
	int err = migration_poll(m);

	while (!err && word) {
		err = send_page(m, slot, base + (u64)__builtin_ctzll(word));
		word &= word - 1;
	}
	return err;
}

/*
 * The bits are taken, and the flushes they owe are paid, before any of the pages is read: what
 * the guest writes from then on sets them again.
 */
static int send_chunk(struct migration *m, u32 slot, u64 first, u64 npages)
{
	m->ops->dirty_read_clear(m->ctx, slot, first, npages, m->bits);
	if (m->info.rounds == 1)
		bitmap_set_range(m->bits, 0, npages);
	for (u64 w = 0; w * 64 < npages; w++) {
		u64 word = m->bits[w] & bitmap_word_mask(w, 0, npages - 1);
		int err = send_word(m, slot, first + w * 64, word);

		if (err)
			return err;
		limit_bandwidth(m);
	}
	return 0;
}

static int send_round_marker(struct migration *m, bool final)
{
	u8 *p = stream_writer_payload(&m->out);

	wire_store(p, m->info.rounds, 4);
	wire_store(p + 4, final ? ROUND_FINAL : 0, 4);
	return stream_write_section(&m->out, SECTION_ROUND, 0, 8);
}

int migration_round(struct migration *m, bool final)
{
	int err;

	m->info.rounds++;
	m->round = (struct migration_round){
		.started_ns = m->ops->now_ns(m->ctx),
		.bytes = m->out.bytes,
	};
	m->ops->dirty_sync(m->ctx);
	err = send_round_marker(m, final);
	for (u32 i = 0; !err && i < m->cfg.nr_slots; i++) {
		u64 npages = m->cfg.slots[i].npages;

		for (u64 p = 0; !err && p < npages; p += MIGRATION_CHUNK_PAGES)
			err = send_chunk(m, i, p, MIN(npages - p, (u64)MIGRATION_CHUNK_PAGES));
	}
	if (!err)
		err = ram_batch_flush(&m->batch);
	if (!err)
		limit_bandwidth(m);
	m->round.bytes = m->out.bytes - m->round.bytes;
	m->round.duration_ns = m->ops->now_ns(m->ctx) - m->round.started_ns;
	return err;
}
