// SPDX-License-Identifier: MIT
/* objects: ext/lz4.o migration/engine.o migration/round.o migration/switchover.o migration/dest*.o
 * migration/state_hash.o migration/stream*.o migration/memhash.o migration/hash.o
 * tests/host/migration_model*.o
 */
// The round while the guest stands still: it brings all that was dirty, wherever that is, and what
// is written after it is noticed even where nobody compares the memory.
#include "tests/host/migration_model.h"

/* More than two chunks of the log. */
#define PAGES (2 * MIGRATION_CHUNK_PAGES + 100)

static struct migration_source_ops ops;
static int (*real_pause)(void *ctx);
static const u64 *late;
static u32 nr_late;

/* The guest's last writes: here and there in the large slot. */
static int pause_after_writing(void *ctx)
{
	struct model *m = ctx;

	for (u32 i = 0; i < nr_late; i++)
		model_write_page(m, 0, late[i]);
	return real_pause(ctx);
}

static struct state_set_ops state_ops;
static int (*real_save)(void *ctx, u32 index, void *state);

/* Somebody writes to the guest's memory while its states are saved. */
static int save_and_write(void *ctx, u32 index, void *state)
{
	struct model *m = ctx;

	if (index == 1 && m->dirty[0] && m->logging && nr_late) {
		nr_late = 0;
		model_write_page(m, 0, 5);
	}
	return real_save(ctx, index, state);
}

static struct migration_dest_ops dest_ops;

/* The model's destination takes small machines only. */
static int create_large(void *ctx, const struct migration_config *cfg, struct state_set *states,
			char *why, size_t size)
{
	struct model *m = ctx;

	(void)why, (void)size;
	for (int i = 0; i < MODEL_SLOTS; i++)
		m->dst.mem[i] = calloc(cfg->slots[i].npages, PAGE_SIZE);
	m->dst.exists = true;
	*states = (struct state_set){&model_dest_states, m};
	return 0;
}

static int migrate(struct model *m, bool verify)
{
	struct state_set states = {&state_ops, m};
	struct migration_params params;
	int err;

	migration_params_default(&params);
	params.verify = verify;
	migration_init(&m->source, &ops, m, &states, &params, &m->source_end);
	migration_dest_init(&m->dest, &dest_ops, m, &m->dest_end);
	err = migration_run(&m->source);
	while (!m->dest_done)
		model_dest_step(m);
	return err;
}

static void hook(void)
{
	ops = model_source_ops;
	state_ops = model_source_states;
	dest_ops = model_dest_ops;
	dest_ops.create = create_large;
	real_pause = ops.pause;
	real_save = state_ops.save;
}

static void test_all_chunks(void **state)
{
	static const u64 pages[] = {0,
				    MIGRATION_CHUNK_PAGES - 1,
				    MIGRATION_CHUNK_PAGES,
				    2 * MIGRATION_CHUNK_PAGES - 1,
				    2 * MIGRATION_CHUNK_PAGES,
				    PAGES - 1};
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		struct model *m = model_new(PAGES, 40 + i);

		hook();
		ops.pause = pause_after_writing;
		late = &pages[i];
		nr_late = 1;
		assert_int_equal(migrate(m, false), 0);
		assert_true(model_same_memory(m));
		model_free(m);
	}
}

static void test_written_while_paused(void **state)
{
	(void)state;
	for (int verify = 0; verify < 2; verify++) {
		struct model *m = model_new(64, 50);

		hook();
		state_ops.save = save_and_write;
		nr_late = 1;
		assert_int_equal(migrate(m, verify), -EIO);
		assert_int_equal(m->source.info.status, MIGRATION_STATUS_FAILED);
		assert_non_null(strstr(m->source.info.error, "1 pages were written"));
		model_check_taken_back(m);
		model_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_chunks),
		cmocka_unit_test(test_written_while_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
