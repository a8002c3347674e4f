// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o tests/host/stream_tape.o
 */
// The stream's reader against streams that are damaged: cut anywhere, any byte altered, and,
// with all checksums right again, everything that the writer would never write.
#include "migration/hash.h"
#include "tests/host/stream_tape.h"

/* A small machine with one page of each kind at the start of slot 0, and its stream. */
static struct model *record(void)
{
	struct model *m = model_new(16, 21);

	memset(m->src.mem[0], 0x11, PAGE_SIZE);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		m->src.mem[0][PAGE_SIZE + i] = (u8)(model_random(m) >> 24);
	memset(m->src.mem[0] + 2 * PAGE_SIZE, 0, PAGE_SIZE);
	assert_int_equal(model_migrate(m, NULL), 0);
	return m;
}

/* Gives @len bytes to a fresh destination. Returns its fault, after checking that it let go. */
static enum stream_fault replay(struct model *m, const u8 *data, size_t len)
{
	if (m->dst.exists) {
		m->dst.runs = false;
		model_abandon(m);
	}
	m->to_dest.len = m->to_dest.pos = 0;
	m->to_source.len = m->to_source.pos = 0;
	queue_put(&m->to_dest, data, len);
	migration_dest_init(&m->dest, &model_dest_ops, m, &m->dest_end);
	if (migration_dest_run(&m->dest) == 0) {
		assert_true(m->dst.runs);
		assert_int_equal(m->dest.error->fault, STREAM_NONE);
		return STREAM_NONE;
	}
	assert_false(m->dst.exists);
	assert_int_not_equal(m->dest.error->fault, STREAM_NONE);
	assert_true(m->dest.error->why[0] != '\0');
	return m->dest.error->fault;
}

static void test_replay(void **state)
{
	struct model *m = record();
	struct queue q;
	struct tape t;

	(void)state;
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
	assert_true(model_same_memory(m));
	/* Taking it apart and putting it together gives the same bytes. */
	tape_load(&t, &m->record);
	q = tape_store(&t, true);
	assert_int_equal(q.len, m->record.len);
	assert_memory_equal(q.data, m->record.data, q.len);
	free(q.data);
	tape_free(&t);
	model_free(m);
}

static void test_every_prefix(void **state)
{
	struct model *m = record();

	(void)state;
	for (size_t len = 0; len < m->record.len; len++)
		assert_int_equal(replay(m, m->record.data, len), STREAM_CUT);
	model_free(m);
}

static void test_every_byte_altered(void **state)
{
	struct model *m = record();

	(void)state;
	for (size_t i = 0; i < m->record.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			m->record.data[i] ^= (u8)(1 << bit);
			assert_int_not_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
			m->record.data[i] ^= (u8)(1 << bit);
		}
	}
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_NONE);
	model_free(m);
}

/* Where things are: stream_config.c, stream_ram.c, stream_state.c, migration.h. */
static const struct {
	enum edit edit;
	u32 at; /* section */
	u64 arg, val;
	int bytes;
	enum stream_fault fault;
} edits[] = {
	{INSERT, 2, 0, 99, 0, STREAM_UNKNOWN},
	{INSERT, 2, 0, SECTION_OPTIONAL | 99, 0, STREAM_NONE},
	{INSERT, GO, 0, SECTION_OPTIONAL | 99, 0, STREAM_NONE},
	{INSERT, 2, 0, SECTION_ANSWER, 0, STREAM_ORDER},
	{INSERT, 2, 0, SECTION_GO, 0, STREAM_ORDER},
	{REMOVE, CONFIG, 0, 0, 0, STREAM_ORDER},
	{TWICE, CONFIG, 0, 0, 0, STREAM_ORDER},
	{SHORTER, CONFIG, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, CONFIG, 60, 0, 0, STREAM_FORMAT},
	{LONGER, CONFIG, 1, 0, 0, STREAM_FORMAT},
	{SET, CONFIG, 20, 0, 4, STREAM_CONFIG}, /* no slots */
	{SET, CONFIG, 20, 9, 4, STREAM_CONFIG}, /* too many */
	{SET, CONFIG, 20, 0xffffffff, 4, STREAM_CONFIG},
	{SET, CONFIG, 24, 0xffff, 2, STREAM_FORMAT}, /* the vendor's name */
	{SET, CONFIG, 59, 3, 8, STREAM_CONFIG},	     /* slot 1 begins within slot 0 */
	{SET, CONFIG, 59, ~0ull, 8, STREAM_CONFIG},
	{SET, CONFIG, 45, 0, 8, STREAM_CONFIG}, /* slot 0 is empty */
	{SET, CONFIG, 45, ~0ull, 8, STREAM_CONFIG},
	{SET, CONFIG, 45, BIT(20), 8, STREAM_CONFIG}, /* more than the machine has */
	{REMOVE, ROUND_1, 0, 0, 0, STREAM_ORDER},
	{TWICE, ROUND_1, 0, 0, 0, STREAM_ORDER},
	{SET, ROUND_1, 0, 2, 4, STREAM_ORDER},
	{SET, ROUND_1, 4, 2, 4, STREAM_ORDER},
	{SET, ROUND_1, 4, ROUND_FINAL, 4, STREAM_ORDER}, /* then round 2 comes after the last */
	{SHORTER, ROUND_1, 1, 0, 0, STREAM_FORMAT},
	{LONGER, ROUND_1, 1, 0, 0, STREAM_FORMAT},
	{SET, ROUND_2, 4, 0, 4, STREAM_ORDER}, /* states before the last round */
	{REMOVE, ROUND_2, 0, 0, 0, STREAM_ORDER},
	{SWAP, ROUND_1, RAM_0, 0, 0, STREAM_ORDER},
	{SWAP, RAM_0, RAM_1, 0, 0, STREAM_OVERLAP},
	{TWICE, RAM_0, 0, 0, 0, STREAM_OVERLAP},
	{TWICE, RAM_1, 0, 0, 0, STREAM_OVERLAP},
	{REMOVE, RAM_0, 0, 0, 0, STREAM_INCOMPLETE},
	{REMOVE, RAM_1, 0, 0, 0, STREAM_INCOMPLETE},
	{INSTANCE, RAM_1, 2, 0, 0, STREAM_GFN},
	{INSTANCE, RAM_1, 0xffffffff, 0, 0, STREAM_GFN},
	{INSTANCE, RAM_1, 0, 0, 0, STREAM_GFN},
	{SET, RAM_0, 0, 0, 4, STREAM_FORMAT}, /* entries */
	{SET, RAM_0, 0, 1, 4, STREAM_FORMAT},
	{SET, RAM_0, 0, 0xffffffff, 4, STREAM_FORMAT},
	{SET, RAM_0, 4, 1, 4, STREAM_FORMAT},
	{SHORTER, RAM_0, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, RAM_0, 30, 0, 0, STREAM_FORMAT},
	{LONGER, RAM_0, 1, 0, 0, STREAM_FORMAT},
	{SET, RAM_0, 8, 16, 8, STREAM_GFN}, /* one after slot 0's last */
	{SET, RAM_0, 8, ~0ull, 8, STREAM_GFN},
	{SET, RAM_1, 8, 0xfffff, 8, STREAM_GFN}, /* one before slot 1's first */
	{SET, RAM_0, 16, 2, 4, STREAM_FORMAT},	 /* two pages, data for one */
	{SET, RAM_0, 16, 0, 4, STREAM_FORMAT},
	{SET, RAM_0, 20, RAM_ZERO, 2, STREAM_FORMAT}, /* zero, with data */
	{SET, RAM_0, 20, RAM_RAW, 2, STREAM_FORMAT},  /* raw, of an LZ4 page's size */
	{SET, RAM_0, 20, RAM_KIND_NR, 2, STREAM_FORMAT},
	{SET, RAM_0, 22, 0xffff, 2, STREAM_FORMAT}, /* size of the data */
	{SET, RAM_0, 22, 0, 2, STREAM_FORMAT},
	{SET, RAM_0, 24, 0xffffffff, 4, STREAM_COMPRESSION},
	{SET, RAM_0, 26, 0xffff, 2, STREAM_COMPRESSION}, /* a match before the beginning */
	{SWAP, RAM_1, CPU_0, 0, 0, STREAM_ORDER},
	{SWAP, CPU_0, UART, 0, 0, STREAM_ORDER},
	{REMOVE, UART, 0, 0, 0, STREAM_ORDER},
	{REMOVE, CPU_1, 0, 0, 0, STREAM_INCOMPLETE},
	{TWICE, CPU_0, 0, 0, 0, STREAM_STATE_TWICE},
	{INSTANCE, CPU_1, 5, 0, 0, STREAM_STATE_UNKNOWN},
	{SET, CPU_0, 2, 'x', 1, STREAM_STATE_UNKNOWN},
	{SET, CPU_0, 0, 0xffff, 2, STREAM_FORMAT},
	{SET, CPU_0, 5, 2, 4, STREAM_STATE_VERSION},
	{SET, CPU_0, 5, 0, 4, STREAM_STATE_VERSION},
	{SET, CPU_0, 9, 3, 4, STREAM_FORMAT}, /* fields */
	{SET, CPU_0, 9, 0xffffffff, 4, STREAM_FORMAT},
	{SET, CPU_0, 15, 'x', 1, STREAM_FIELD_UNKNOWN},
	{SET, CPU_0, 19, 31, 4, STREAM_FIELD_SIZE},
	{SET, CPU_0, 19, 0xffffffff, 4, STREAM_FORMAT},
	{SHORTER, CPU_0, 1, 0, 0, STREAM_FORMAT},
	{LONGER, CPU_0, 1, 0, 0, STREAM_FORMAT},
	{SET, CPU_0, 65, 0x4321, 4, STREAM_STATE_DIFFERS}, /* another value than the source's */
	{REMOVE, VERIFY, 0, 0, 0, STREAM_ORDER},
	{TWICE, VERIFY, 0, 0, 0, STREAM_ORDER},
	{SWAP, CPU_1, VERIFY, 0, 0, STREAM_INCOMPLETE},
	{SHORTER, VERIFY, 1, 0, 0, STREAM_FORMAT},
	{SHORTER, VERIFY, 100, 0, 0, STREAM_FORMAT},
	{LONGER, VERIFY, 1, 0, 0, STREAM_FORMAT},
	{SET, VERIFY, 0, 3, 4, STREAM_FORMAT}, /* flags */
	{SET, VERIFY, 4, 1, 4, STREAM_FORMAT},
	{SET, VERIFY, 8, 1, 8, STREAM_MEMORY_DIFFERS},
	{SET, VERIFY, 16, 1, 8, STREAM_MEMORY_DIFFERS},
	{SET, VERIFY, 24, 1, 4, STREAM_FORMAT}, /* fields of the first state */
	{SET, VERIFY, 28, 1, 8, STREAM_STATE_DIFFERS},
	{REMOVE, END, 0, 0, 0, STREAM_ORDER},
	{TWICE, END, 0, 0, 0, STREAM_ORDER},
	{SHORTER, END, 1, 0, 0, STREAM_FORMAT},
	{LONGER, END, 1, 0, 0, STREAM_FORMAT},
	{SET, END, 0, 1, 8, STREAM_TOTALS},
	{LONGER, GO, 1, 0, 0, STREAM_FORMAT},
	{REMOVE, GO, 0, 0, 0, STREAM_CUT},
};

static void test_everything_the_writer_would_not_write(void **state)
{
	struct model *m = record();
	u32 wrong = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(edits); i++) {
		enum stream_fault fault;
		struct queue q;
		struct tape t;

		tape_load(&t, &m->record);
		tape_edit(&t, edits[i].edit, edits[i].at, edits[i].arg, edits[i].val,
			  edits[i].bytes);
		q = tape_store(&t, true);
		fault = replay(m, q.data, q.len);
		if (fault != edits[i].fault) {
			print_error("edit %u: %s instead of %s: %s\n", i, stream_fault_name(fault),
				    stream_fault_name(edits[i].fault), m->dest.error->why);
			wrong++;
		}
		free(q.data);
		tape_free(&t);
	}
	assert_int_equal(wrong, 0);
	model_free(m);
}

/* The end's totals notice what the sequence does not: a section more, or other bytes. */
static void test_totals(void **state)
{
	struct model *m = record();

	(void)state;
	for (u64 off = 8; off < END_SIZE; off += 8) {
		struct queue q;
		struct tape t;

		tape_load(&t, &m->record);
		tape_edit(&t, SET, END, off, 12345, 8);
		q = tape_store(&t, false);
		assert_int_equal(replay(m, q.data, q.len), STREAM_TOTALS);
		free(q.data);
		tape_free(&t);
	}
	model_free(m);
}

/* Whole sections, with their own checksums right, in the wrong place. */
static void test_sequence(void **state)
{
	struct model *m = record();
	size_t first = STREAM_HEADER_SIZE;
	size_t len = STREAM_SECTION_HEADER + wire_load(m->record.data + first + 16, 4);
	struct queue q = {0};

	(void)state;
	queue_put(&q, m->record.data, first + len);
	queue_put(&q, m->record.data + first, m->record.len - first);
	assert_int_equal(replay(m, q.data, q.len), STREAM_DUPLICATED);
	q.len = 0;
	queue_put(&q, m->record.data, first);
	queue_put(&q, m->record.data + first + len, m->record.len - first - len);
	assert_int_equal(replay(m, q.data, q.len), STREAM_REORDERED);
	free(q.data);
	model_free(m);
}

static void test_header(void **state)
{
	static const struct {
		size_t off;
		u32 val;
		bool fix; /* the checksum */
		enum stream_fault fault;
	} cases[] = {
		{0, 0, true, STREAM_NOT_OURS}, {8, STREAM_VERSION + 1, false, STREAM_NEWER},
		{8, 0, true, STREAM_OLDER},    {12, 4, false, STREAM_CHECKSUM},
		{12, 4, true, STREAM_FLAGS},   {16, 8192, true, STREAM_PAGE_SIZE},
		{20, 1, true, STREAM_FLAGS},   {24, 1, false, STREAM_CHECKSUM},
	};
	struct model *m = record();

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 *copy = malloc(m->record.len);

		memcpy(copy, m->record.data, m->record.len);
		wire_store(copy + cases[i].off, cases[i].val, 4);
		if (cases[i].fix)
			wire_store(copy + 24, hash64(copy, 24, 0), 8);
		assert_int_equal(replay(m, copy, m->record.len), cases[i].fault);
		free(copy);
	}
	model_free(m);
}

static void test_oversize(void **state)
{
	struct model *m = record();
	u8 *h = m->record.data + STREAM_HEADER_SIZE;

	(void)state;
	wire_store(h + 16, STREAM_MAX_PAYLOAD + 1, 4);
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_OVERSIZE);
	wire_store(h + 16, 0xffffffff, 4);
	assert_int_equal(replay(m, m->record.data, m->record.len), STREAM_OVERSIZE);
	model_free(m);
}

/* Each fault has a word of its own, for people and for scripts. */
static void test_fault_names(void **state)
{
	(void)state;
	for (u32 i = 0; i < STREAM_FAULT_NR; i++) {
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(stream_fault_name(i), stream_fault_name(k));
	}
	assert_string_equal(stream_fault_name(STREAM_FAULT_NR), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_byte_altered),
		cmocka_unit_test(test_everything_the_writer_would_not_write),
		cmocka_unit_test(test_totals),
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_fault_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
