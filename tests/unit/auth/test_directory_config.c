#include "test_util.h"

#include "auth/directory.h"
#include "base/conf.h"
#include "base/log.h"

#define DIRECT                                                                 \
	"server_address: ldap.test\n"                                          \
	"tls_strategy: insecure\n"                                             \
	"bind_dn_template: 'uid={username},dc=test'\n"
#define LOOKUP                                                                 \
	"server_address: ldap.test\n"                                          \
	"tls_strategy: insecure\n"                                             \
	"lookup_dn: true\n"                                                    \
	"user_search_base: 'dc=test'\n"

static struct arena arena;
static struct err err;

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int set_up(void **state)
{
	(void)state;
	log_set_sink(quiet, NULL);
	arena_init(&arena);
	err_clear(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	log_set_sink(NULL, NULL);
	return 0;
}

static struct directory_config *read_yaml(const char *yaml)
{
	struct conf_node *options = NULL;
	struct auth_env env = { .file = "carrel.yaml" };

	test_ok(conf_parse(
		    &arena, yaml, strlen(yaml), "carrel.yaml", &options, &err),
	    &err);
	env.options = options;
	return directory_config_read(&env, &err);
}

static struct directory_config *good(const char *yaml)
{
	struct directory_config *cfg = read_yaml(yaml);

	if (cfg == NULL)
		fail_msg("%s", err.text);
	return cfg;
}

static void test_servers_become_urls_in_order(void **state)
{
	struct directory_config *cfg =
	    good("server_address: [a.test, 'b.test:1389', '::1', '[::1]:3']\n"
		 "server_port: 400\n"
		 "tls_strategy: insecure\n"
		 "bind_dn_template: 'uid={username},dc=test'\n");

	(void)state;
	assert_int_equal(cfg->servers.n, 4);
	assert_string_equal(cfg->servers.items[0], "ldap://a.test:400");
	assert_string_equal(cfg->servers.items[1], "ldap://b.test:1389");
	assert_string_equal(cfg->servers.items[2], "ldap://[::1]:400");
	assert_string_equal(cfg->servers.items[3], "ldap://[::1]:3");
	directory_config_unref(&cfg);
}

static void test_the_usual_port_follows_the_strategy(void **state)
{
	struct directory_config *cfg = good(DIRECT);

	(void)state;
	assert_string_equal(cfg->servers.items[0], "ldap://ldap.test:389");
	directory_config_unref(&cfg);
	cfg = good("server_address: ldap.test\n"
		   "tls_strategy: on_connect\n"
		   "tls_ca_file: /dev/null\n"
		   "bind_dn_template: 'uid={username},dc=test'\n");
	assert_string_equal(cfg->servers.items[0], "ldap://ldap.test:636");
	assert_int_equal(cfg->tls, DIRECTORY_LDAPS);
	directory_config_unref(&cfg);
}

static void test_encryption_is_the_default(void **state)
{
	struct directory_config *cfg =
	    good("server_address: ldap.test\n"
		 "tls_ca_file: /dev/null\n"
		 "bind_dn_template: 'uid={username},dc=test'\n");

	(void)state;
	assert_int_equal(cfg->tls, DIRECTORY_STARTTLS);
	directory_config_unref(&cfg);
}

/* Else "alice" and "aLICE" with a full-width letter would be two people. */
static void test_a_search_takes_the_directorys_spelling(void **state)
{
	struct directory_config *cfg = good(LOOKUP "user_attribute: mail\n");

	(void)state;
	assert_string_equal(cfg->username_attribute, "mail");
	directory_config_unref(&cfg);
	cfg = good(DIRECT);
	assert_string_equal(cfg->username_attribute, "");
	directory_config_unref(&cfg);
}

static void test_names_are_taken_whole(void **state)
{
	static const char *const refused[] = { "", "a b", "a,b", "*", "a*",
		"-a", "\xc3\xa4", "alice\n", "ALICE" };
	struct directory_config *cfg = good(DIRECT);
	char longest[DIRECTORY_NAME_MAX + 2];

	(void)state;
	assert_true(directory_config_takes(cfg, "alice"));
	assert_true(directory_config_takes(cfg, "a.b-c_1"));
	for (size_t i = 0; i < N_OF(refused); i++)
		assert_false(directory_config_takes(cfg, refused[i]));
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	assert_false(directory_config_takes(cfg, longest));
	directory_config_unref(&cfg);
}

static void test_the_password_may_stand_in_a_file(void **state)
{
	struct test_dir d;
	struct directory_config *cfg;
	FILE *f;

	(void)state;
	test_dir_make(&d);
	char *path = arena_printf(&arena, "%s/pw", d.path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("top secret\nsecond line\n", f);
	fclose(f);
	cfg = good(arena_printf(&arena,
	    LOOKUP "lookup_dn_search_user: 'cn=x'\n"
		   "lookup_dn_search_password_file: %s\n",
	    path));
	assert_string_equal(cfg->lookup_password, "top secret");
	directory_config_unref(&cfg);
	remove(path);
	remove(d.path);
}

static void test_what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *yaml, *says;
	} rows[] = {
		{ "{}\n", "server_address" },
		{ "server_address: ldap.test\ntls_strategy: insecure\n",
		    "has neither" },
		{ DIRECT "lookup_dn: true\n", "has both" },
		{ DIRECT "whitelist: [a]\n", "whitelist" },
		{ DIRECT "timeout: 0\n", "timeout" },
		{ DIRECT "search_filter: '(uid={username})'\n",
		    "user_search_base" },
		{ DIRECT "user_search_base: 'dc=test'\n"
			 "search_filter: 'uid={username}'\n",
		    "parentheses" },
		{ DIRECT "group_search_filter: '(member=x)'\n",
		    "the same of everybody" },
		{ DIRECT "group_search_filter: '(member={dn})'\n", "{dn" },
		{ DIRECT "group_attribute: 'cn)('\n", "group_attribute" },
		{ DIRECT "valid_username_regex: '('\n",
		    "valid_username_regex" },
		{ DIRECT "lookup_dn_search_user: 'cn=x'\n", "of no use" },
		{ LOOKUP "lookup_dn_search_user: 'cn=x'\n", "go together" },
		{ LOOKUP "lookup_dn_search_password: x\n", "go together" },
		{ LOOKUP "lookup_dn_search_password: x\n"
			 "lookup_dn_search_password_file: /dev/null\n",
		    "keep one" },
		{ "server_address: a\ntls_strategy: insecure\n"
		  "lookup_dn: true\n",
		    "user_search_base" },
		{ "server_address: 'ldap://ldap.test'\n"
		  "tls_strategy: insecure\nlookup_dn: true\n",
		    "server_address" },
		{ "server_address: 'a:0'\ntls_strategy: insecure\n",
		    "server_address" },
		{ "server_address: [a, [b]]\ntls_strategy: insecure\n",
		    "server_address" },
		{ "server_address: a\ntls_ca_file: /nonexistent\n",
		    "tls_ca_file" },
		{ "server_address: a\ntls_strategy: insecure\n"
		  "bind_dn_template: 'uid=alice,dc=test'\n",
		    "the same of everybody" },
		{ "server_address: a\ntls_strategy: insecure\n"
		  "bind_dn_template: '{username}@test'\n"
		  "group_search_base: 'dc=test'\n",
		    "must be a DN" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		err_clear(&err);
		assert_null(read_yaml(rows[i].yaml));
		test_err_says(&err, rows[i].says);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_servers_become_urls_in_order),
		TEST(test_the_usual_port_follows_the_strategy),
		TEST(test_encryption_is_the_default),
		TEST(test_a_search_takes_the_directorys_spelling),
		TEST(test_names_are_taken_whole),
		TEST(test_the_password_may_stand_in_a_file),
		TEST(test_what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
