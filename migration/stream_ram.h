/* SPDX-License-Identifier: MIT */
/*
 * The ram section: a batch of pages of one slot, ascending. Zero pages are a range and no data;
 * others are compressed with LZ4 where that helps.
 */
#pragma once

#include "migration/stream.h"
#include "migration/stream_config.h"

enum ram_kind { RAM_ZERO, RAM_RAW, RAM_LZ4, RAM_KIND_NR };

/* One entry: @npages pages from @gfn. Only RAM_ZERO has more than one. */
struct ram_entry {
	u64 gfn;
	u32 npages;
	u16 kind;
	u16 size;	/* bytes of data */
	const u8 *data; /* @size bytes in the section, or NULL */
};

#define RAM_LZ4_STATE_SIZE (17u << 10) /* at least LZ4_sizeofState() */
/* A page that LZ4 does not make at least this small goes as it is. Bytes. */
#define RAM_LZ4_MAX (PAGE_SIZE - PAGE_SIZE / 8)

/* Builds the sections. */
struct ram_batch {
	struct stream_writer *writer;
	bool compress;
	u32 slot;    /* index of the slot whose pages are in the batch */
	u32 count;   /* entries, the open run left out */
	size_t len;  /* bytes of payload so far; 0: the batch is empty */
	u64 run_gfn; /* zero pages not written yet: [run_gfn, run_gfn + run_pages) */
	u32 run_pages;
	u8 page[PAGE_SIZE]; /* a copy: the guest may be writing to the original */
	char packed[RAM_LZ4_MAX];
	u64 lz4[RAM_LZ4_STATE_SIZE / 8];
};

void ram_batch_init(struct ram_batch *b, struct stream_writer *w, bool compress);
/*
 * Adds one page of the slot with index @slot; NULL as @data means that it holds zeroes. Sends
 * what does not fit any more. Pages of one slot must be added in ascending order. Returns 0 or
 * the transport's error.
 */
int __must_check ram_batch_add(struct ram_batch *b, u32 slot, u64 gfn, const void *data);
/* Sends what is waiting. */
int __must_check ram_batch_flush(struct ram_batch *b);

/* Takes a section apart. */
struct ram_reader {
	const u8 *payload;
	size_t len, pos;
	u32 left; /* entries */
	u64 next; /* lowest gfn that may come */
	const struct migration_slot *slot;
};

/*
 * @next is the lowest gfn that this round has not seen. 0, or -EBADMSG with @e: unknown slot,
 * impossible count.
 */
int __must_check ram_reader_init(struct ram_reader *r, const struct section *s,
				 const struct migration_config *cfg, u64 next,
				 struct stream_error *e);
/*
 * 1: *@entry was filled in, and lies within the slot and above all before it; 0: the section
 * is at its end; -EBADMSG with @e.
 */
int __must_check ram_reader_next(struct ram_reader *r, struct ram_entry *entry,
				 struct stream_error *e);
/* The data of a RAM_RAW or RAM_LZ4 entry into @page. 0, or -EBADMSG with @e. */
int __must_check ram_entry_decode(const struct ram_entry *entry, void *page,
				  struct stream_error *e);
