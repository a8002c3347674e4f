/* SPDX-License-Identifier: MIT */
/*
 * Hashes of a machine's states, field by field, so that a difference between two machines is
 * told with its name.
 */
#pragma once

#include "migration/migration.h"
#include "migration/wire.h"

/*
 * Saves each state into @buf (STATE_MAX_SIZE bytes) and appends its fields' hashes to @out. 0 or
 * what save said.
 */
int __must_check state_hashes_put(const struct state_set *set, void *buf, struct wire_out *out);
/*
 * The same, but compares with those in @in, all of which must be used up. 0; -EBADMSG with @e;
 * or what save said, likewise with @e.
 */
int __must_check state_hashes_compare(const struct state_set *set, void *buf, struct wire_in *in,
				      struct stream_error *e);
