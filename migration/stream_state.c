// SPDX-License-Identifier: MIT
// The state section, both directions.
//
//	name version:4 nr_fields:4, then for each field  name size:4 data[size]
#include "migration/stream_state.h"

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "migration/wire.h"

int state_write(struct stream_writer *w, const struct state_desc *desc, u32 instance,
		const void *state)
{
	struct wire_out out;

	wire_out_init(&out, stream_writer_payload(w), w->cap);
	wire_put_name(&out, desc->name);
	wire_put_u32(&out, desc->version);
	wire_put_u32(&out, desc->nr_fields);
	for (u32 i = 0; i < desc->nr_fields; i++) {
		const struct state_field *f = &desc->fields[i];

		wire_put_name(&out, f->name);
		wire_put_u32(&out, f->size);
		wire_put_bytes(&out, (const u8 *)state + f->offset, f->size);
	}
	assert(!out.overflow);
	return stream_write_section(w, SECTION_STATE, instance, out.len);
}

int state_read_name(const struct section *s, char name[STATE_NAME_MAX], struct stream_error *e)
{
	struct wire_in in;

	wire_in_init(&in, s->payload, s->len);
	wire_get_name(&in, name, STATE_NAME_MAX);
	if (in.cut)
		return stream_fail(e, STREAM_FORMAT, "section %lu: a state without a name",
				   s->sequence);
	return 0;
}

static int find_field(const struct state_desc *desc, const char *name)
{
	for (u32 i = 0; i < desc->nr_fields; i++) {
		if (strcmp(desc->fields[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

/* One field from @in into @state; its bit in @seen. */
static int read_field(struct wire_in *in, const struct state_desc *desc, u8 *state, u64 *seen,
		      struct stream_error *e)
{
	char name[STATE_NAME_MAX];
	const struct state_field *f;
	const u8 *data;
	u32 size;
	int i;

	wire_get_name(in, name, sizeof(name));
	size = wire_get_u32(in);
	data = wire_get_bytes(in, size);
	if (in->cut)
		return stream_fail(e, STREAM_FORMAT, "state %s is too short", desc->name);
	i = find_field(desc, name);
	if (i < 0)
		return stream_fail(e, STREAM_FIELD_UNKNOWN, "state %s: field %s is unknown here",
				   desc->name, name);
	f = &desc->fields[i];
	if (size != f->size)
		return stream_fail(e, STREAM_FIELD_SIZE, "state %s: field %s has %u bytes, not %u",
				   desc->name, name, size, f->size);
	if (bitmap_test(seen, (u64)i))
		return stream_fail(e, STREAM_FIELD_TWICE, "state %s: field %s is there twice",
				   desc->name, name);
	bitmap_set(seen, (u64)i);
	memcpy(state + f->offset, data, size);
	return 0;
}

static int check_version(const struct state_desc *desc, u32 version, struct stream_error *e)
{
	if (version == desc->version)
		return 0;
	return stream_fail(e, STREAM_STATE_VERSION, "state %s has version %u, %s than %u here",
			   desc->name, version, version > desc->version ? "newer" : "older",
			   desc->version);
}

int state_read(const struct section *s, const struct state_desc *desc, void *state,
	       struct stream_error *e)
{
	u64 seen[BITMAP_WORDS(STATE_MAX_FIELDS)] = {0};
	char name[STATE_NAME_MAX];
	struct wire_in in;
	u32 version, nr, missing;
	int err;

	assert(desc->nr_fields <= STATE_MAX_FIELDS && desc->size <= STATE_MAX_SIZE);
	wire_in_init(&in, s->payload, s->len);
	wire_get_name(&in, name, sizeof(name));
	version = wire_get_u32(&in);
	nr = wire_get_u32(&in);
	if (in.cut)
		return stream_fail(e, STREAM_FORMAT, "state %s is too short", desc->name);
	err = check_version(desc, version, e);
	/* Ends early whatever nr says: the payload is finite and no field comes twice. */
	for (u32 i = 0; !err && i < nr; i++)
		err = read_field(&in, desc, state, seen, e);
	if (err)
		return err;
	if (!wire_in_done(&in))
		return stream_fail(e, STREAM_FORMAT, "state %s has bytes left over", desc->name);
	missing = (u32)bitmap_find_next_clear(seen, desc->nr_fields, 0);
	if (missing < desc->nr_fields)
		return stream_fail(e, STREAM_FIELD_MISSING, "state %s: field %s is missing",
				   desc->name, desc->fields[missing].name);
	return 0;
}
