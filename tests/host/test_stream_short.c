// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o tests/host/stream_tape.o
 */
// A whole stream in which one section's payload is shorter than it should be, or another than the
// one that the totals were made of; all checksums are right.
#include "tests/host/stream_tape.h"

static enum stream_fault replay(struct model *m, const struct queue *q)
{
	if (m->dst.exists) {
		m->dst.runs = false;
		model_abandon(m);
	}
	m->to_dest.len = m->to_dest.pos = 0;
	m->to_source.len = m->to_source.pos = 0;
	queue_put(&m->to_dest, q->data, q->len);
	migration_dest_init(&m->dest, &model_dest_ops, m, &m->dest_end);
	if (migration_dest_run(&m->dest) == 0)
		return STREAM_NONE;
	return m->dest.error->fault;
}

static struct model *record(void)
{
	struct model *m = model_new(16, 22);

	assert_int_equal(model_migrate(m, NULL), 0);
	return m;
}

/* Each section cut to each length: the payload's form is what is wrong, and nothing else is read.
 */
static void test_every_length(void **state)
{
	struct model *m = record();

	(void)state;
	for (u32 at = 0; at < SECTIONS; at++) {
		size_t step, len = 0;
		struct tape t;

		tape_load(&t, &m->record);
		step = 1 + t.sec[at].len / 200;
		for (size_t full = t.sec[at].len; len < full; len += len < 64 ? 1 : step) {
			struct queue q;
			enum stream_fault fault;

			t.sec[at].len = len;
			q = tape_store(&t, true);
			fault = replay(m, &q);
			if (fault != STREAM_FORMAT)
				fail_msg("section %u of %zu bytes: %s", at, len,
					 stream_fault_name(fault));
			free(q.data);
		}
		tape_free(&t);
	}
	model_free(m);
}

/* The totals hold a hash over every section, those that are skipped among them. */
static void test_totals_of_all_sections(void **state)
{
	struct model *m = record();
	struct queue q, other;
	struct tape t;

	(void)state;
	tape_load(&t, &m->record);
	tape_edit(&t, INSERT, ROUND_1, 0, SECTION_OPTIONAL | 99, 0);
	q = tape_store(&t, true);
	assert_int_equal(replay(m, &q), STREAM_NONE);
	tape_edit(&t, SET, ROUND_1, 3, 'x', 1);
	other = tape_store(&t, false);
	assert_int_equal(other.len, q.len);
	assert_int_equal(replay(m, &other), STREAM_TOTALS);
	free(q.data);
	free(other.data);
	tape_free(&t);
	model_free(m);
}

static u32 pages_at_once, most_at_once;

static void *count_page(void *ctx, u32 slot, u64 page)
{
	most_at_once = MAX(most_at_once, ++pages_at_once);
	return model_dest_ops.page(ctx, slot, page);
}

static int count_yield(void *ctx)
{
	pages_at_once = 0;
	return model_dest_ops.yield(ctx);
}

/* One entry may name all of memory as zero: others must be let in while it is looked through. */
static void test_zero_run_yields(void **state)
{
	struct migration_dest_ops ops = model_dest_ops;
	struct model *m = model_new(200, 22);
	struct wire_out out;
	struct tape t;
	struct queue q;

	(void)state;
	ops.page = count_page;
	ops.yield = count_yield;
	assert_int_equal(model_migrate(m, NULL), 0);
	tape_load(&t, &m->record);
	assert_int_equal(t.sec[RAM_0].type, SECTION_RAM);
	wire_out_init(&out, t.sec[RAM_0].data, t.sec[RAM_0].len);
	wire_put_u64(&out, 1);
	wire_put_u64(&out, m->dest.cfg.slots[0].base);
	wire_put_u32(&out, 200);
	wire_put_u32(&out, RAM_ZERO);
	assert_false(out.overflow);
	t.sec[RAM_0].len = out.len;
	q = tape_store(&t, false);
	m->dst.runs = false;
	model_abandon(m);
	m->to_dest.len = m->to_dest.pos = 0;
	queue_put(&m->to_dest, q.data, q.len);
	migration_dest_init(&m->dest, &ops, m, &m->dest_end);
	assert_int_not_equal(migration_dest_run(&m->dest), 0);
	assert_true(m->dest.pages >= 200);
	assert_in_range(most_at_once, 1, 64);
	free(q.data);
	tape_free(&t);
	model_free(m);
}

static bool untouched;

/* The page's first bytes, which decompress well, are not there. */
static void look_and_abandon(void *ctx)
{
	struct model *m = ctx;

	untouched = memcmp(m->dst.mem[0], m->src.mem[0], 64) != 0;
	model_abandon(m);
}

/* A page that turns out to be broken at its end has not reached the machine's memory. */
static void test_a_broken_page_leaves_memory_alone(void **state)
{
	struct model *m = model_new(16, 23);
	struct migration_dest_ops ops = model_dest_ops;
	struct queue q;
	struct tape t;
	u64 size;

	(void)state;
	for (size_t i = 0; i < PAGE_SIZE; i++)
		m->src.mem[0][i] = i < 2000 ? (u8)(1 + model_random(m) % 255) : 0x55;
	assert_int_equal(model_migrate(m, NULL), 0);
	m->dst.runs = false;
	model_abandon(m);
	tape_load(&t, &m->record);
	size = wire_load(t.sec[RAM_0].data + 22, 2);
	assert_true(size > 2000 && size < PAGE_SIZE);
	memset(t.sec[RAM_0].data + 24 + size - 12, 0xff, 12);
	q = tape_store(&t, true);
	m->to_dest.len = m->to_dest.pos = 0;
	queue_put(&m->to_dest, q.data, q.len);
	ops.abandon = look_and_abandon;
	untouched = false;
	migration_dest_init(&m->dest, &ops, m, &m->dest_end);
	assert_int_not_equal(migration_dest_run(&m->dest), 0);
	assert_int_equal(m->dest.error->fault, STREAM_COMPRESSION);
	assert_true(untouched);
	free(q.data);
	tape_free(&t);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_totals_of_all_sections),
		cmocka_unit_test(test_zero_run_yields),
		cmocka_unit_test(test_a_broken_page_leaves_memory_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
