/*
 * hub/places.c: where things are, and the proxy's token.
 */
#include "test_util.h"

#include "base/arena.h"
#include "hub/places.h"

static struct arena arena;
static struct places places;
static struct err err;
static struct test_dir dir;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	test_dir_make(&dir);
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("CONFIGPROXY_AUTH_TOKEN");
	unsetenv("CONFIGPROXY_AUTH_TOKEN_FILE");
	setenv("HOME", "/home/alice", 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	test_dir_remove(&dir);
	return 0;
}

static void test_an_ordinary_account_has_places_of_its_own(void **state)
{
	const struct places_args args = { .config = "/c" };

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	test_ok(places_find(&arena, &args, "", "", &places, &err), &err);
	assert_string_equal(
	    places.state_dir, "/home/alice/.local/state/carrel");
	assert_string_equal(
	    places.database, "/home/alice/.local/state/carrel/carrel.sqlite");
	assert_string_equal(
	    places.hub_socket, "/run/user/1000/carrel/hub.sock");
	assert_string_equal(
	    places.spawner_socket, "/run/user/1000/carrel/spawner.sock");
}

static void test_what_an_account_lacks_is_null(void **state)
{
	(void)state;
	assert_null(places_own_run(&arena));
	setenv("HOME", "relative", 1);
	setenv("XDG_STATE_HOME", "/state", 1);
	assert_string_equal(places_own_state(&arena), "/state/carrel");
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	assert_null(places_own_run(&arena));
}

static void test_the_command_line_wins_over_the_file(void **state)
{
	const struct places_args args = {
		.state_dir = "/s",
		.run_dir = "/r",
		.hub_socket = "/x/h.sock",
	};

	(void)state;
	test_ok(places_find(&arena, &args, "/conf/sp.sock", "/conf/h.sock",
		    &places, &err),
	    &err);
	assert_string_equal(places.keys_dir, "/s/keys");
	assert_string_equal(places.hub_socket, "/x/h.sock");
	assert_string_equal(places.spawner_socket, "/conf/sp.sock");
}

static void test_paths_become_absolute(void **state)
{
	const struct places_args args = { .state_dir = "s", .run_dir = "r" };
	char cwd[4096];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	test_ok(places_find(&arena, &args, "", "x.sock", &places, &err), &err);
	assert_string_equal(
	    places.state_dir, arena_printf(&arena, "%s/s", cwd));
	assert_string_equal(
	    places.hub_socket, arena_printf(&arena, "%s/x.sock", cwd));
	assert_string_equal(places.spawner_socket,
	    arena_printf(&arena, "%s/r/spawner.sock", cwd));
}

static void test_without_a_run_directory_it_says_what_to_do(void **state)
{
	const struct places_args args = { .state_dir = "/s" };

	(void)state;
	assert_int_equal(places_find(&arena, &args, "", "", &places, &err), -1);
	test_err_says(&err, "--run-dir");
	test_ok(places_find(&arena, &args, "/a", "/b", &places, &err), &err);
}

static void test_a_socket_path_over_107_bytes_is_refused(void **state)
{
	struct places_args args = { .state_dir = "/s" };
	char *path = arena_alloc(&arena, 120);

	(void)state;
	memset(path, 'x', 107);
	path[0] = '/';
	args.run_dir = "/r";
	args.hub_socket = path;
	test_ok(places_find(&arena, &args, "", "", &places, &err), &err);
	path[107] = 'x';
	assert_int_equal(places_find(&arena, &args, "", "", &places, &err), -1);
	test_err_says(&err, "108 bytes, Linux takes 107");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_the_token_comes_from_variable_then_file(void **state)
{
	const char *token, *file;
	const char *named = arena_strdup(&arena, test_path(&dir, "b"));

	(void)state;
	file = arena_strdup(&arena, test_path(&dir, "a"));
	write_file(file, "from-file\n");
	write_file(named, "from-named\n");
	test_ok(places_proxy_token(&arena, file, &token, &err), &err);
	assert_string_equal(token, "from-file");
	setenv("CONFIGPROXY_AUTH_TOKEN_FILE", named, 1);
	test_ok(places_proxy_token(&arena, file, &token, &err), &err);
	assert_string_equal(token, "from-named");
	setenv("CONFIGPROXY_AUTH_TOKEN", "from-variable", 1);
	test_ok(places_proxy_token(&arena, file, &token, &err), &err);
	assert_string_equal(token, "from-variable");
	assert_null(getenv("CONFIGPROXY_AUTH_TOKEN"));
}

static const char *const bad_tokens[] = { "", "\n", "a b", "a\nb", "\xc3\xa9" };

static void test_a_token_that_no_header_can_carry_is_refused(void **state)
{
	const char *token;
	const char *file = arena_strdup(&arena, test_path(&dir, "t"));

	(void)state;
	for (size_t i = 0; i < N_OF(bad_tokens); i++) {
		write_file(file, bad_tokens[i]);
		assert_int_equal(
		    places_proxy_token(&arena, file, &token, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_a_missing_token_file_says_where_it_is_looked_for(void **state)
{
	const char *token;
	const char *file = arena_strdup(&arena, test_path(&dir, "none"));

	(void)state;
	assert_int_equal(places_proxy_token(&arena, file, &token, &err), -1);
	test_err_says(&err, "CONFIGPROXY_AUTH_TOKEN_FILE");
	test_err_says(&err, "none");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_ordinary_account_has_places_of_its_own),
		T(test_what_an_account_lacks_is_null),
		T(test_the_command_line_wins_over_the_file),
		T(test_paths_become_absolute),
		T(test_without_a_run_directory_it_says_what_to_do),
		T(test_a_socket_path_over_107_bytes_is_refused),
		T(test_the_token_comes_from_variable_then_file),
		T(test_a_token_that_no_header_can_carry_is_refused),
		T(test_a_missing_token_file_says_where_it_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
