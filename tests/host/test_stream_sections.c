// SPDX-License-Identifier: MIT
/* objects: migration/stream.o migration/stream_state.o migration/hash.o */
// Single sections that no writer makes, with checksums that are right: what the reader itself
// must refuse, whatever comes after.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/assert.h"
#include "migration/hash.h"
#include "migration/stream_state.h"
#include "migration/wire.h"

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}

/* A stream of one section, in memory. */
struct one {
	struct transport t;
	u8 data[4096], in[4096];
	size_t len, pos;
	struct stream_reader r;
};

static int put(struct transport *t, const void *buf, size_t len)
{
	struct one *o = container_of(t, struct one, t);

	assert_true(o->len + len <= sizeof(o->data));
	memcpy(o->data + o->len, buf, len);
	o->len += len;
	return 0;
}

static int get(struct transport *t, void *buf, size_t len)
{
	struct one *o = container_of(t, struct one, t);

	if (o->len - o->pos < len)
		return -EPIPE;
	memcpy(buf, o->data + o->pos, len);
	o->pos += len;
	return 0;
}

/* A state section with the @len bytes of @payload. */
static struct one *record(const void *payload, size_t len)
{
	struct one *o = calloc(1, sizeof(*o));
	u8 buf[STREAM_SECTION_HEADER + 256];
	struct stream_writer w;

	o->t = (struct transport){put, get};
	stream_writer_init(&w, &o->t, buf, sizeof(buf));
	memcpy(stream_writer_payload(&w), payload, len);
	assert_int_equal(stream_write_section(&w, SECTION_STATE, 0, len), 0);
	stream_reader_init(&o->r, &o->t, o->in, sizeof(o->in));
	return o;
}

static u8 *header_of(struct one *o)
{
	return o->data + STREAM_HEADER_SIZE;
}

/* The checksum as the format says: of the payload, seeded with that of the header before it. */
static void sign(struct one *o)
{
	u8 *h = header_of(o);

	wire_store(h + 24,
		   hash64(h + STREAM_SECTION_HEADER, wire_load(h + 16, 4), hash64(h, 24, 0)), 8);
}

static void test_header_fields(void **state)
{
	static const struct {
		int at;
		u64 value;
		int bytes;
		enum stream_fault fault;
	} cases[] = {
		{0, 99, 4, STREAM_NONE}, /* the type is for those who know the sections */
		{4, 7, 4, STREAM_NONE},		 {8, 1, 8, STREAM_REORDERED},
		{8, ~0ull, 8, STREAM_REORDERED}, {16, 4097, 4, STREAM_OVERSIZE},
		{20, 1, 4, STREAM_FORMAT},	 {20, 1u << 31, 4, STREAM_FORMAT},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct one *o = record("payload", 7);
		struct section s;

		wire_store(header_of(o) + cases[i].at, cases[i].value, cases[i].bytes);
		if (cases[i].at != 16)
			sign(o);
		assert_int_equal(stream_read_section(&o->r, &s), cases[i].fault ? -EBADMSG : 0);
		assert_int_equal(o->r.error.fault, cases[i].fault);
		free(o);
	}
}

/* What was found wrong stays so: the reader reads no further, and the first reason is kept. */
static void test_a_fault_stays(void **state)
{
	struct one *o = record("payload", 7);
	struct section s;

	(void)state;
	wire_store(header_of(o) + 20, 1, 4);
	sign(o);
	assert_int_equal(stream_read_section(&o->r, &s), -EBADMSG);
	wire_store(header_of(o) + 20, 0, 4);
	sign(o);
	o->pos = STREAM_HEADER_SIZE;
	assert_int_equal(stream_read_section(&o->r, &s), -EBADMSG);
	assert_int_equal(o->pos, STREAM_HEADER_SIZE);
	assert_int_equal(stream_fail(&o->r.error, STREAM_CUT, "later"), -EBADMSG);
	assert_int_equal(o->r.error.fault, STREAM_FORMAT);
	assert_null(strstr(o->r.error.why, "later"));
	free(o);
}

struct small {
	u32 a, b;
};
static const struct state_field fields[] = {
	STATE_FIELD(struct small, a),
	STATE_FIELD(struct small, b),
};
static const struct state_desc desc = {
	.name = "small",
	.version = 1,
	.size = sizeof(struct small),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

/* However little of a state came, the reason is that it is too short. */
static void test_short_states(void **state)
{
	static const u8 whole[] = {5, 0, 's', 'm', 'a', 'l', 'l', 1, 0, 0, 0, 2, 0,
				   0, 0, 1,   0,   'a', 4,   0,	  0, 0, 1, 2, 3, 4,
				   1, 0, 'b', 4,   0,	0,   0,	  5, 6, 7, 8};

	(void)state;
	for (size_t len = 0; len <= sizeof(whole); len++) {
		struct one *o = record(whole, len);
		struct small out = {0};
		struct section s;

		assert_int_equal(stream_read_section(&o->r, &s), 0);
		assert_int_equal(state_read(&s, &desc, &out, &o->r.error),
				 len < sizeof(whole) ? -EBADMSG : 0);
		assert_int_equal(o->r.error.fault,
				 len < sizeof(whole) ? STREAM_FORMAT : STREAM_NONE);
		if (len == sizeof(whole))
			assert_true(out.a == 0x04030201 && out.b == 0x08070605);
		free(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_fields),
		cmocka_unit_test(test_a_fault_stays),
		cmocka_unit_test(test_short_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
