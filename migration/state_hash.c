// SPDX-License-Identifier: MIT
// Field hashes of states, made by the source and compared by the destination.
#include "migration/state_hash.h"

#include "lib/string.h"
#include "migration/hash.h"

static u64 field_hash(const struct state_field *f, const void *state)
{
	return hash64((const u8 *)state + f->offset, f->size, 0);
}

/* Saves over a pattern that the other side does not use: see struct state_set_ops. */
static int save(const struct state_set *set, u32 index, const struct state_desc *desc, void *buf,
		u8 pattern)
{
	memset(buf, pattern, desc->size);
	return set->ops->save(set->ctx, index, buf);
}

int state_hashes_put(const struct state_set *set, void *buf, struct wire_out *out)
{
	u32 n = set->ops->count(set->ctx);

	for (u32 i = 0; i < n; i++) {
		u32 instance;
		const struct state_desc *desc = set->ops->desc(set->ctx, i, &instance);
		int err = save(set, i, desc, buf, STATE_PATTERN_SOURCE);

		if (err)
			return err;
		wire_put_u32(out, desc->nr_fields);
		for (u32 f = 0; f < desc->nr_fields; f++)
			wire_put_u64(out, field_hash(&desc->fields[f], buf));
	}
	return 0;
}

static int compare(const struct state_desc *desc, u32 instance, const void *state,
		   struct wire_in *in, struct stream_error *e)
{
	if (wire_get_u32(in) != desc->nr_fields)
		return stream_fail(e, STREAM_FORMAT,
				   "verify: state %s has another number of fields", desc->name);
	for (u32 f = 0; f < desc->nr_fields; f++) {
		u64 there = wire_get_u64(in);

		if (!in->cut && there != field_hash(&desc->fields[f], state))
			return stream_fail(e, STREAM_STATE_DIFFERS, "state %s %u: field %s differs",
					   desc->name, instance, desc->fields[f].name);
	}
	return 0;
}

int state_hashes_compare(const struct state_set *set, void *buf, struct wire_in *in,
			 struct stream_error *e)
{
	u32 n = set->ops->count(set->ctx);
	int err = 0;

	for (u32 i = 0; !err && i < n; i++) {
		u32 instance;
		const struct state_desc *desc = set->ops->desc(set->ctx, i, &instance);

		err = save(set, i, desc, buf, STATE_PATTERN_DEST);
		if (err)
			stream_fail(e, STREAM_STATE_REFUSED, "state %s %u cannot be read back",
				    desc->name, instance);
		else
			err = compare(desc, instance, buf, in, e);
	}
	if (!err && !wire_in_done(in))
		return stream_fail(e, STREAM_FORMAT, "a verify section of the wrong length");
	return err;
}
