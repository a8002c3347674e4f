// SPDX-License-Identifier: MIT
// The destination's hashes. Nothing that was noted while receiving is used: memory is read and
// states are saved again, as the machine would give them away now.
#include "migration/dest_verify.h"

#include "migration/state_hash.h"
#include "migration/wire.h"

static int hash_memory(struct migration_dest *d, struct memory_hash *h)
{
	for (u32 i = 0; i < d->cfg.nr_slots; i++) {
		const struct migration_slot *slot = &d->cfg.slots[i];

		for (u64 page = 0; page < slot->npages; page++) {
			int err = page % 64 ? 0 : d->ops->yield(d->ctx);

			if (err)
				return err;
			memory_hash_add(h, slot->base + page, d->ops->page(d->ctx, i, page));
		}
	}
	return 0;
}

static int compare_memory(struct migration_dest *d, const u8 *payload)
{
	struct memory_hash here = {0};
	struct memory_hash there = {
		.sum = wire_load(payload + 8, 8),
		.pages = wire_load(payload + 16, 8),
	};
	int err = hash_memory(d, &here);

	if (err)
		return err;
	if (!memory_hash_equal(&here, &there))
		return stream_fail(
			d->error, STREAM_MEMORY_DIFFERS,
			"memory differs: hash %lx of %lu pages, the source has %lx of %lu",
			here.sum, here.pages, there.sum, there.pages);
	return 0;
}

int dest_verify(struct migration_dest *d, const struct section *s)
{
	struct wire_in in;
	u32 flags;
	int err = 0;

	if (s->len < VERIFY_HEADER)
		return stream_fail(d->error, STREAM_FORMAT, "a verify section of %u bytes", s->len);
	flags = (u32)wire_load(s->payload, 4);
	if ((flags & ~VERIFY_MEMORY) || wire_load(s->payload + 4, 4))
		return stream_fail(d->error, STREAM_FORMAT, "a verify section with flags 0x%x",
				   flags);
	if (flags & VERIFY_MEMORY)
		err = compare_memory(d, s->payload);
	wire_in_init(&in, s->payload + VERIFY_HEADER, s->len - VERIFY_HEADER);
	if (!err)
		err = state_hashes_compare(&d->states, d->state, &in, d->error);
	if (!err)
		d->verified = flags & VERIFY_MEMORY;
	return err;
}
