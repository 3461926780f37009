/*
 * proxy/table: what a change does, and when it is acknowledged. One worker
 * without a thread: the test turns both loops.
 */
#include "test_util.h"

#include "base/fd.h"
#include "base/loop.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/routes.h"
#include "proxy/table.h"
#include "proxy/worker.h"

struct world {
	struct test_dir dir;
	struct config config;
	struct loop *loop;
	struct table *table;
	struct worker *worker;
	int n_done;
	enum err_code code;
	struct buf out;
};

static struct world w;

static void begin(bool by_host)
{
	struct err err;
	char path[128];
	int fd;

	w.config.host_routing = by_host;
	snprintf(path, sizeof path, "%s/p.sock", w.dir.path);
	fd = sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);
	test_ok(fd, &err);
	w.worker = worker_new(0, &w.config, fd);
	worker_begin(w.worker);
	w.table = table_new(w.loop, by_host);
	table_serve(w.table, &w.worker, 1, NULL);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	test_dir_make(&w.dir);
	w.loop = loop_new();
	buf_init(&w.out, 65536);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	worker_free(&w.worker);
	table_free(&w.table);
	loop_free(&w.loop);
	buf_fini(&w.out);
	test_dir_remove(&w.dir);
	return 0;
}

static void on_done(const struct err *err, void *arg)
{
	(void)arg;
	w.code = err->code;
	w.n_done++;
}

static void settle(int n)
{
	for (int i = 0; i < 50 && w.n_done < n; i++) {
		loop_turn(w.loop, 10);
		loop_turn(w.worker->loop, 0);
	}
	assert_int_equal(w.n_done, n);
}

static int set(const char *key, const char *json, struct err *err)
{
	json_t *data = json_loads(json, JSON_DECODE_ANY, NULL);
	int rc;

	assert_non_null(data);
	rc = table_set(w.table, key, data, on_done, NULL, err);
	json_decref(data);
	return rc;
}

static void must_set(const char *key, const char *json)
{
	struct err err;

	test_ok(set(key, json, &err), &err);
	settle(w.n_done + 1);
	assert_int_equal(w.code, ERR_NONE);
}

static const struct route *route_at(const char *path)
{
	struct routes_match m;

	(void)routes_match(w.worker->routes, slice_of("h"), slice_of(path), &m);
	return m.route;
}

static const char *one(const char *key)
{
	buf_reset(&w.out);
	assert_true(table_write_one(w.table, key, &w.out));
	return buf_view(&w.out);
}

static void test_a_change_is_told_when_the_worker_has_it(void **state)
{
	struct err err;

	(void)state;
	begin(false);
	test_ok(set("/a", "{\"target\":\"http://t\"}", &err), &err);
	for (int i = 0; i < 5; i++)
		loop_turn(w.loop, 0);
	assert_int_equal(w.n_done, 0);
	assert_null(route_at("/a"));
	loop_turn(w.worker->loop, 100);
	assert_non_null(route_at("/a"));
	assert_int_equal(w.n_done, 0);
	settle(1);
	assert_int_equal(table_count(w.table), 1);
}

static void test_members_come_back_as_they_were(void **state)
{
	static const char text[] =
	    "{\"target\":\"http://t\",\"jupyterhub\":true,\"n\":1.5,"
	    "\"none\":null,\"deep\":{\"x\":[1]}";

	(void)state;
	begin(false);
	must_set("/a", "{\"target\":\"http://t\",\"jupyterhub\":true,\"n\":1.5,"
		       "\"none\":null,\"deep\":{\"x\":[1]},"
		       "\"last_activity\":\"mine\"}");
	assert_memory_equal(one("/a"), text, strlen(text));
	assert_null(strstr(one("/a"), "mine"));
	assert_non_null(strstr(one("/a"), "Z\"}"));
}

static void test_bad_routes_change_nothing(void **state)
{
	static const char *const table[] = { "[]", "1", "{}", "{\"target\":1}",
		"{\"target\":\"nothing\"}", "{\"target\":null}" };

	(void)state;
	begin(false);
	for (size_t i = 0; i < N_OF(table); i++) {
		struct err err;

		assert_int_equal(set("/a", table[i], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	assert_int_equal(table_count(w.table), 0);
}

static void test_a_replaced_route_keeps_its_cell(void **state)
{
	struct cell *cell;

	(void)state;
	begin(false);
	must_set("/a", "{\"target\":\"http://t\"}");
	cell = cell_ref(route_at("/a")->cell);
	cell_add_bytes(cell, 5);
	must_set("/a", "{\"target\":\"http://other\"}");
	assert_ptr_equal(route_at("/a")->cell, cell);
	assert_string_equal(route_at("/a")->target.host, "other");
	table_delete(w.table, "/a", on_done, NULL);
	settle(3);
	must_set("/a", "{\"target\":\"http://t\"}");
	/* it is open somewhere: the route that comes again takes it up */
	assert_ptr_equal(route_at("/a")->cell, cell);
	assert_int_equal(cell_bytes(cell), 5);
	cell_unref(&cell);
}

static void test_cells_that_nobody_uses_are_let_go(void **state)
{
	struct table_cell c;
	size_t pos = 0, n = 0;
	char key[32];

	(void)state;
	begin(false);
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof key, "/%d", i);
		must_set(key, "{\"target\":\"http://t\"}");
		table_delete(w.table, key, on_done, NULL);
		settle(w.n_done + 1);
	}
	while (table_next_cell(w.table, &pos, &c)) {
		assert_null(c.object);
		n++;
	}
	assert_in_range(n, 0, 70);
}

static void on_quiet(void *arg)
{
	*(int *)arg += 1;
}

static void freeze(void)
{
	int n_quiet = 0;

	table_freeze(w.table, on_quiet, &n_quiet);
	for (int i = 0; i < 50 && n_quiet == 0; i++) {
		loop_turn(w.loop, 10);
		loop_turn(w.worker->loop, 0);
	}
	assert_int_equal(n_quiet, 1);
}

static void test_a_frozen_book_makes_changes_wait(void **state)
{
	struct err err;

	(void)state;
	begin(false);
	test_ok(set("/before", "{\"target\":\"http://t\"}", &err), &err);
	freeze();
	/* what was on its way is done */
	assert_int_equal(w.n_done, 1);
	test_ok(set("/held", "{\"target\":\"http://t\"}", &err), &err);
	table_delete(w.table, "/before", on_done, NULL);
	loop_turn(w.loop, 10);
	loop_turn(w.worker->loop, 0);
	assert_int_equal(w.n_done, 1);
	assert_int_equal(table_count(w.table), 1);
	table_thaw(w.table);
	settle(3);
	assert_non_null(route_at("/held"));
	assert_null(route_at("/before"));
}

static void test_a_book_that_was_left_refuses_changes(void **state)
{
	struct err err;

	(void)state;
	begin(false);
	freeze();
	test_ok(set("/held", "{\"target\":\"http://t\"}", &err), &err);
	table_leave(w.table);
	settle(1);
	assert_int_equal(w.code, ERR_BUSY);
	test_ok(set("/late", "{\"target\":\"http://t\"}", &err), &err);
	settle(2);
	assert_int_equal(w.code, ERR_BUSY);
	assert_int_equal(table_count(w.table), 0);
}

static void test_cells_come_over_with_and_without_a_route(void **state)
{
	struct table_cell c;
	struct cell *held;
	size_t pos = 0;

	(void)state;
	begin(false);
	held = table_load_cell(w.table, "/gone", 1234);
	assert_ptr_equal(table_cell(w.table, "/gone"), held);
	assert_int_equal(cell_last_ms(held), 1234);
	assert_true(table_next_cell(w.table, &pos, &c));
	assert_string_equal(c.key, "/gone");
	assert_null(c.object);
	must_set("/gone", "{\"target\":\"http://t\"}");
	assert_ptr_equal(route_at("/gone")->cell, held);
	pos = 0;
	assert_true(table_next_cell(w.table, &pos, &c));
	assert_string_equal(c.object, "{\"target\":\"http://t\"");
	assert_false(table_next_cell(w.table, &pos, &c));
	cell_unref(&held);
}

static void test_deleting_twice_finds_nothing(void **state)
{
	(void)state;
	begin(false);
	must_set("/a", "{\"target\":\"http://t\"}");
	table_delete(w.table, "/a", on_done, NULL);
	settle(2);
	assert_int_equal(w.code, ERR_NONE);
	assert_null(route_at("/a"));
	table_delete(w.table, "/a", on_done, NULL);
	settle(3);
	assert_int_equal(w.code, ERR_NOT_FOUND);
}

static void test_changes_hold_their_order(void **state)
{
	struct err err;

	(void)state;
	begin(false);
	test_ok(set("/a", "{\"target\":\"http://one\"}", &err), &err);
	table_delete(w.table, "/a", on_done, NULL);
	test_ok(set("/a", "{\"target\":\"http://two\"}", &err), &err);
	settle(3);
	assert_string_equal(route_at("/a")->target.host, "two");
	assert_non_null(strstr(one("/a"), "two"));
}

static void test_a_forgotten_change_still_happens(void **state)
{
	json_t *data = json_pack("{s:s}", "target", "http://t");
	struct err err;
	int me;

	(void)state;
	begin(false);
	test_ok(table_set(w.table, "/a", data, on_done, &me, &err), &err);
	json_decref(data);
	table_forget(w.table, &me);
	must_set("/b", "{\"target\":\"http://t\"}");
	assert_int_equal(w.n_done, 1);
	assert_non_null(route_at("/a"));
}

static void test_listing_by_activity(void **state)
{
	(void)state;
	begin(false);
	must_set("/a", "{\"target\":\"http://t\"}");
	must_set("/b \\\"", "{\"target\":\"http://t\"}");
	cell_set(route_at("/a")->cell, 1000);
	table_write(w.table, 2000, &w.out);
	assert_string_equal(buf_view(&w.out),
	    "{\"/a\":{\"target\":\"http://t\","
	    "\"last_activity\":\"1970-01-01T00:00:01.000Z\"}}");
	buf_reset(&w.out);
	table_write(w.table, 1000, &w.out);
	assert_string_equal(buf_view(&w.out), "{}");
	buf_reset(&w.out);
	table_write(w.table, -1, &w.out);
	assert_non_null(strstr(buf_view(&w.out), "\"/b \\\\\\\"\":{"));
}

static void test_host_routing_names_the_host(void **state)
{
	(void)state;
	begin(true);
	must_set("/h.example/x", "{\"target\":\"http://t\"}");
	must_set("/", "{\"target\":\"http://t\"}");
	assert_non_null(strstr(one("/h.example/x"), "\"host\":\"h.example\""));
	assert_null(strstr(one("/"), "\"host\""));
}

/* A journal that was written with --host-routing. */
static void test_without_host_routing_no_host_is_named(void **state)
{
	(void)state;
	begin(false);
	must_set(
	    "/h.example/x", "{\"target\":\"http://t\",\"host\":\"h.example\"}");
	must_set("/y/x", "{\"target\":\"http://t\",\"host\":\"mine\"}");
	assert_null(strstr(one("/h.example/x"), "\"host\""));
	assert_non_null(strstr(one("/y/x"), "\"host\":\"mine\""));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_change_is_told_when_the_worker_has_it),
		TEST(test_members_come_back_as_they_were),
		TEST(test_bad_routes_change_nothing),
		TEST(test_a_replaced_route_keeps_its_cell),
		TEST(test_cells_that_nobody_uses_are_let_go),
		TEST(test_a_frozen_book_makes_changes_wait),
		TEST(test_a_book_that_was_left_refuses_changes),
		TEST(test_cells_come_over_with_and_without_a_route),
		TEST(test_deleting_twice_finds_nothing),
		TEST(test_changes_hold_their_order),
		TEST(test_a_forgotten_change_still_happens),
		TEST(test_listing_by_activity),
		TEST(test_host_routing_names_the_host),
		TEST(test_without_host_routing_no_host_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
