/*
 * The lives of servers and services, and the hub's own start, on a disk that
 * fails: each read, write, sync and truncation of SQLite fails once in turn. No
 * event comes that cannot be; no START leaves without its row and token; what
 * has ended leaves nothing behind once the spawner has said what it has; and
 * the next start works.
 */
#include "hub_fixture.c"

#include "auth/rules.h"
#include "base/fd.h"
#include "db/db_priv.h"
#include "db/server.h"
#include "db/service.h"
#include "db/token.h"
#include "faulty_vfs.c"
#include "hub/rbac.h"
#include "hub/service.h"

#define CALLS_MAX 400
#define TURNS_MAX 40
#define MINUTES_2 INT64_C(120000)

static struct test_dir disk;
static char file[128];
static char *old; /* a database with alice in it */
static size_t old_len;
static int64_t alice;

static const char plain_config[] = "{}";
static const char full_config[] =
    "auth:\n"
    "  load_groups: {crew: {users: [alice]}}\n"
    "  load_roles:\n"
    "    - {name: lister, scopes: [list:users], groups: [crew]}\n"
    "services:\n"
    "  web: {url: 'http://127.0.0.1', managed: web,"
    " oauth_redirect_uri: /services/web/back}\n"
    "  out: {api_token: 0123456789abcdef0123456789abcdef}\n";

/* ---- the hub ---------------------------------------------------------------
 */

static int64_t number(const char *sql)
{
	struct err err = { 0 };
	int64_t n = -1;

	test_ok(db_number(app.db->h, file, sql, &n, &err), &err);
	return n;
}

static void put_old_file(void)
{
	FILE *f = fopen(file, "w");

	(void)unlink(test_path(&disk, "carrel.sqlite-wal"));
	(void)unlink(test_path(&disk, "carrel.sqlite-shm"));

	assert_non_null(f);
	assert_int_equal(fwrite(old, 1, old_len, f), old_len);
	assert_int_equal(fclose(f), 0);
}

static void world_up(const char *config)
{
	struct err err = { 0 };

	log_open("hub", LOG_ERROR);
	log_set_sink(count_bugs, NULL);
	n_bugs = 0;
	clock_sim_start(T0_US);
	sent = (struct sent){ .env = NULL };
	fake_spawner = (struct fake_spawner){ .sent = note_sent };
	fake_proxy_init();
	fake_fetch_init();
	app = (struct app){ .started_us = clock_wall_us() };
	arena_init(&app.config_arena);
	test_ok(config_load(&app.config_arena, config, strlen(config), "c.yaml",
		    &app.cfg, NULL, &err),
	    &err);
	app.places.database = file;
	app.places.hub_socket = "/run/carrel/hub.sock";
	app.places.spawner_socket = "/run/carrel/spawner.sock";
	app.loop = loop_new();
}

static int open_core(struct err *err)
{
	if (core_open(&app, "token", err) != 0)
		return -1;
	if (services_open(&app, err) != 0)
		return -1;
	app.rules = rules_open(&app.cfg.rules, err);
	return app.rules ? rbac_load(&app, err) : -1;
}

static void world_down(void)
{
	teardown(NULL);
	rules_close(&app.rules);
}

static void hub_up(const char *config)
{
	struct err err = { 0 };

	world_up(config);
	test_ok(open_core(&err), &err);
	core_begin(&app);
	services_begin(&app);
	fake_spawner_up();
	fake_proxy_serve();
}

static void fail_from_here(int at)
{
	sqlite3_db_release_memory(app.db->h);
	n_calls = 0;
	fail_at = at;
}

/* Was it reached? Nothing fails any more. */
static bool faults_end(void)
{
	bool reached = n_calls >= fail_at;

	fail_at = 0;
	return reached;
}

/* What everything settles by: the spawner says all that it has. */
static void list_again(bool runs, const char *key)
{
	fake_spawner_down();
	settle();
	fake_spawner_up();
	if (runs)
		say_found(key, "127.0.0.1:40001");
	say_list_end();
	settle();
}

/* ---- a server --------------------------------------------------------------
 */

/* START never leaves without the row and the token that it speaks of. */
static void check_start(const char *table)
{
	const char *plain = json_string_value(
	    json_object_get(sent.env, "JUPYTERHUB_API_TOKEN"));
	int calls = n_calls, failing = fail_at;
	struct err err = { 0 };
	struct arena a;
	struct token t;
	char sql[100];

	fail_at = 0;
	arena_init(&a);
	assert_non_null(plain);
	assert_int_equal(
	    token_find(app.db, &a, plain, clock_wall_us(), &t, &err), 1);
	arena_fini(&a);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM %s WHERE key IS NOT NULL", table);
	assert_int_equal(number(sql), 1);
	n_calls = calls;
	fail_at = failing;
}

/* What comes next for a server in its state. */
static void go_on(struct server *s, bool stops)
{
	struct err err;

	switch (s->state) {
	case SERVER_ASKED:
		say_started(s->key, "127.0.0.1:40001");
		return;
	case SERVER_WAITING:
		say_ready(s->key);
		settle();
		if (fake_fetch_first())
			answer_http(302);
		return;
	case SERVER_ROUTING:
	case SERVER_UNROUTING:
	case SERVER_CLEANING:
		fake_proxy_serve();
		return;
	case SERVER_RUNNING:
		if (stops && server_stop(&app, s, &err) != 0)
			test_err_says(&err, " ");
		return;
	case SERVER_STOPPING:
		say_exited(s->key, 0, 2, false);
		return;
	default:
		return;
	}
}

static struct server *lab(void)
{
	return server_by_name(&app, "alice", "");
}

static void run_on(bool stops)
{
	for (int i = 0; i < TURNS_MAX && lab(); i++) {
		go_on(lab(), stops);
		settle();
	}
}

static void try_start(void)
{
	const struct user u = { .id = alice, .name = "alice" };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *s = NULL;
	struct err err = { .code = ERR_NONE };
	size_t before = sent.n[FAKE_START];

	if (server_start(&app, &args, &s, &err) != 0)
		assert_true(strlen(err.text) > 10);
	settle();
	if (sent.n[FAKE_START] > before)
		check_start("server");
}

static void check_nothing_is_left(void)
{
	assert_null(lab() && lab()->state != SERVER_FAILED ? "it runs" : NULL);
	assert_int_equal(number("SELECT count(*) FROM server"
				" WHERE key IS NOT NULL OR wanted = 1"),
	    0);
	assert_int_equal(number("SELECT count(*) FROM token"), 0);
	assert_int_equal(number("SELECT count(*) FROM oauth_client WHERE "
				"server_id IS NOT NULL"),
	    0);
	assert_null(fake_proxy_target("/user/alice"));
	assert_int_equal(n_bugs, 0);
}

static bool live_as_a_server(int at)
{
	bool reached;

	put_old_file();
	hub_up(plain_config);
	say_list_end();
	settle();
	fail_from_here(at);
	try_start();
	run_on(true);
	reached = faults_end();
	list_again(false, NULL);
	run_on(true);
	check_nothing_is_left();
	try_start();
	run_on(false);
	assert_non_null(lab());
	assert_int_equal(lab()->state, SERVER_RUNNING);
	world_down();
	return reached;
}

static void test_a_servers_life(void **state)
{
	int at = 1;

	(void)state;
	while (live_as_a_server(at))
		assert_in_range(at++, 1, CALLS_MAX);
	print_message("%d calls\n", at - 1);
	assert_in_range(at, 20, CALLS_MAX);
}

/* ---- a stop that was answered ---------------------------------------------
 */

/* The hub is killed right behind it: the next one does not take it up. */
static bool stop_and_die(int at)
{
	char key[SPAWNER_KEY_LEN + 1];
	struct err err = { 0 };
	bool reached, is_said;

	put_old_file();
	hub_up(plain_config);
	say_list_end();
	settle();
	try_start();
	run_on(false);
	copy_key(key, lab()->key);
	fail_from_here(at);
	is_said = server_stop(&app, lab(), &err) == 0;
	reached = faults_end();
	world_down();
	hub_up(plain_config);
	say_found(key, "127.0.0.1:40001");
	say_list_end();
	settle();
	assert_int_equal(is_said, lab()->state != SERVER_CHECKING);
	assert_int_equal(n_bugs, 0);
	world_down();
	return reached;
}

static void test_a_stop_that_was_answered_is_not_forgotten(void **state)
{
	int at = 1;

	(void)state;
	while (stop_and_die(at))
		assert_in_range(at++, 1, CALLS_MAX);
	assert_in_range(at, 2, CALLS_MAX);
}

/* ---- a service -------------------------------------------------------------
 */

static struct service *web(void)
{
	struct service *s = service_find(&app, "web");

	assert_non_null(s);
	return s;
}

static void service_goes_on(void)
{
	struct service *s = web();

	if (s->state == SERVICE_ASKED)
		say_started(s->key, "127.0.0.1:40123");
	else if (s->state == SERVICE_STARTED)
		say_ready(s->key);
	fake_proxy_serve();
	settle();
}

/* Until it runs, with all patience. */
static void service_comes_up(void)
{
	for (int i = 0; i < TURNS_MAX && web()->state != SERVICE_RUNNING; i++) {
		size_t before = sent.n[FAKE_START];

		if (web()->state == SERVICE_WAITING)
			advance(MINUTES_2);
		if (sent.n[FAKE_START] > before)
			check_start("service");
		service_goes_on();
	}
	assert_int_equal(web()->state, SERVICE_RUNNING);
	assert_string_equal(
	    fake_proxy_target("/services/web"), "http://127.0.0.1:40123");
}

static void check_service_is_gone(void)
{
	assert_int_equal(services_count_active(&app), 0);
	assert_int_equal(
	    number("SELECT count(*) FROM service WHERE key IS NOT NULL"), 0);
	/* That of the service which is not ours to run stays. */
	assert_int_equal(number("SELECT count(*) FROM token"), 1);
	assert_null(fake_proxy_target("/services/web"));
}

static void service_stops(void)
{
	services_stop_all(&app);
	if (web()->state == SERVICE_STOPPING)
		say_exited(web()->key, -1, 2, false);
	fake_proxy_serve();
	settle();
}

/* Up, an end of its own, up again, stopped; the next hub begins it anew. */
static bool live_as_a_service(int at)
{
	bool reached;

	put_old_file();
	hub_up(full_config);
	fail_from_here(at);
	say_list_end();
	settle();
	service_comes_up();
	say_exited(web()->key, 3, 0, false);
	service_comes_up();
	service_stops();
	reached = faults_end();
	assert_int_equal(n_bugs, 0);
	world_down();

	hub_up(full_config);
	say_list_end();
	settle();
	service_comes_up();
	service_stops();
	check_service_is_gone();
	assert_int_equal(n_bugs, 0);
	world_down();
	return reached;
}

static void test_a_services_life(void **state)
{
	int at = 1;

	(void)state;
	while (live_as_a_service(at))
		assert_in_range(at++, 1, CALLS_MAX);
	print_message("%d calls\n", at - 1);
	assert_in_range(at, 20, CALLS_MAX);
}

/* ---- the hub's start -------------------------------------------------------
 */

static bool begin_hub(int at)
{
	struct err err = { 0 };
	bool reached;
	int rc;

	put_old_file();
	world_up(full_config);
	n_calls = 0;
	fail_at = at;
	rc = open_core(&err);
	reached = faults_end();
	if (rc != 0) {
		assert_true(strlen(err.text) > 10);
		if (err.code != ERR_IO)
			fail_msg("%d: %s: %s", at, err_code_name(err.code),
			    err.text);
	}
	world_down();

	hub_up(full_config);
	assert_int_equal(number("SELECT count(*) FROM group_member"), 1);
	assert_int_equal(number("SELECT count(*) FROM role r JOIN role_group g"
				" ON g.role_id = r.id"
				" WHERE r.name = 'lister'"),
	    1);
	assert_int_equal(number("SELECT count(*) FROM service"), 2);
	assert_int_equal(number("SELECT count(*) FROM token"), 1);
	assert_int_equal(
	    number("SELECT count(*) FROM user WHERE name = 'alice'"), 1);
	world_down();
	return reached;
}

static void test_the_hubs_start(void **state)
{
	int at = 1;

	(void)state;
	while (begin_hub(at))
		assert_in_range(at++, 1, CALLS_MAX);
	print_message("%d calls\n", at - 1);
	assert_in_range(at, 20, CALLS_MAX);
}

/* ---- all -------------------------------------------------------------------
 */

static int make_disk(void **state)
{
	struct err err = { 0 };

	(void)state;
	faulty_register();
	/* In memory: a real disk would take its time for each sync. */
	snprintf(disk.path, sizeof disk.path, "/dev/shm/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(disk.path));
	assert_int_equal(
	    str_format(file, sizeof file, "%s/carrel.sqlite", disk.path), 0);
	world_up(plain_config);
	test_ok(open_core(&err), &err);
	alice = add_user("alice");
	world_down();
	test_ok(
	    file_read_all(file, (size_t)16 << 20, &old, &old_len, &err), &err);
	return 0;
}

static int remove_disk(void **state)
{
	(void)state;
	free(old);
	test_dir_remove(&disk);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_servers_life),
		cmocka_unit_test(
		    test_a_stop_that_was_answered_is_not_forgotten),
		cmocka_unit_test(test_a_services_life),
		cmocka_unit_test(test_the_hubs_start),
	};

	return cmocka_run_group_tests_name(
	    "hub/faults_life", tests, make_disk, remove_disk);
}
