// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/stream.o migration/stream_state.o migration/hash.o
 * kernel/vcpu_state.o devices/uart.o devices/line.o devices/pic.o devices/pit.o
 * devices/pit_counter.o devices/rtc.o lib/calendar.o devices/lapic.o devices/lapic_regs.o
 * devices/lapic_timer.o devices/ioapic.o svm/nested_state.o svm/nested_check.o
 */
// The structs that really move, through the stream and out again: every byte of them arrives, and
// a field that one side's table has not got is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/uart.h"
#include "kernel/vcpu.h"
#include "lib/assert.h"
#include "migration/stream_state.h"
#include "svm/nested_state.h"

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}

static const struct state_desc *const descs[] = {
	&vcpu_state_desc, &uart_state_desc,  &pic_state_desc,	 &pit_state_desc,
	&rtc_state_desc,  &lapic_state_desc, &ioapic_state_desc, &svm_nested_state_desc,
};

/* A stream of one section, in memory. */
struct one_section {
	struct transport t;
	struct stream_writer w;
	struct stream_reader r;
	u8 data[STREAM_MAX_PAYLOAD], in[STREAM_MAX_PAYLOAD];
	u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	size_t len, pos;
};

static int put(struct transport *t, const void *buf, size_t len)
{
	struct one_section *o = container_of(t, struct one_section, t);

	assert_true(o->len + len <= sizeof(o->data));
	memcpy(o->data + o->len, buf, len);
	o->len += len;
	return 0;
}

static int get(struct transport *t, void *buf, size_t len)
{
	struct one_section *o = container_of(t, struct one_section, t);

	if (o->len - o->pos < len)
		return -EPIPE;
	memcpy(buf, o->data + o->pos, len);
	o->pos += len;
	return 0;
}

/* Writes @state by @from and reads it by @to. Returns the fault. */
static enum stream_fault through(const struct state_desc *from, const void *state,
				 const struct state_desc *to, void *out)
{
	struct one_section *o = calloc(1, sizeof(*o));
	enum stream_fault fault;
	char name[STATE_NAME_MAX];
	struct section s;

	o->t = (struct transport){put, get};
	stream_writer_init(&o->w, &o->t, o->buf, sizeof(o->buf));
	stream_reader_init(&o->r, &o->t, o->in, sizeof(o->in));
	assert_int_equal(state_write(&o->w, from, 3, state), 0);
	assert_int_equal(stream_read_section(&o->r, &s), 0);
	assert_true(s.type == SECTION_STATE && s.instance == 3);
	assert_int_equal(state_read_name(&s, name, &o->r.error), 0);
	assert_string_equal(name, to->name);
	assert_int_equal(state_read(&s, to, out, &o->r.error), o->r.error.fault ? -EBADMSG : 0);
	fault = o->r.error.fault;
	free(o);
	return fault;
}

static void test_every_byte_arrives(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(descs); i++) {
		u32 size = descs[i]->size;
		u8 *in = malloc(size), *out = malloc(size);

		assert_true(size <= STATE_MAX_SIZE && descs[i]->nr_fields <= STATE_MAX_FIELDS);
		for (u32 b = 0; b < size; b++) {
			in[b] = (u8)(1 + rand() % 255);
			out[b] = 0;
		}
		assert_int_equal(through(descs[i], in, descs[i], out), STREAM_NONE);
		assert_memory_equal(in, out, size);
		free(in);
		free(out);
	}
}

/* One side's table lacks any one field, or has it in another size. */
static void test_tables_that_differ(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(descs); i++) {
		const struct state_desc *d = descs[i];
		u8 *in = calloc(1, d->size), *out = calloc(1, d->size);

		for (u32 f = 0; f < d->nr_fields; f++) {
			struct state_field *fields = calloc(d->nr_fields, sizeof(*fields));
			struct state_desc other = *d;

			other.fields = fields;
			memcpy(fields, d->fields, d->nr_fields * sizeof(*fields));
			fields[f].size--;
			assert_int_equal(through(d, in, &other, out), STREAM_FIELD_SIZE);
			memmove(&fields[f], &fields[f + 1],
				(d->nr_fields - f - 1) * sizeof(*fields));
			other.nr_fields--;
			assert_int_equal(through(&other, in, d, out), STREAM_FIELD_MISSING);
			assert_int_equal(through(d, in, &other, out), STREAM_FIELD_UNKNOWN);
			free(fields);
		}
		free(in);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_arrives),
		cmocka_unit_test(test_tables_that_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
