// SPDX-License-Identifier: MIT
/* kernel/buddy.c with made-up memory: who owns each frame, splitting, joining, big pieces last. */
// objects: kernel/buddy.o
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/buddy.h"
#include "lib/assert.h"

#define SECTIONS 4
#define G	 BUDDY_SECTION_FRAMES /* frames in 1 GiB */

void assert_failed(const char *expr, const char *file, int line)
{
	mock_assert(0, expr, file, line);
	abort();
}

static struct buddy *setup(void)
{
	struct buddy *b = malloc(sizeof(*b));
	struct frame **sections = calloc(SECTIONS, sizeof(*sections));

	/* Section 2 is a hole. */
	for (int i = 0; i < SECTIONS; i++)
		sections[i] = i == 2 ? NULL : calloc(G, sizeof(struct frame));
	buddy_init(b, sections, SECTIONS);
	return b;
}

static void teardown(struct buddy *b)
{
	for (int i = 0; i < SECTIONS; i++)
		free(b->sections[i]);
	free(b->sections);
	free(b);
}

static void test_levels(void **state)
{
	struct buddy *b = setup();
	u64 at;

	(void)state;
	buddy_add(b, 512, G);
	buddy_add(b, G, 2 * G);
	buddy_add(b, 3 * G, 4 * G);
	assert_int_equal(buddy_available(b, 18), 2);
	assert_int_equal(buddy_available(b, 9), 511 + 2 * 512);
	assert_int_equal(b->free_frames, 3 * G - 512);
	/* Small pieces come from the broken gigabyte as long as it lasts. */
	for (u64 i = 0; i < 511; i++) {
		assert_int_equal(buddy_alloc(b, 9, &at), 0);
		assert_true(at < G && at >= 512 && at % 512 == 0);
	}
	assert_int_equal(buddy_available(b, 18), 2);
	assert_int_equal(buddy_alloc(b, 0, &at), 0);
	assert_true(at >= G);
	assert_int_equal(buddy_available(b, 18), 1);
	buddy_free(b, at, 0);
	assert_int_equal(buddy_available(b, 18), 2);
	assert_int_equal(buddy_alloc(b, 18, &at), 0);
	assert_int_equal(at % G, 0);
	assert_int_equal(buddy_alloc(b, 18, &at), 0);
	assert_int_equal(buddy_alloc(b, 18, &at), -ENOMEM);
	assert_int_equal(buddy_alloc(b, 0, &at), -ENOMEM);
	assert_int_equal(b->free_frames, 0);
	teardown(b);
}

/* A piece of a 1G frame is in use: small ones are taken beside it, not from a whole 1G. */
static void test_big_last(void **state)
{
	struct buddy *b = setup();
	u64 first, at;

	(void)state;
	buddy_add(b, 0, 2 * G);
	assert_int_equal(buddy_alloc(b, 0, &first), 0);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(buddy_alloc(b, 0, &at), 0);
		assert_int_equal(at / G, first / G);
	}
	assert_int_equal(buddy_alloc(b, 9, &at), 0);
	assert_int_equal(at / G, first / G);
	assert_int_equal(buddy_available(b, 18), 1);
	teardown(b);
}

static void test_private(void **state)
{
	struct buddy *b = setup();
	u64 at;

	(void)state;
	buddy_add(b, 0, 1024);
	assert_int_equal(buddy_alloc(b, 9, &at), 0);
	for (u64 i = 0; i < 512; i++) {
		assert_int_equal(buddy_frame(b, at + i)->private, 0);
		buddy_frame(b, at + i)->private = ~i;
	}
	buddy_free(b, at, 9);
	/* Whole again, and in pieces. */
	assert_int_equal(buddy_alloc(b, 9, &at), 0);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(buddy_frame(b, at + i)->private, 0);
	buddy_free(b, at, 9);
	for (int i = 0; i < 1024; i++) {
		assert_int_equal(buddy_alloc(b, 0, &at), 0);
		assert_int_equal(buddy_frame(b, at)->private, 0);
	}
	assert_null(buddy_frame(b, 2 * G));
	assert_null(buddy_frame(b, SECTIONS * G));
	teardown(b);
}

static void test_misuse(void **state)
{
	struct buddy *b = setup();
	u64 at;

	(void)state;
	buddy_add(b, 0, 1024);
	assert_int_equal(buddy_alloc(b, 1, &at), 0);
	expect_assert_failure(buddy_free(b, at, 0));
	expect_assert_failure(buddy_free(b, at + 1, 0));
	buddy_free(b, at, 1);
	expect_assert_failure(buddy_free(b, at, 1));
	expect_assert_failure(buddy_free(b, 2 * G, 0));
	expect_assert_failure(buddy_add(b, 100, 101));
	teardown(b);
}

#define FRAMES 4096
#define BLOCKS 600

struct model {
	bool owned[FRAMES];
	struct {
		u64 first;
		unsigned int order;
		bool used;
	} blocks[BLOCKS];
	u64 free;
};

static void model_flip(struct model *m, u64 first, unsigned int order, bool take)
{
	for (u64 i = first; i < first + BIT(order); i++) {
		assert_true(i < FRAMES && m->owned[i] != take);
		m->owned[i] = take;
	}
	m->free += take ? -BIT(order) : BIT(order);
}

static void model_step(struct model *m, struct buddy *b)
{
	int i = rand() % BLOCKS;

	if (m->blocks[i].used) {
		model_flip(m, m->blocks[i].first, m->blocks[i].order, false);
		buddy_free(b, m->blocks[i].first, m->blocks[i].order);
		m->blocks[i].used = false;
	} else {
		m->blocks[i].order = (unsigned int)rand() % 6;
		bool possible = buddy_available(b, m->blocks[i].order) > 0;
		int err = buddy_alloc(b, m->blocks[i].order, &m->blocks[i].first);

		assert_int_equal(err, possible ? 0 : -ENOMEM);
		if (err)
			return;
		assert_true(IS_ALIGNED(m->blocks[i].first, BIT(m->blocks[i].order)));
		model_flip(m, m->blocks[i].first, m->blocks[i].order, true);
		m->blocks[i].used = true;
	}
	assert_int_equal(b->free_frames, m->free);
}

static void test_random(void **state)
{
	struct buddy *b = setup();
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	srand(3);
	m->free = FRAMES;
	buddy_add(b, 0, 1000);
	buddy_add(b, 1000, FRAMES);
	/* Given in two parts, and joined all the same. */
	assert_int_equal(buddy_available(b, 12), 1);
	for (int i = 0; i < 200000; i++)
		model_step(m, b);
	for (int i = 0; i < BLOCKS; i++) {
		if (m->blocks[i].used)
			buddy_free(b, m->blocks[i].first, m->blocks[i].order);
	}
	assert_int_equal(b->free_frames, FRAMES);
	assert_int_equal(b->free_blocks[12], 1);
	free(m);
	teardown(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),	cmocka_unit_test(test_big_last),
		cmocka_unit_test(test_private), cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
