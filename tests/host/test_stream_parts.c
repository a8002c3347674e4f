// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o tests/host/stream_tape.o
 */
// What sections hold, by itself: batches of pages, described structs, the hash.
#include "migration/hash.h"
#include "tests/host/stream_tape.h"

/* --- batches of pages --- */

struct batch_fixture {
	struct tape_transport t;
	struct stream_writer w;
	struct ram_batch batch;
	u8 buf[STREAM_SECTION_HEADER + STREAM_MAX_PAYLOAD];
	u8 pages[100][PAGE_SIZE];
};

static void test_batches_of_pages(void **state)
{
	struct batch_fixture *f = calloc(1, sizeof(*f));
	const struct migration_config cfg = {.nr_slots = 1, .slots = {{0, 0, 1000, 5000}}};
	u32 kinds[RAM_KIND_NR] = {0}, sections = 0;
	u8 page[PAGE_SIZE];
	size_t pos = STREAM_HEADER_SIZE;
	u64 next = 1000;

	(void)state;
	f->t.t.write = tape_transport_write;
	stream_writer_init(&f->w, &f->t.t, f->buf, sizeof(f->buf));
	ram_batch_init(&f->batch, &f->w, true);
	for (u64 i = 0; i < 5000; i++) {
		u8 *p = f->pages[i % 100];

		for (size_t k = 0; k < PAGE_SIZE && i < 100; k++)
			p[k] = i % 3 == 0 ? 0 : i % 3 == 1 ? (u8)i : (u8)rand();
		assert_int_equal(
			ram_batch_add(&f->batch, 0, 1000 + i, i % 3 == 0 || i >= 2000 ? NULL : p),
			0);
	}
	assert_int_equal(ram_batch_flush(&f->batch), 0);
	assert_int_equal(ram_batch_flush(&f->batch), 0); /* empty: sends nothing */
	for (; pos < f->t.q.len; sections++) {
		const u8 *h = f->t.q.data + pos;
		struct section s = {
			.type = SECTION_RAM,
			.len = (u32)wire_load(h + 16, 4),
			.payload = h + STREAM_SECTION_HEADER,
		};
		struct stream_error e = {0};
		struct ram_reader r;
		struct ram_entry entry;

		assert_true(s.len <= STREAM_MAX_PAYLOAD);
		assert_int_equal(ram_reader_init(&r, &s, &cfg, next, &e), 0);
		while (ram_reader_next(&r, &entry, &e) > 0) {
			assert_int_equal(entry.gfn, next);
			next += entry.npages;
			kinds[entry.kind] += entry.npages;
			if (entry.kind == RAM_ZERO)
				continue;
			assert_int_equal(ram_entry_decode(&entry, page, &e), 0);
			assert_memory_equal(page, f->pages[(entry.gfn - 1000) % 100], PAGE_SIZE);
		}
		assert_int_equal(e.fault, STREAM_NONE);
		pos += STREAM_SECTION_HEADER + s.len;
	}
	assert_int_equal(next, 6000);
	assert_int_equal(kinds[RAM_ZERO] + kinds[RAM_RAW] + kinds[RAM_LZ4], 5000);
	assert_true(kinds[RAM_LZ4] > 400 && kinds[RAM_RAW] > 400);
	assert_true(sections > 1);
	free(f->t.q.data);
	free(f);
}

/* --- states --- */

struct pair {
	u16 one, two;
};
static const struct state_field pair_fields[] = {
	STATE_FIELD(struct pair, one),
	STATE_FIELD(struct pair, two),
};
static const struct state_desc pair_desc = {"pair", 1, sizeof(struct pair), 2, pair_fields};

static enum stream_fault read_pair(const char *names[], u32 n, struct pair *p)
{
	u8 buf[200];
	struct wire_out out;
	struct section s = {.type = SECTION_STATE, .payload = buf};
	struct stream_error e = {0};

	wire_out_init(&out, buf, sizeof(buf));
	wire_put_name(&out, "pair");
	wire_put_u32(&out, 1);
	wire_put_u32(&out, n);
	for (u32 i = 0; i < n; i++) {
		wire_put_name(&out, names[i]);
		wire_put_u32(&out, 2);
		wire_put_u16(&out, (u16)(100 + i));
	}
	s.len = (u32)out.len;
	assert_int_equal(state_read(&s, &pair_desc, p, &e), e.fault ? -EBADMSG : 0);
	return e.fault;
}

static void test_fields(void **state)
{
	struct pair p = {0};

	(void)state;
	assert_int_equal(read_pair((const char *[]){"one", "two"}, 2, &p), STREAM_NONE);
	assert_true(p.one == 100 && p.two == 101);
	assert_int_equal(read_pair((const char *[]){"two", "one"}, 2, &p), STREAM_NONE);
	assert_true(p.two == 100 && p.one == 101);
	assert_int_equal(read_pair((const char *[]){"one", "one"}, 2, &p), STREAM_FIELD_TWICE);
	assert_int_equal(read_pair((const char *[]){"one"}, 1, &p), STREAM_FIELD_MISSING);
	assert_int_equal(read_pair((const char *[]){"two"}, 1, &p), STREAM_FIELD_MISSING);
	assert_int_equal(read_pair((const char *[]){"one", "two", "six"}, 3, &p),
			 STREAM_FIELD_UNKNOWN);
	assert_int_equal(read_pair(NULL, 0, &p), STREAM_FIELD_MISSING);
}

/* A refusal is printed with the name in it, which must not look like lines of ours. */
static void test_names_are_printable(void **state)
{
	static const char *const bad[] = {"\nRESULT {}", "one\033[2J", "one\x7f", "\xc3\xa9"};
	struct pair p = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(read_pair((const char *[]){"one", bad[i]}, 2, &p), STREAM_FORMAT);
	assert_int_equal(read_pair((const char *[]){" ~"}, 1, &p), STREAM_FIELD_UNKNOWN);
}

/* xxHash64's own published values: a stream must mean the same to another implementation. */
static void test_hash(void **state)
{
	(void)state;
	assert_int_equal(hash64("", 0, 0), 0xef46db3751d8e999ull);
	assert_int_equal(hash64("abc", 3, 0), 0x44bc2cf5ad770999ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_of_pages),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_names_are_printable),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
