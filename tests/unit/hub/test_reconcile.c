/*
 * hub/reconcile.c: database, spawner's list and proxy's routes become equal.
 */
#include "hub_fixture.c"

#define KEY "00112233445566aa"
#define AT  "127.0.0.1:40001"

static int64_t alice;

static int setup_people(void **state)
{
	setup(state);
	alice = add_user("alice");
	return 0;
}

/* A row as an earlier hub left it. */
static int64_t old_row(bool wanted, const char *address, int64_t activity_us)
{
	struct err err;
	int64_t id;

	test_ok(server_row_create(app.db, alice, "", T0_US, &id, &err), &err);
	test_ok(server_row_start(
		    app.db, id, KEY, "default", "alice", NULL, T0_US, &err),
	    &err);
	if (address)
		test_ok(
		    server_row_set_address(app.db, id, address, &err), &err);
	if (activity_us)
		test_ok(server_row_touch(app.db, id, activity_us, &err), &err);
	if (!wanted)
		test_ok(server_row_unwant(app.db, id, &err), &err);
	return id;
}

static void list_route(const char *path, const char *user, const char *target)
{
	json_object_set_new(fake_proxy.routes, path,
	    json_pack("{s:s, s:s, s:s, s:b}", "user", user, "server_name", "",
		"target", target, "jupyterhub", 1));
}

static struct server *alices(void)
{
	return server_by_name(&app, "alice", "");
}

static const char *row_key(struct arena *a, int64_t id)
{
	struct server_row row;
	struct err err;

	(void)id;
	assert_int_equal(server_row_find(app.db, a, alice, "", &row, &err), 1);
	return row.key;
}

static void test_the_hubs_own_route_comes_first(void **state)
{
	(void)state;
	core_begin(&app);
	assert_int_equal(proxy_request(FAKE_ADD)->id, 1);
	fake_proxy_serve();
	assert_string_equal(
	    fake_proxy_target("/"), "http+unix://%2Frun%2Fcarrel%2Fhub.sock");
	assert_true(json_is_true(
	    json_object_get(json_object_get(fake_proxy.routes, "/"), "hub")));
}

static void test_own_route_of_a_base_url_and_a_proxy_without_unix_targets(
    void **state)
{
	(void)state;
	app.cfg.base_url = "/nb/";
	app.cfg.proxy_unix_targets = false;
	core_begin(&app);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/nb"), "http://127.0.0.1:8081");
}

static void test_what_runs_and_answers_is_kept_without_touching_its_route(
    void **state)
{
	(void)state;
	old_row(true, AT, 0);
	list_route("/user/alice", "alice", "http://" AT);
	core_begin(&app);
	assert_int_equal(alices()->state, SERVER_CHECKING);
	assert_string_equal(server_pending(alices()), "check");
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	say_list_end();
	settle();
	assert_string_equal(
	    fake_fetch_first()->url, "http://" AT "/user/alice/api");
	answer_http(200);
	assert_true(server_is_ready(alices()));
	assert_true(list_empty(&fake_proxy.requests));
}

static void test_a_missing_route_of_what_runs_is_made(void **state)
{
	(void)state;
	old_row(true, AT, 0);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	say_list_end();
	settle();
	answer_http(200);
	assert_int_equal(alices()->state, SERVER_ROUTING);
	fake_proxy_serve();
	assert_true(server_is_ready(alices()));
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
}

static void test_a_route_that_leads_elsewhere_is_put_right_at_once(void **state)
{
	(void)state;
	old_row(true, AT, 0);
	list_route("/user/alice", "alice", "http://127.0.0.1:49999");
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	assert_int_equal(alices()->state, SERVER_CHECKING);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
}

static void test_what_a_whole_list_lacks_has_stopped(void **state)
{
	struct arena a;
	int64_t id = old_row(true, AT, 0);

	(void)state;
	arena_init(&a);
	list_route("/user/alice", "alice", "http://" AT);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_list_end();
	fake_proxy_serve();
	assert_null(alices());
	assert_null(row_key(&a, id));
	assert_null(fake_proxy_target("/user/alice"));
	arena_fini(&a);
}

static void test_half_a_list_proves_nothing(void **state)
{
	(void)state;
	old_row(true, AT, 0);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	fake_spawner_down();
	say_list_end();
	assert_int_equal(alices()->state, SERVER_CHECKING);
}

static void test_without_a_spawner_nothing_is_concluded(void **state)
{
	(void)state;
	old_row(true, AT, 0);
	list_route("/user/alice", "alice", "http://" AT);
	core_begin(&app);
	fake_proxy_serve();
	for (int i = 0; i < 100; i++) {
		advance(10000);
		fake_proxy_serve();
	}
	assert_int_equal(alices()->state, SERVER_CHECKING);
	assert_non_null(fake_proxy_target("/user/alice"));
}

static void test_a_start_after_the_list_was_asked_is_not_missing_in_it(
    void **state)
{
	struct server *s;

	(void)state;
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	s = start("alice", alice);
	settle();
	assert_int_equal(s->state, SERVER_ASKED);
	say_list_end();
	assert_int_equal(s->state, SERVER_ASKED);
	/* In the next one it is. */
	advance(app.cfg.spawner_check_s * 1000);
	say_list_end();
	assert_true(s->state == SERVER_STOPPING || s->state == SERVER_FAILED);
}

static void test_what_runs_and_nobody_wants_is_stopped(void **state)
{
	(void)state;
	old_row(false, AT, 0);
	list_route("/user/alice", "alice", "http://" AT);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	assert_int_equal(alices()->state, SERVER_UNROUTING);
	fake_proxy_serve();
	assert_string_equal(sent.stop_key, KEY);
	say_exited(KEY, 0, 15, false);
	assert_null(alices());
}

static void test_an_unknown_key_is_stopped_and_its_exit_acknowledged(
    void **state)
{
	(void)state;
	begin();
	advance(app.cfg.spawner_check_s * 1000);
	say_found("ffffffffffffffff", "127.0.0.1:40007");
	say_list_end();
	assert_string_equal(sent.stop_key, "ffffffffffffffff");
	say_exited("ffffffffffffffff", 0, 0, false);
	assert_string_equal(sent.ack_key, "ffffffffffffffff");
}

static void test_a_silent_server_that_was_ready_once_is_kept(void **state)
{
	(void)state;
	old_row(true, AT, T0_US + 1000000);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	say_list_end();
	for (int i = 0; i < 60 && alices()->state == SERVER_CHECKING; i++) {
		if (fake_fetch_first())
			fake_fetch_answer(fake_fetch_first(), 0);
		advance(1000);
	}
	fake_proxy_serve();
	assert_true(server_is_ready(alices()));
	assert_int_equal(sent.n[FAKE_STOP], 0);
}

static void test_a_silent_server_that_never_was_ready_is_ended(void **state)
{
	(void)state;
	old_row(true, AT, 0);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, AT);
	say_list_end();
	for (int i = 0; i < 60 && alices()->state == SERVER_CHECKING; i++) {
		if (fake_fetch_first())
			fake_fetch_answer(fake_fetch_first(), 0);
		advance(1000);
	}
	fake_proxy_serve();
	assert_int_equal(alices()->state, SERVER_STOPPING);
}

static void test_a_start_that_hung_through_the_restart_ends(void **state)
{
	(void)state;
	old_row(true, NULL, 0);
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	say_found(KEY, "");
	say_list_end();
	advance(59000);
	assert_int_equal(alices()->state, SERVER_CHECKING);
	advance(2000);
	fake_proxy_serve();
	assert_int_equal(alices()->state, SERVER_STOPPING);
}

static void test_checks_are_bounded(void **state)
{
	struct err err;
	char name[16], key[32];

	(void)state;
	app.cfg.check_limit = 3;
	for (int i = 0; i < 10; i++) {
		int64_t id;

		snprintf(name, sizeof name, "u%d", i);
		snprintf(key, sizeof key, "%016d", i);
		test_ok(server_row_create(
			    app.db, add_user(name), "", T0_US, &id, &err),
		    &err);
		test_ok(server_row_start(app.db, id, key, "default", name, NULL,
			    T0_US, &err),
		    &err);
	}
	core_begin(&app);
	fake_proxy_serve();
	fake_spawner_up();
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "%016d", i);
		say_found(key, AT);
	}
	say_list_end();
	settle();
	assert_int_equal(fake_fetches.last_id, 3);
	answer_http(200);
	fake_proxy_serve();
	settle();
	assert_int_equal(fake_fetches.last_id, 4);
}

static const struct {
	const char *what;
	const char *route; /* JSON */
	bool stays;
} strays[] = {
	{ "nobody's",
	    "{\"user\":\"ghost\",\"server_name\":\"\","
	    "\"target\":\"http://h:1\",\"jupyterhub\":true}",
	    false },
	{ "not made by a hub", "{\"user\":\"ghost\",\"target\":\"http://h:1\"}",
	    true },
	{ "of a service that there is not",
	    "{\"service\":\"s\",\"target\":\"http://h:1\","
	    "\"jupyterhub\":true}",
	    false },
	{ "a hub's that names nothing",
	    "{\"target\":\"http://h:1\",\"jupyterhub\":true}", false },
	{ "not made by a hub, but for a service",
	    "{\"service\":\"s\",\"target\":\"http://h:1\"}", true },
};

static void test_stray_routes_of_people_are_deleted_others_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(strays); i++)
		json_object_set_new(fake_proxy.routes, strays[i].what,
		    json_loads(strays[i].route, 0, NULL));
	begin();
	for (size_t i = 0; i < N_OF(strays); i++) {
		bool is_there =
		    json_object_get(fake_proxy.routes, strays[i].what) != NULL;

		if (is_there != strays[i].stays)
			fail_msg("%s: %d", strays[i].what, is_there);
	}
}

static void test_a_left_over_route_goes_before_a_new_start_is_ready(
    void **state)
{
	(void)state;
	begin();
	to_waiting(alice);
	list_route("/user/alice", "alice", "http://127.0.0.1:41234");
	advance(app.cfg.proxy_check_s * 1000);
	fake_proxy_serve();
	assert_null(fake_proxy_target("/user/alice"));
}

static void test_a_proxy_that_forgot_gets_its_routes_again(void **state)
{
	(void)state;
	begin();
	to_running(alice);
	fake_proxy_forget();
	advance(app.cfg.proxy_check_s * 1000);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
	assert_non_null(fake_proxy_target("/"));
}

static void test_a_proxy_that_is_away_is_asked_until_it_is_back(void **state)
{
	(void)state;
	begin();
	to_running(alice);
	advance(app.cfg.proxy_check_s * 1000);
	answer_proxy(FAKE_ROUTES, ERR_UNAVAILABLE);
	assert_false(reconcile_is_settled(&app));
	fake_proxy_forget();
	advance(1100);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
	assert_true(reconcile_is_settled(&app));
}

/* ---- somebody waits for it ---- */

struct waiter {
	struct reconcile_watch watch;
	int n;
	enum err_code code;
};

static void on_checked(struct reconcile_watch *w, const struct err *err)
{
	struct waiter *x = LIST_ITEM(w, struct waiter, watch);

	x->n++;
	x->code = err->code;
}

static void test_a_check_is_over_when_nothing_needs_repair(void **state)
{
	struct waiter w = { .watch.done = on_checked };

	(void)state;
	begin();
	to_running(alice);
	fake_proxy_forget();
	reconcile_routes_watch(&app, &w.watch);
	settle();
	answer_proxy(FAKE_ROUTES, ERR_NONE);
	settle();
	assert_int_equal(w.n, 0);
	fake_proxy_serve();
	assert_int_equal(w.n, 0);
	advance(200);
	fake_proxy_serve();
	assert_int_equal(w.n, 1);
	assert_int_equal(w.code, ERR_NONE);
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
}

/* What was asked before may not know what came since. */
static void test_a_listing_under_way_is_not_a_check(void **state)
{
	struct waiter w = { .watch.done = on_checked };

	(void)state;
	begin();
	advance(app.cfg.proxy_check_s * 1000);
	reconcile_routes_watch(&app, &w.watch);
	answer_proxy(FAKE_ROUTES, ERR_NONE);
	settle();
	assert_int_equal(w.n, 0);
	advance(200);
	fake_proxy_serve();
	assert_int_equal(w.n, 1);
}

static void test_a_check_tells_that_the_proxy_is_away(void **state)
{
	struct waiter w = { .watch.done = on_checked }, gone = w;

	(void)state;
	begin();
	reconcile_routes_watch(&app, &w.watch);
	reconcile_routes_watch(&app, &gone.watch);
	reconcile_routes_unwatch(&gone.watch);
	reconcile_routes_unwatch(&gone.watch);
	settle();
	answer_proxy(FAKE_ROUTES, ERR_UNAVAILABLE);
	assert_int_equal(w.n, 1);
	assert_int_equal(w.code, ERR_UNAVAILABLE);
	assert_int_equal(gone.n, 0);
}

static void test_a_changed_route_is_put_back(void **state)
{
	(void)state;
	begin();
	to_running(alice);
	list_route("/user/alice", "alice", "http://127.0.0.1:1");
	advance(app.cfg.proxy_check_s * 1000);
	fake_proxy_serve();
	assert_string_equal(fake_proxy_target("/user/alice"), "http://" AT);
}

static void test_a_route_that_is_never_taken_is_tried_less_and_less(
    void **state)
{
	uint64_t before;

	(void)state;
	begin();
	to_running(alice);
	fake_proxy_forget();
	before = fake_proxy.last_id;
	for (int ms = 0; ms < 120000; ms += 500) {
		while (!list_empty(&fake_proxy.requests)) {
			struct fake_request *r =
			    LIST_ITEM(fake_proxy.requests.next,
				struct fake_request, link);
			bool is_list = r->kind == FAKE_ROUTES;

			if (is_list)
				fake_proxy_apply(r);
			fake_proxy_answer(r, is_list ? ERR_NONE : ERR_INVALID);
		}
		advance(500);
	}
	/* Both routes and a listing, about every ten seconds. */
	assert_true(fake_proxy.last_id - before < 60);
	assert_true(fake_proxy.last_id - before > 20);
	/* Once it takes them, a failure is repaired soon again. */
	for (int i = 0; i < 3; i++) {
		fake_proxy_serve();
		advance(app.cfg.proxy_check_s * 1000);
	}
	fake_proxy_serve();
	reconcile_routes_soon(&app);
	advance(1000);
	assert_int_equal(proxy_request(FAKE_ROUTES)->kind, FAKE_ROUTES);
}

static void test_activity_comes_from_the_proxy(void **state)
{
	struct server *s;
	json_t *route;
	int64_t before;

	(void)state;
	begin();
	s = to_running(alice);
	before = server_last_activity_us(s);
	advance(app.cfg.activity_interval_s * 1000 + 1);
	route = json_object_get(fake_proxy.routes, "/user/alice");
	json_object_set_new(
	    route, "last_activity", json_string("2023-11-14T22:15:00.500Z"));
	fake_proxy_serve();
	assert_true(server_last_activity_us(s) > before);
	assert_int_equal(server_last_activity_us(s), INT64_C(1700000100500000));
}

static void test_activity_of_tomorrow_is_now(void **state)
{
	struct server *s;
	json_t *route;

	(void)state;
	begin();
	s = to_running(alice);
	advance(app.cfg.activity_interval_s * 1000 + 1);
	route = json_object_get(fake_proxy.routes, "/user/alice");
	json_object_set_new(
	    route, "last_activity", json_string("2043-11-14T22:15:00.500Z"));
	fake_proxy_serve();
	assert_int_equal(server_last_activity_us(s), clock_wall_us());
}

static void test_a_row_that_could_not_be_cleaned_is_looked_at_again(
    void **state)
{
	struct arena a;
	int64_t id;

	(void)state;
	arena_init(&a);
	begin();
	/* As if server_row_stopped had failed: a key without an object. */
	id = old_row(true, AT, 0);
	advance(app.cfg.spawner_check_s * 1000);
	assert_non_null(alices());
	say_list_end();
	fake_proxy_serve();
	assert_null(row_key(&a, id));
	arena_fini(&a);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_people, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_hubs_own_route_comes_first),
		T(test_own_route_of_a_base_url_and_a_proxy_without_unix_targets),
		T(test_what_runs_and_answers_is_kept_without_touching_its_route),
		T(test_a_missing_route_of_what_runs_is_made),
		T(test_a_route_that_leads_elsewhere_is_put_right_at_once),
		T(test_what_a_whole_list_lacks_has_stopped),
		T(test_half_a_list_proves_nothing),
		T(test_without_a_spawner_nothing_is_concluded),
		T(test_a_start_after_the_list_was_asked_is_not_missing_in_it),
		T(test_what_runs_and_nobody_wants_is_stopped),
		T(test_an_unknown_key_is_stopped_and_its_exit_acknowledged),
		T(test_a_silent_server_that_was_ready_once_is_kept),
		T(test_a_silent_server_that_never_was_ready_is_ended),
		T(test_a_start_that_hung_through_the_restart_ends),
		T(test_checks_are_bounded),
		T(test_stray_routes_of_people_are_deleted_others_stay),
		T(test_a_left_over_route_goes_before_a_new_start_is_ready),
		T(test_a_proxy_that_forgot_gets_its_routes_again),
		T(test_a_proxy_that_is_away_is_asked_until_it_is_back),
		T(test_a_changed_route_is_put_back),
		T(test_a_check_is_over_when_nothing_needs_repair),
		T(test_a_listing_under_way_is_not_a_check),
		T(test_a_check_tells_that_the_proxy_is_away),
		T(test_a_route_that_is_never_taken_is_tried_less_and_less),
		T(test_activity_comes_from_the_proxy),
		T(test_activity_of_tomorrow_is_now),
		T(test_a_row_that_could_not_be_cleaned_is_looked_at_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
