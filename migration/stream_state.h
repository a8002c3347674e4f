/* SPDX-License-Identifier: MIT */
/*
 * The state section: one struct, field by field as its state_desc says. Each field goes with its
 * name and size, so that a reader notices every difference between the two programs.
 */
#pragma once

#include "lib/state.h"
#include "migration/stream.h"

#define STATE_NAME_MAX	 48	     /* bytes, NUL included */
#define STATE_MAX_SIZE	 (64u << 10) /* bytes; the largest struct that may be described */
#define STATE_MAX_FIELDS 128

/* A field's bytes are those of an x86 processor's memory, so integers are little-endian. */
int __must_check state_write(struct stream_writer *w, const struct state_desc *desc, u32 instance,
			     const void *state);

/* Just the name and version, to find the desc. 0, or -EBADMSG with @e. */
int __must_check state_read_name(const struct section *s, char name[STATE_NAME_MAX],
				 struct stream_error *e);
/*
 * Fills in @state, which has desc->size bytes: every field exactly once, each of the right
 * size. 0, or -EBADMSG with @e; @state is then undefined.
 */
int __must_check state_read(const struct section *s, const struct state_desc *desc, void *state,
			    struct stream_error *e);
