// SPDX-License-Identifier: MIT
// Taking a stream apart and putting it together again.
#include "tests/host/stream_tape.h"

void tape_load(struct tape *t, const struct queue *q)
{
	size_t pos = STREAM_HEADER_SIZE;

	t->n = 0;
	while (pos < q->len) {
		const u8 *h = q->data + pos;
		struct sec *s = &t->sec[t->n++];

		s->type = (u32)wire_load(h, 4);
		s->instance = (u32)wire_load(h + 4, 4);
		s->len = wire_load(h + 16, 4);
		s->data = malloc(s->len + 1);
		memcpy(s->data, h + STREAM_SECTION_HEADER, s->len);
		pos += STREAM_SECTION_HEADER + s->len;
	}
	assert_int_equal(t->n, SECTIONS);
}

void tape_free(struct tape *t)
{
	for (u32 i = 0; i < t->n; i++)
		free(t->sec[i].data);
}

int tape_transport_write(struct transport *t, const void *buf, size_t len)
{
	queue_put(&container_of(t, struct tape_transport, t)->q, buf, len);
	return 0;
}

struct queue tape_store(struct tape *t, bool fix_totals)
{
	static u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	struct tape_transport out = {.t = {tape_transport_write, NULL}};
	struct stream_writer w;

	stream_writer_init(&w, &out.t, buf, sizeof(buf));
	for (u32 i = 0; i < t->n; i++) {
		struct sec *s = &t->sec[i];

		if (s->type == SECTION_END && fix_totals) {
			wire_store(s->data + 8, w.bytes, 8);
			wire_store(s->data + 16, w.sequence, 8);
			wire_store(s->data + 24, w.hash, 8);
		}
		if (s->len)
			memcpy(stream_writer_payload(&w), s->data, s->len);
		assert_int_equal(stream_write_section(&w, s->type, s->instance, s->len), 0);
	}
	return out.q;
}

static void tape_insert(struct tape *t, u32 at, struct sec s)
{
	memmove(&t->sec[at + 1], &t->sec[at], (t->n - at) * sizeof(t->sec[0]));
	t->sec[at] = s;
	t->n++;
}

void tape_edit(struct tape *t, enum edit edit, u32 at, u64 arg, u64 val, int bytes)
{
	struct sec *s = &t->sec[at], copy = *s;

	switch (edit) {
	case SET:
		assert_true(arg + (u64)bytes <= s->len);
		wire_store(s->data + arg, val, bytes);
		break;
	case REMOVE:
		free(s->data);
		memmove(s, s + 1, (--t->n - at) * sizeof(*s));
		break;
	case TWICE:
		copy.data = malloc(s->len + 1);
		memcpy(copy.data, s->data, s->len);
		tape_insert(t, at, copy);
		break;
	case SWAP:
		*s = t->sec[arg];
		t->sec[arg] = copy;
		break;
	case INSERT:
		tape_insert(t, at, (struct sec){(u32)val, 0, calloc(1, 8), 8});
		break;
	case SHORTER:
		s->len -= arg;
		break;
	case LONGER:
		s->data = realloc(s->data, s->len + arg);
		memset(s->data + s->len, 0, arg);
		s->len += arg;
		break;
	case INSTANCE:
		s->instance = (u32)arg;
	}
}
