/*
 * hub/reply.c: what every answer carries, and that none leaves before what it
 * acknowledges is on disk.
 */
#include <stdatomic.h>

#include "web_fixture.c"

#include "base/offload.h"
#include "db/db_stmt.h"

/* ---- headers ------------------------------------------------------------ */

static void assert_standard(const struct answer *a)
{
	assert_header(a, "X-JupyterHub-Version", COMPAT_VERSION);
	assert_header(a, "Access-Control-Allow-Headers",
	    "accept, content-type, authorization");
	assert_header(a, "X-Content-Type-Options", "nosniff");
	assert_header(a, "Server", "Carrel/test");
	const char *csp = header(a, "Content-Security-Policy");
	assert_non_null(strstr(csp, "frame-ancestors 'none'"));
	assert_non_null(strstr(csp, "report-uri /hub/security/csp-report"));
	assert_non_null(strstr(csp, "default-src 'none'"));
}

static void test_cve_2025_23205_every_answer_has_the_standard_headers(
    void **state)
{
	static const char *const targets[] = { "/hub/api", "/hub/api/",
		"/hub/api/user", "/hub/api/nothing", "/hub/login", "/hub/home",
		"/hub/nothing", "/hub/health", "/hub/static/carrel.css",
		"/hub/error/503", "/elsewhere", "/favicon.ico" };

	(void)state;
	for (size_t i = 0; i < N_OF(targets); i++)
		assert_standard(request("GET", targets[i], "", NULL));
}

static void test_api_root_is_for_everybody(void **state)
{
	struct answer *a = request("GET", "/hub/api", "", NULL);

	(void)state;
	assert_answer(a, 200, "{\"version\":\"6.0.0\"}");
	assert_header(a, "Access-Control-Allow-Origin", "*");
	assert_header(a, "Content-Type", "application/json");
	assert_null(header(request("GET", "/hub/api/user", "", NULL),
	    "Access-Control-Allow-Origin"));
}

static void test_cve_2026_44727_pages_permit_no_inline_script(void **state)
{
	struct answer *a = request("GET", "/hub/login", "", NULL);
	const char *csp = header(a, "Content-Security-Policy");

	(void)state;
	assert_non_null(strstr(csp, "script-src 'self';"));
	assert_non_null(strstr(csp, "form-action 'self';"));
	assert_null(strstr(csp, "unsafe"));
	assert_header(a, "Cache-Control", "no-store");
	assert_header(a, "Content-Type", "text/html; charset=utf-8");
	assert_null(strstr(a->body, "<style"));
	for (const char *p = a->body; (p = strstr(p, "<script")); p++)
		assert_true(str_starts(p, "<script src=\"/hub/static/"));
}

static void test_health_is_empty(void **state)
{
	static const char *const targets[] = { "/hub/health",
		"/hub/api/health" };

	(void)state;
	for (size_t i = 0; i < N_OF(targets); i++) {
		struct answer *a = request("GET", targets[i], "", NULL);
		assert_answer(a, 200, NULL);
		assert_string_equal(a->body, "");
		assert_header(a, "Content-Type", "text/html");
		assert_answer(request("HEAD", targets[i], "", NULL), 200, NULL);
	}
}

static void test_files_are_cached_by_version(void **state)
{
	char target[100], etag[64], more[100];
	struct answer *a = request("GET", "/hub/static/carrel.css", "", NULL);

	(void)state;
	assert_answer(a, 200, "--paper");
	assert_header(a, "Cache-Control", "no-cache");
	assert_header(a, "Content-Type", "text/css; charset=utf-8");
	snprintf(etag, sizeof etag, "%.60s", header(a, "ETag"));
	snprintf(more, sizeof more, "If-None-Match: %s\r\n", etag);
	a = request("GET", "/hub/static/carrel.css", more, NULL);
	assert_answer(a, 304, NULL);
	a = request("GET", "/hub/login", "", NULL);
	const char *v = strstr(a->body, "carrel.css?v=");
	snprintf(target, sizeof target, "/hub/static/%.29s", v);
	a = request("GET", target, "", NULL);
	assert_answer(a, 200, NULL);
	assert_header(
	    a, "Cache-Control", "public, max-age=31536000, immutable");
	a = request("GET", "/hub/static/carrel.css?v=old", "", NULL);
	assert_header(a, "Cache-Control", "no-cache");
	assert_answer(
	    request("GET", "/hub/static/../page/login.html", "", NULL), 404,
	    NULL);
	assert_answer(request("GET", "/hub/static/", "", NULL), 404, NULL);
	a = request("GET", "/hub/logo", "", NULL);
	assert_header(a, "Content-Type", "image/svg+xml");
}

static void test_cve_2024_35225_error_pages_for_the_proxy(void **state)
{
	static const struct {
		const char *target, *says;
	} cases[] = {
		{ "/hub/error/404", "Not found" },
		{ "/hub/error/503?url=%2Fuser%2Fx", "Not available" },
		{ "/hub/error/500", "Something went wrong" },
		{ "/hub/error/200", "Not found" },
		{ "/hub/error/x", "Not found" },
		{ "/hub/error/503?url=%3Cscript%3Ealert(1)%3C/script%3E",
		    "Not available" },
		{ "/hub/error/%3Cscript%3Ealert(1)", "Not found" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct answer *a = request("GET", cases[i].target, "", NULL);
		assert_answer(a, 200, cases[i].says);
		assert_non_null(strstr(a->body, "href=\"/hub/home\""));
		assert_null(strstr(a->body, "<script>alert"));
		assert_null(header(a, "Set-Cookie"));
	}
}

/* ---- held until durable ----------------------------------------------------
 */

static atomic_bool disk_is_slow, disk_is_broken;

static int slow_sync(int fd, void *arg)
{
	(void)fd, (void)arg;
	while (atomic_load(&disk_is_slow))
		usleep(1000);
	errno = EIO;
	return atomic_load(&disk_is_broken) ? -1 : 0;
}

/* As core_up, with a file and threads, since memory is always durable. */
static int on_disk_setup(void **state)
{
	struct err err = { .code = ERR_NONE };
	static char path[200];

	(void)state;
	log_open("hub", LOG_ERROR);
	log_set_sink(count_bugs, NULL);
	clock_sim_start(T0_US);
	sent = (struct sent){ .env = NULL };
	fake_spawner = (struct fake_spawner){ .sent = note_sent };
	fake_proxy_init();
	fake_fetch_init();
	test_dir_make(&web_dir);
	snprintf(path, sizeof path, "%s/db", web_dir.path);
	app = (struct app){ .started_us = clock_wall_us() };
	arena_init(&app.config_arena);
	test_ok(config_load(
		    &app.config_arena, NULL, 0, "none", &app.cfg, NULL, &err),
	    &err);
	app.cfg.rules.allow_all = true;
	app.places.database = path;
	app.places.hub_socket = "/run/carrel/hub.sock";
	app.places.spawner_socket = "/run/carrel/spawner.sock";
	app.loop = loop_new();
	app.offload = offload_new(app.loop, 1, 16);
	test_ok(core_open(&app, "token", &err), &err);
	web_up();
	begin();
	atomic_store(&disk_is_slow, false);
	atomic_store(&disk_is_broken, false);
	for (int i = 0; i < 2000 && !db_is_durable(app.db); i++)
		loop_turn(app.loop, 1);
	assert_true(db_is_durable(app.db));
	db_set_sync(app.db, slow_sync, NULL);
	return 0;
}

static int on_disk_teardown(void **state)
{
	answer_free();
	atomic_store(&disk_is_slow, false);
	web_down();
	core_close(&app);
	offload_free(&app.offload);
	loop_free(&app.loop);
	arena_fini(&app.config_arena);
	test_dir_remove(&web_dir);
	fake_proxy_fini();
	clock_set_source(NULL);
	log_set_sink(NULL, NULL);
	(void)state;
	return 0;
}

static void test_login_is_told_when_it_is_on_disk(void **state)
{
	struct browser b = { 0 };

	(void)state;
	browse(&b, "/hub/login");
	atomic_store(&disk_is_slow, true);
	struct call c =
	    post_begin(&b, "/hub/login", "username=alice&password=right");
	assert_true(call_waits(&c));
	assert_false(db_is_durable(app.db));
	/* others who only read wait for it too: they may have seen it */
	struct call reader = request_begin("GET", "/hub/api", "", NULL);
	assert_true(call_waits(&reader));
	atomic_store(&disk_is_slow, false);
	assert_answer(call_end(&c), 302, NULL);
	assert_answer(call_end(&reader), 200, NULL);
}

static void test_client_that_leaves_meanwhile(void **state)
{
	struct browser b = { 0 };

	(void)state;
	browse(&b, "/hub/login");
	atomic_store(&disk_is_slow, true);
	struct call c =
	    post_begin(&b, "/hub/login", "username=alice&password=right");
	assert_true(call_waits(&c));
	call_drop(&c);
	for (int i = 0; i < 20; i++)
		loop_turn(app.loop, 1);
	atomic_store(&disk_is_slow, false);
	assert_answer(browse(&b, "/hub/login"), 200, NULL);
}

/* A disk that refuses: nothing is acknowledged, and the hub ends. */
static void test_disk_that_refuses(void **state)
{
	struct browser b = { 0 };

	(void)state;
	browse(&b, "/hub/login");
	atomic_store(&disk_is_broken, true);
	struct call c =
	    post_begin(&b, "/hub/login", "username=alice&password=right");
	assert_true(call_waits(&c));
	assert_int_equal(app.exit_code, 1);
	call_drop(&c);
}

#define T(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)
#define D(name)                                                                \
	cmocka_unit_test_setup_teardown(name, on_disk_setup, on_disk_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cve_2025_23205_every_answer_has_the_standard_headers),
		T(test_api_root_is_for_everybody),
		T(test_cve_2026_44727_pages_permit_no_inline_script),
		T(test_health_is_empty),
		T(test_files_are_cached_by_version),
		T(test_cve_2024_35225_error_pages_for_the_proxy),
		D(test_login_is_told_when_it_is_on_disk),
		D(test_client_that_leaves_meanwhile),
		D(test_disk_that_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
