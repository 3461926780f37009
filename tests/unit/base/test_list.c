/* Tests of base/list.h. */
#include "test_util.h"

#include "base/list.h"

struct item {
	int number;
	struct list link;
};

/* The numbers of the list as decimal digits in order. */
static int digits(const struct list *head)
{
	int value = 0;

	for (const struct list *it = head->next; it != head; it = it->next)
		value = value * 10 + LIST_ITEM(it, struct item, link)->number;
	return value;
}

static void test_empty(void **state)
{
	struct list head;
	int n = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	list_for_each (it, &head)
		n++;
	assert_int_equal(n, 0);
}

static void test_head_and_tail_order(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 };
	struct item c = { .number = 3 };
	struct list head;

	(void)state;
	list_init(&head);
	list_add_tail(&head, &b.link);
	list_add_tail(&head, &c.link);
	list_add_head(&head, &a.link);
	assert_false(list_empty(&head));
	assert_int_equal(digits(&head), 123);
	assert_ptr_equal(head.prev, &c.link);
}

static void test_delete_twice_is_safe(void **state)
{
	struct item a = { .number = 1 }, b = { .number = 2 };
	struct list head;

	(void)state;
	list_init(&head);
	list_add_tail(&head, &a.link);
	list_add_tail(&head, &b.link);
	list_del(&a.link);
	list_del(&a.link);
	assert_int_equal(digits(&head), 2);
	assert_true(list_empty(&a.link));
	list_del(&b.link);
	assert_true(list_empty(&head));
}

static void test_body_may_remove_and_free_the_item(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	for (int i = 1; i <= 5; i++) {
		struct item *it = calloc(1, sizeof *it);

		assert_non_null(it);
		it->number = i;
		list_add_tail(&head, &it->link);
	}
	list_for_each (it, &head) {
		struct item *item = LIST_ITEM(it, struct item, link);

		if (item->number % 2 == 0)
			continue;
		list_del(it);
		free(item);
	}
	assert_int_equal(digits(&head), 24);
	list_for_each (it, &head) {
		list_del(it);
		free(LIST_ITEM(it, struct item, link));
	}
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_head_and_tail_order),
		cmocka_unit_test(test_delete_twice_is_safe),
		cmocka_unit_test(test_body_may_remove_and_free_the_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
