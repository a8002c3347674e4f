/* SPDX-License-Identifier: MIT */
/* The config section: what kind of machine the stream holds. It comes first. */
#pragma once

#include "migration/stream.h"

#define MIGRATION_MAX_SLOTS 8
#define MIGRATION_MAX_GFN   BIT(36) /* 48 bits of physical address */

struct migration_slot {
	u16 id;
	u32 flags; /* MEMSLOT_* */
	u64 base;  /* gfn */
	u64 npages;
};

struct migration_config {
	u64 mem_bytes;
	u32 nr_vcpus;
	char vendor[16];
	u64 features; /* what the destination must be able to do; each side's glue defines the bits
		       */
	u32 nr_slots;
	struct migration_slot slots[MIGRATION_MAX_SLOTS]; /* ascending, no overlap */
};

/* Pages in all slots. */
u64 config_pages(const struct migration_config *cfg);
/* Writes the section. 0 or the transport's error. */
int __must_check config_write(struct stream_writer *w, const struct migration_config *cfg);
/* Reads it from @s and checks its own consistency. 0, or -EBADMSG with @e. */
int __must_check config_read(const struct section *s, struct migration_config *cfg,
			     struct stream_error *e);
