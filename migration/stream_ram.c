// SPDX-License-Identifier: MIT
// The ram section, both directions.
//
//	count:4 zero:4, then for each entry  gfn:8 npages:4 kind:2 size:2 data[size]
#include "migration/stream_ram.h"

#include <lz4.h>

#include "lib/assert.h"
#include "lib/string.h"
#include "migration/wire.h"

#define BATCH_HEADER 8
#define ENTRY_HEADER 16

/* --- building --- */

void ram_batch_init(struct ram_batch *b, struct stream_writer *w, bool compress)
{
	b->writer = w;
	b->compress = compress;
	b->slot = 0;
	b->count = 0;
	b->len = 0;
	b->run_pages = 0;
	assert((size_t)LZ4_sizeofState() <= sizeof(b->lz4));
	assert(w->cap >= BATCH_HEADER + 2 * ENTRY_HEADER + PAGE_SIZE);
}

static void put_entry(struct ram_batch *b, u64 gfn, u32 npages, enum ram_kind kind,
		      const void *data, size_t size)
{
	struct wire_out out;

	wire_out_init(&out, stream_writer_payload(b->writer), b->writer->cap);
	out.len = MAX(b->len, (size_t)BATCH_HEADER);
	wire_put_u64(&out, gfn);
	wire_put_u32(&out, npages);
	wire_put_u16(&out, (u16)kind);
	wire_put_u16(&out, (u16)size);
	wire_put_bytes(&out, data, size);
	assert(!out.overflow);
	b->len = out.len;
	b->count++;
}

/* Closes the run of zero pages. There is always room for that: see room_for_page(). */
static void close_run(struct ram_batch *b)
{
	if (b->run_pages)
		put_entry(b, b->run_gfn, b->run_pages, RAM_ZERO, NULL, 0);
	b->run_pages = 0;
}

/* An entry with a whole page, and one more header for a run that is open or opens after it. */
static bool room_for_page(const struct ram_batch *b)
{
	return MAX(b->len, (size_t)BATCH_HEADER) + 2 * ENTRY_HEADER + PAGE_SIZE <= b->writer->cap;
}

int ram_batch_flush(struct ram_batch *b)
{
	u8 *payload = stream_writer_payload(b->writer);
	size_t len;

	close_run(b);
	len = b->len;
	if (len == 0)
		return 0;
	wire_store(payload, b->count, 4);
	wire_store(payload + 4, 0, 4);
	b->len = 0;
	b->count = 0;
	return stream_write_section(b->writer, SECTION_RAM, b->slot, len);
}

static void put_page(struct ram_batch *b, u64 gfn, const void *data)
{
	int n = 0;

	memcpy(b->page, data, PAGE_SIZE);
	if (b->compress)
		n = LZ4_compress_fast_extState(b->lz4, (const char *)b->page, b->packed, PAGE_SIZE,
					       sizeof(b->packed), 1);
	if (n > 0)
		put_entry(b, gfn, 1, RAM_LZ4, b->packed, (size_t)n);
	else
		put_entry(b, gfn, 1, RAM_RAW, b->page, PAGE_SIZE);
}

int ram_batch_add(struct ram_batch *b, u32 slot, u64 gfn, const void *data)
{
	bool empty = b->len == 0 && b->run_pages == 0;

	if (!empty && (slot != b->slot || !room_for_page(b))) {
		int err = ram_batch_flush(b);

		if (err)
			return err;
	}
	b->slot = slot;
	if (b->run_pages && (data || gfn != b->run_gfn + b->run_pages))
		close_run(b);
	if (data) {
		put_page(b, gfn, data);
		return 0;
	}
	if (b->run_pages == 0)
		b->run_gfn = gfn;
	b->run_pages++;
	return 0;
}

/* --- taking apart --- */

int ram_reader_init(struct ram_reader *r, const struct section *s,
		    const struct migration_config *cfg, u64 next, struct stream_error *e)
{
	struct wire_in in;

	wire_in_init(&in, s->payload, s->len);
	*r = (struct ram_reader){.payload = s->payload, .len = s->len, .next = next};
	r->left = wire_get_u32(&in);
	if (wire_get_u32(&in) != 0 || in.cut || r->left == 0)
		return stream_fail(e, STREAM_FORMAT, "section %lu: an odd batch of pages",
				   s->sequence);
	if (s->instance >= cfg->nr_slots)
		return stream_fail(e, STREAM_GFN,
				   "section %lu: pages of slot index %u, which is none",
				   s->sequence, s->instance);
	r->slot = &cfg->slots[s->instance];
	r->pos = in.pos;
	return 0;
}

static bool entry_size_ok(const struct ram_entry *entry)
{
	switch (entry->kind) {
	case RAM_ZERO:
		return entry->npages > 0 && entry->size == 0;
	case RAM_RAW:
		return entry->npages == 1 && entry->size == PAGE_SIZE;
	case RAM_LZ4:
		return entry->npages == 1 && entry->size > 0 && entry->size <= RAM_LZ4_MAX;
	default:
		return false;
	}
}

static int check_entry(const struct ram_reader *r, const struct ram_entry *entry,
		       struct stream_error *e)
{
	const struct migration_slot *slot = r->slot;

	if (!entry_size_ok(entry))
		return stream_fail(e, STREAM_FORMAT, "gfn 0x%lx: kind %u, %u pages, %u bytes",
				   entry->gfn, entry->kind, entry->npages, entry->size);
	if (entry->gfn < slot->base || entry->gfn - slot->base >= slot->npages ||
	    entry->npages > slot->npages - (entry->gfn - slot->base))
		return stream_fail(e, STREAM_GFN, "gfn 0x%lx, %u pages: outside of slot %u",
				   entry->gfn, entry->npages, slot->id);
	if (entry->gfn < r->next)
		return stream_fail(e, STREAM_OVERLAP, "gfn 0x%lx came again or out of order",
				   entry->gfn);
	return 0;
}

int ram_reader_next(struct ram_reader *r, struct ram_entry *entry, struct stream_error *e)
{
	struct wire_in in;
	int err;

	wire_in_init(&in, r->payload, r->len);
	in.pos = r->pos;
	if (r->left == 0)
		return in.pos == in.len ? 0
					: stream_fail(e, STREAM_FORMAT,
						      "bytes are left over after a batch of pages");
	entry->gfn = wire_get_u64(&in);
	entry->npages = wire_get_u32(&in);
	entry->kind = wire_get_u16(&in);
	entry->size = wire_get_u16(&in);
	entry->data = wire_get_bytes(&in, entry->size);
	if (in.cut)
		return stream_fail(e, STREAM_FORMAT, "a batch of pages is too short");
	err = check_entry(r, entry, e);
	if (err)
		return err;
	r->pos = in.pos;
	r->left--;
	r->next = entry->gfn + entry->npages;
	return 1;
}

int ram_entry_decode(const struct ram_entry *entry, void *page, struct stream_error *e)
{
	int n;

	if (entry->kind == RAM_RAW) {
		memcpy(page, entry->data, PAGE_SIZE);
		return 0;
	}
	n = LZ4_decompress_safe((const char *)entry->data, page, entry->size, PAGE_SIZE);
	if (n != (int)PAGE_SIZE)
		return stream_fail(e, STREAM_COMPRESSION, "gfn 0x%lx: not a compressed page",
				   entry->gfn);
	return 0;
}
