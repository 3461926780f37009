/*
 * hub/server_env.c: what a notebook server is told (contract/hub.md 3.1, 4.2).
 */
#include "test_util.h"

#include "hub/server_env.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct arena arena;
static struct config cfg;

static int setup(void **state)
{
	struct err err;

	(void)state;
	arena_init(&arena);
	return config_load(&arena, NULL, 0, "none", &cfg, NULL, &err);
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct server_env env_of(
    const char *user, const char *name, const char *path)
{
	return (struct server_env){
		.cfg = &cfg,
		.user = user,
		.name = name,
		.path = path,
	};
}

static void expect(const json_t *env, const char *name, const char *value)
{
	const char *got = json_string_value(json_object_get(env, name));

	if (got == NULL || strcmp(got, value) != 0)
		fail_msg("%s is \"%s\", not \"%s\"", name,
		    got ? got : "(absent)", value);
}

static void test_default_server_gets_the_contracts_environment(void **state)
{
	const struct server_env e = env_of("alice", "", "/user/alice/");
	json_t *env = server_env_build(&arena, &e, TOKEN);
	const char *scopes = "[\"access:servers!server=alice/\","
			     "\"access:servers!user=alice\"]";

	(void)state;
	expect(env, "JUPYTERHUB_API_TOKEN", TOKEN);
	expect(env, "JPY_API_TOKEN", TOKEN);
	expect(env, "JUPYTERHUB_CLIENT_ID", "jupyterhub-user-alice");
	expect(env, "JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api");
	expect(env, "JUPYTERHUB_ACTIVITY_URL",
	    "http://127.0.0.1:8081/hub/api/users/alice/activity");
	expect(env, "JUPYTERHUB_BASE_URL", "/");
	expect(env, "JUPYTERHUB_SERVICE_PREFIX", "/user/alice/");
	expect(env, "JUPYTERHUB_HOST", "");
	expect(
	    env, "JUPYTERHUB_OAUTH_CALLBACK_URL", "/user/alice/oauth_callback");
	expect(env, "JUPYTERHUB_OAUTH_ACCESS_SCOPES", scopes);
	expect(env, "JUPYTERHUB_OAUTH_SCOPES", scopes);
	expect(env, "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", "[]");
	expect(env, "JUPYTERHUB_USER", "alice");
	expect(env, "JUPYTERHUB_SERVER_NAME", "");
	expect(env, "JUPYTERHUB_PUBLIC_URL", "");
	expect(env, "JUPYTERHUB_PUBLIC_HUB_URL", "");
	expect(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "0");
	assert_null(json_object_get(env, "JUPYTERHUB_ROOT_DIR"));
	assert_null(json_object_get(env, "JUPYTERHUB_DEFAULT_URL"));
	json_decref(env);
}

/* The spawner lets no other names pass. */
static void test_names_are_those_that_the_spawner_takes(void **state)
{
	const struct server_env e = env_of("alice", "", "/user/alice/");
	json_t *env = server_env_build(&arena, &e, TOKEN);
	const char *name;
	json_t *value;

	(void)state;
	json_object_foreach (env, name, value) {
		assert_true(strncmp(name, "JUPYTERHUB_", 11) == 0 ||
			    strcmp(name, "JPY_API_TOKEN") == 0);
		assert_true(json_is_string(value));
	}
	json_decref(env);
}

static const struct {
	const char *user, *name, *id;
} clients[] = {
	{ "alice", "", "jupyterhub-user-alice" },
	{ "alice", "lab", "jupyterhub-user-alice-lab" },
	{ "a@b", "", "jupyterhub-user-a%40b" },
	{ "a b", "x", "jupyterhub-user-a%20b-x" },
	{ "a~b.c-d_e", "", "jupyterhub-user-a~b.c%2Dd_e" },
	{ "a", "b-c", "jupyterhub-user-a-b-c" },
};

static void test_client_ids_are_quoted_as_clients_expect(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(clients); i++) {
		const struct server_env e =
		    env_of(clients[i].user, clients[i].name, "/");

		assert_string_equal(
		    server_env_client_id(&arena, &e), clients[i].id);
	}
}

static void test_no_two_servers_have_one_client(void **state)
{
	static const struct {
		const char *user, *name;
	} servers[] = {
		{ "a-b", "" },
		{ "a", "b" },
		{ "a-b", "c" },
		{ "a", "b-c" },
		{ "a-b-c", "" },
		{ "a--b", "" },
		{ "a-", "b" },
		{ "a", "-b" },
		{ "a%2Db", "" },
	};
	const char *ids[N_OF(servers)];

	(void)state;
	for (size_t i = 0; i < N_OF(servers); i++) {
		const struct server_env e =
		    env_of(servers[i].user, servers[i].name, "/");

		ids[i] = server_env_client_id(&arena, &e);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	}
}

static void test_named_server_has_its_own_scopes(void **state)
{
	const struct server_env e = env_of("alice", "lab", "/user/alice/lab/");

	(void)state;
	assert_string_equal(server_env_token_scopes(&arena, &e),
	    "[\"users:activity!user=alice\","
	    "\"access:servers!server=alice/lab\"]");
	assert_string_equal(server_env_client_scopes(&arena, &e),
	    "[\"access:servers!server=alice/lab\"]");
	assert_string_equal(
	    server_env_note(&arena, &e), "Server at /user/alice/lab/");
}

static void test_scopes_are_json_whatever_the_name(void **state)
{
	const struct server_env e = env_of("a\"b", "", "/");
	json_t *list = json_loads(server_env_token_scopes(&arena, &e), 0, NULL);

	(void)state;
	assert_non_null(list);
	assert_string_equal(json_string_value(json_array_get(list, 0)),
	    "users:activity!user=a\"b");
	json_decref(list);
}

static void test_public_url_makes_links_absolute(void **state)
{
	const struct server_env e = env_of("alice", "", "/nb/user/alice/");
	json_t *env;

	(void)state;
	cfg.base_url = "/nb/";
	cfg.public_url = "https://hub.example.org/";
	env = server_env_build(&arena, &e, TOKEN);
	expect(env, "JUPYTERHUB_HOST", "https://hub.example.org");
	expect(env, "JUPYTERHUB_PUBLIC_URL",
	    "https://hub.example.org/nb/user/alice/");
	expect(env, "JUPYTERHUB_PUBLIC_HUB_URL",
	    "https://hub.example.org/nb/hub/");
	expect(env, "JUPYTERHUB_API_URL", "http://127.0.0.1:8081/nb/hub/api");
	json_decref(env);
}

static void test_a_host_of_ones_own_is_said_where_browsers_go(void **state)
{
	const struct server_env e = env_of("al--ice", "", "/user/al--ice/");
	const char *text = "hub:\n  subdomain_host: https://h.example.org\n";
	const char *own;
	struct err err;
	json_t *env;

	(void)state;
	assert_int_equal(
	    config_load(&arena, text, strlen(text), "none", &cfg, NULL, &err),
	    0);
	own = domain_user_origin(&arena, &cfg, "al--ice");
	assert_non_null(strstr(own, "https://u-alice--"));
	env = server_env_build(&arena, &e, TOKEN);
	expect(env, "JUPYTERHUB_HOST", "https://h.example.org");
	expect(env, "JUPYTERHUB_PUBLIC_HUB_URL", "https://h.example.org/hub/");
	expect(env, "JUPYTERHUB_PUBLIC_URL",
	    arena_printf(&arena, "%s/user/al--ice/", own));
	expect(env, "JUPYTERHUB_OAUTH_CALLBACK_URL",
	    arena_printf(&arena, "%s/user/al--ice/oauth_callback", own));
	expect(env, "JUPYTERHUB_SERVICE_PREFIX", "/user/al--ice/");
	expect(env, "JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api");
	expect(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "1");
	json_decref(env);
}

static const struct {
	const char *host, *connect, *url;
} addresses[] = {
	{ "127.0.0.1", "", "http://127.0.0.1:8081/hub/api" },
	{ "0.0.0.0", "", "http://127.0.0.1:8081/hub/api" },
	{ "::", "", "http://[::1]:8081/hub/api" },
	{ "::1", "", "http://[::1]:8081/hub/api" },
	{ "hub.internal", "", "http://hub.internal:8081/hub/api" },
	{ "0.0.0.0", "http://h:9/", "http://h:9/hub/api" },
	{ "0.0.0.0", "https://h", "https://h/hub/api" },
};

static void test_api_url_can_be_reached(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(addresses); i++) {
		cfg.hub_host = addresses[i].host;
		cfg.connect_url = addresses[i].connect;
		assert_string_equal(
		    server_env_api_url(&arena, &cfg), addresses[i].url);
	}
	cfg.internal_tls = true;
	cfg.hub_host = "127.0.0.1";
	cfg.connect_url = "";
	assert_string_equal(
	    server_env_api_url(&arena, &cfg), "https://127.0.0.1:8081/hub/api");
	cfg.internal_tls = false;
}

static void test_choices_are_filled_in(void **state)
{
	const struct server_env e = env_of("alice", "", "/user/alice/");
	json_t *env;

	(void)state;
	cfg.root_dir = "/data/{username}/x/{username}{";
	cfg.server_default_url = "/lab";
	cfg.cookie_host_prefix = true;
	env = server_env_build(&arena, &e, TOKEN);
	expect(env, "JUPYTERHUB_ROOT_DIR", "/data/alice/x/alice{");
	expect(env, "JUPYTERHUB_DEFAULT_URL", "/lab");
	expect(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "1");
	json_decref(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_default_server_gets_the_contracts_environment, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_names_are_those_that_the_spawner_takes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_client_ids_are_quoted_as_clients_expect, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_two_servers_have_one_client, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_named_server_has_its_own_scopes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_scopes_are_json_whatever_the_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_public_url_makes_links_absolute, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_host_of_ones_own_is_said_where_browsers_go, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_api_url_can_be_reached, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_choices_are_filled_in, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
