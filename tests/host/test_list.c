// SPDX-License-Identifier: MIT
/* lib/list.h: order, removal while walking, moving between lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/list.h"

struct item {
	int value;
	struct list_head link;
};

/* The list holds exactly @n values, the same in both directions. */
static void holds(struct list_head *head, const int *values, int n)
{
	struct item *item;
	int i = 0;

	list_for_each_entry(item, head, link)
	{
		assert_true(i < n);
		assert_int_equal(item->value, values[i++]);
	}
	assert_int_equal(i, n);
	for (struct list_head *p = head->prev; p != head; p = p->prev)
		assert_int_equal(list_entry(p, struct item, link)->value, values[--i]);
	assert_int_equal(i, 0);
}

#define HOLDS(head, ...)                         \
	do {                                     \
		const int v_[] = {__VA_ARGS__};  \
		holds(head, v_, ARRAY_SIZE(v_)); \
	} while (0)

static void fill(struct list_head *head, struct item *items, int n)
{
	list_init(head);
	for (int i = 0; i < n; i++) {
		items[i].value = i + 1;
		list_add_tail(&items[i].link, head);
	}
}

static void test_add(void **state)
{
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	LIST_HEAD(head);

	(void)state;
	assert_true(list_empty(&head));
	assert_null(list_first_entry_or_null(&head, struct item, link));
	list_add(&b.link, &head);
	list_add(&a.link, &head);
	list_add_tail(&c.link, &head);
	HOLDS(&head, 1, 2, 3);
	assert_ptr_equal(list_first_entry(&head, struct item, link), &a);
	assert_ptr_equal(list_last_entry(&head, struct item, link), &c);
}

static void test_delete(void **state)
{
	struct list_head head;
	struct item items[5], *item, *next;

	(void)state;
	fill(&head, items, 5);
	list_del(&items[2].link);
	assert_true(list_empty(&items[2].link));
	list_del(&items[2].link);
	HOLDS(&head, 1, 2, 4, 5);
	list_for_each_entry_safe(item, next, &head, link)
	{
		if (item->value % 2 == 0)
			list_del(&item->link);
	}
	HOLDS(&head, 1, 5);
	list_for_each_safe (pos, &head)
		list_del(pos);
	assert_true(list_empty(&head));
}

static void test_move(void **state)
{
	struct list_head one, two;
	struct item first[3], second[2];

	(void)state;
	fill(&one, first, 3);
	fill(&two, second, 2);
	list_move(&first[2].link, &one);
	HOLDS(&one, 3, 1, 2);
	list_move_tail(&first[2].link, &two);
	HOLDS(&two, 1, 2, 3);
	list_splice_tail(&two, &one);
	assert_true(list_empty(&two));
	HOLDS(&one, 1, 2, 1, 2, 3);
	list_splice_tail(&two, &one);
	HOLDS(&one, 1, 2, 1, 2, 3);
	list_splice_tail(&one, &two);
	HOLDS(&two, 1, 2, 1, 2, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
