/*
 * proxy/holdings: who holds what, in parts, while the table changes.
 */
#include "test_util.h"

#include "base/json.h"
#include "base/loop.h"
#include "proxy/cell.h"
#include "proxy/holdings.h"
#include "proxy/table.h"

static struct loop *loop;
static struct table *table;
static json_t *answer;
static int n_answers;

static void on_answer(const struct buf *json, void *arg)
{
	struct err err;

	(void)arg;
	assert_false(json->overflow);
	json_decref(answer);
	test_ok(json_parse(json->data, json->len, &answer, &err), &err);
	n_answers++;
}

static struct cell *add(const char *key)
{
	json_t *data = json_pack("{s:s}", "target", "http://127.0.0.1:1");
	struct err err;

	test_ok(table_load(table, key, data, 1700000000000, &err), &err);
	json_decref(data);
	return table_cell(table, key);
}

static void open_some(struct cell *c, int n_requests, int n_tunnels)
{
	for (int i = 0; i < n_requests + n_tunnels; i++)
		cell_opened(c);
	for (int i = 0; i < n_tunnels; i++)
		cell_tunnel_opened(c);
}

static void ask(enum holdings_order order, size_t limit)
{
	int before = n_answers;

	(void)holdings_begin(loop, table, order, limit, on_answer, NULL);
	for (int i = 0; i < 1000 && n_answers == before; i++)
		loop_turn(loop, 0);
	assert_int_equal(n_answers, before + 1);
}

/* Keys in their order, divided by blanks. */
static void has(const char *wanted)
{
	json_t *holders = json_object_get(answer, "holders"), *one;
	char seen[256] = "";
	size_t i;

	json_array_foreach (holders, i, one) {
		size_t n = strlen(seen);

		snprintf(seen + n, sizeof seen - n, "%s%s", i > 0 ? " " : "",
		    json_string_value(json_object_get(one, "route")));
	}
	assert_string_equal(seen, wanted);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	table = table_new(loop, false);
	answer = NULL;
	n_answers = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(answer);
	table_free(&table);
	loop_free(&loop);
	return 0;
}

static void test_orders(void **state)
{
	(void)state;
	open_some(add("/a"), 3, 0);
	open_some(add("/b"), 0, 2);
	open_some(add("/c"), 1, 1);
	add("/d");
	cell_add_bytes(table_cell(table, "/d"), 1000);
	cell_add_bytes(table_cell(table, "/b"), 10);
	ask(HOLDINGS_BY_OPEN, 10);
	has("/a /b /c");
	assert_int_equal(
	    json_integer_value(json_object_get(answer, "open")), 7);
	assert_int_equal(
	    json_integer_value(json_object_get(answer, "tunnels")), 3);
	assert_int_equal(
	    json_integer_value(json_object_get(answer, "bytes")), 1010);
	ask(HOLDINGS_BY_TUNNELS, 10);
	has("/b /c");
	ask(HOLDINGS_BY_BYTES, 1);
	has("/d");
}

static void test_the_greatest_of_many(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof key, "/user/%d", i);
		cell_add_bytes(add(key), (uint64_t)(i * 7919 % 20000));
	}
	ask(HOLDINGS_BY_BYTES, 1000);
	assert_int_equal(
	    json_array_size(json_object_get(answer, "holders")), 1000);
	for (size_t i = 0; i < 1000; i++) {
		json_t *one =
		    json_array_get(json_object_get(answer, "holders"), i);

		assert_int_equal(
		    json_integer_value(json_object_get(one, "bytes")),
		    19999 - i);
	}
}

static void test_the_table_changes_meanwhile(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "/user/%d", i);
		open_some(add(key), i < 3 ? 1 : 0, 0);
	}
	(void)holdings_begin(
	    loop, table, HOLDINGS_BY_OPEN, 10, on_answer, NULL);
	for (int i = 0; n_answers == 0; i++) {
		assert_true(i < 100);
		loop_turn(loop, 0);
		snprintf(key, sizeof key, "/new/%d", i);
		open_some(add(key), 0, 0);
		snprintf(key, sizeof key, "/user/%d", i);
		table_unload(table, key);
	}
	has("/user/0 /user/1 /user/2");
}

static void test_nobody_waits_any_more(void **state)
{
	struct holdings *h;

	(void)state;
	add("/a");
	h = holdings_begin(loop, table, HOLDINGS_BY_OPEN, 1, on_answer, NULL);
	holdings_cancel(&h);
	assert_null(h);
	holdings_cancel(&h);
	loop_turn(loop, 0);
	assert_int_equal(n_answers, 0);
}

static void test_words(void **state)
{
	enum holdings_order order;

	(void)state;
	assert_int_equal(holdings_order_parse("tunnels", &order), 0);
	assert_int_equal(order, HOLDINGS_BY_TUNNELS);
	assert_int_equal(holdings_order_parse("Open", &order), -1);
	assert_int_equal(holdings_order_parse("", &order), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_orders),
		TEST(test_the_greatest_of_many),
		TEST(test_the_table_changes_meanwhile),
		TEST(test_nobody_waits_any_more),
		TEST(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
