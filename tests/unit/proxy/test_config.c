/*
 * proxy/config: the command line and the token.
 */
#include "test_util.h"

#include "proxy/config.h"

#define ARGS_MAX 16

/* `line` holds the arguments, divided by '|'. */
static int parse(struct config *c, const char *line, struct buf *notes,
    enum config_outcome *outcome, struct err *err)
{
	static char copy[1024];
	char *argv[ARGS_MAX] = { copy };
	int argc = 1;

	snprintf(copy, sizeof copy, "%s", line);
	for (char *p = copy; *line != '\0' && argc < ARGS_MAX; p++) {
		argv[argc++] = p;
		p = strchr(p, '|');
		if (p == NULL)
			break;
		*p = '\0';
	}
	return config_parse(c, argc, argv, outcome, notes, err);
}

static void must_parse(struct config *c, const char *line)
{
	enum config_outcome outcome;
	struct buf notes;
	struct err err;

	buf_init(&notes, 4096);
	test_ok(parse(c, line, &notes, &outcome, &err), &err);
	assert_int_equal(outcome, CONFIG_RUN);
	buf_fini(&notes);
}

static void test_defaults(void **state)
{
	struct config c;

	(void)state;
	must_parse(&c, "");
	assert_string_equal(c.ip, "");
	assert_int_equal(c.port, 8000);
	assert_int_equal(c.api_port, 8001);
	assert_string_equal(c.api_ip, "127.0.0.1");
	assert_int_equal(c.metrics_port, CONFIG_PORT_UNSET);
	assert_true(c.x_forward && c.prepend_path && c.include_prefix);
	assert_false(c.auto_rewrite || c.change_origin || c.host_routing);
	assert_int_equal(c.keep_alive_ms, 5000);
	assert_int_equal(c.drain_s, 30);
	assert_int_equal(c.timeout_ms, 0);
	assert_int_equal(c.log_level, LOG_INFO);
	assert_int_equal(c.trusted.n, 2);
	config_fini(&c);
}

static void test_values_in_both_spellings(void **state)
{
	struct config c;

	(void)state;
	must_parse(&c,
	    "--ip||--api-ip=|--port=9000|--no-x-forward|--log-level|WARNING|"
	    "--custom-header|A: b:c |--custom-header=a:d|"
	    "--trusted-proxy=10.0.0.0/8|--api-port|0");
	assert_string_equal(c.ip, "");
	assert_string_equal(c.api_ip, "");
	assert_int_equal(c.port, 9000);
	assert_int_equal(c.api_port, 0);
	assert_false(c.x_forward);
	assert_int_equal(c.log_level, LOG_WARN);
	assert_int_equal(c.custom_headers.n, 1);
	assert_string_equal(c.custom_headers.items[0].name, "A");
	assert_string_equal(c.custom_headers.items[0].value, "d");
	assert_int_equal(c.trusted.n, 1);
	config_fini(&c);
}

static void test_pairs_of_keys_keep_their_order(void **state)
{
	enum config_outcome outcome;
	struct config c;
	struct buf notes;
	struct err err;

	(void)state;
	buf_init(&notes, 4096);
	test_ok(parse(&c,
		    "--ssl-key|a.key|--ssl-cert=a.pem|--ssl-key=b.key|"
		    "--ssl-cert|b.pem|--port|80|--redirect-port|81",
		    &notes, &outcome, &err),
	    &err);
	assert_true(config_has_tls(&c));
	assert_false(config_has_api_tls(&c));
	assert_int_equal(c.ssl_keys.n, 2);
	assert_int_equal(c.ssl_certs.n, 2);
	assert_string_equal(c.ssl_keys.items[1], "b.key");
	assert_string_equal(c.ssl_certs.items[0], "a.pem");
	/* Port 80 cannot be sent to itself. */
	assert_int_equal(c.redirect_port, CONFIG_PORT_UNSET);
	assert_non_null(strstr(buf_view(&notes), "--redirect-port"));
	buf_fini(&notes);
	config_fini(&c);
}

static void test_ports_follow_each_other(void **state)
{
	static const struct {
		const char *line;
		int port, api_port;
	} table[] = {
		{ "--port|9000", 9000, 9001 },
		{ "--port|0", 0, 0 },
		{ "--socket|/run/x", 8000, 8001 },
		{ "--port|65535|--api-port|1", 65535, 1 },
		{ "--port|65535|--api-socket|/run/x", 65535, 65536 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct config c;

		must_parse(&c, table[i].line);
		assert_int_equal(c.port, table[i].port);
		assert_int_equal(c.api_port, table[i].api_port);
		config_fini(&c);
	}
}

static void test_the_takeover_socket_is_beside_the_journal(void **state)
{
	struct config c;
	char line[200];

	(void)state;
	must_parse(&c, "");
	assert_null(c.takeover_socket);
	config_fini(&c);
	must_parse(&c, "--journal|/a/j");
	assert_string_equal(c.takeover_socket, "/a/j.takeover");
	assert_int_equal(c.takeover_drain_s, 3600);
	config_fini(&c);
	must_parse(&c, "--takeover|--journal|/a/j|--takeover-socket|/b");
	assert_string_equal(c.takeover_socket, "/b");
	assert_true(c.takeover);
	config_fini(&c);
	/* no socket can be there */
	snprintf(line, sizeof line, "--journal|/%0120d", 0);
	must_parse(&c, line);
	assert_null(c.takeover_socket);
	config_fini(&c);
}

static void test_mistakes_are_named(void **state)
{
	static const struct {
		const char *line, *says;
	} table[] = {
		{ "--nosuch", "--nosuch" },
		{ "--prot|1", "did you mean --port" },
		{ "word", "unexpected argument" },
		{ "-x", "unexpected argument" },
		{ "--port", "needs a value" },
		{ "--port|x", "--port" },
		{ "--port|65536", "65535" },
		{ "--port|-1", "--port" },
		{ "--port|65535", "--api-port" },
		{ "--host-routing=yes", "takes no value" },
		{ "--workers|0", "1 to 256" },
		{ "--log-level|loud", "no level" },
		{ "--custom-header|x", "colon was expected" },
		{ "--custom-header|:x", "colon was expected" },
		{ "--custom-header|a b:x", "must be a word" },
		{ "--custom-header|Content-Length: 1", "framing" },
		{ "--trusted-proxy|x", "no address" },
		{ "--protocol-rewrite|ftp", "neither http nor https" },
		{ "--socket|/x|--port|1", "cannot be used together" },
		{ "--socket|/x|--ip|", "cannot be used together" },
		{ "--error-target|http://h|--error-path|/x", "exclude" },
		{ "--error-target|nothing", "--error-target" },
		{ "--redirect-port|80", "needs --ssl-key" },
		{ "--acme-webroot|/x", "needs --redirect-port" },
		{ "--storage-backend|x", "--journal" },
		{ "--pid-file|", "--pid-file: the value is empty" },
		{ "--ssl-key=", "--ssl-key: the value is empty" },
		{ "--metrics-token-file|", "empty" },
		{ "--client-ssl-dir|/x|--client-ssl-ca|/y",
		    "one or the other" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		enum config_outcome outcome;
		struct config c;
		struct buf notes;
		struct err err;

		buf_init(&notes, 4096);
		if (parse(&c, table[i].line, &notes, &outcome, &err) == 0)
			fail_msg("accepted: %s", table[i].line);
		test_err_says(&err, table[i].says);
		buf_fini(&notes);
		config_fini(&c);
	}
}

static void test_the_error_target_has_no_query(void **state)
{
	enum config_outcome outcome;
	struct config c;
	struct buf notes;
	struct err err;

	(void)state;
	buf_init(&notes, 4096);
	test_ok(
	    parse(&c, "--error-target|http://h/e?x=1", &notes, &outcome, &err),
	    &err);
	assert_string_equal(c.error_target, "http://h/e");
	assert_null(c.error_url.query);
	assert_non_null(strstr(buf_view(&notes), "--error-target"));
	buf_fini(&notes);
	config_fini(&c);
}

static void test_flags_without_effect_are_noted(void **state)
{
	enum config_outcome outcome;
	struct config c;
	struct buf notes;
	struct err err;

	(void)state;
	buf_init(&notes, 4096);
	test_ok(parse(&c, "--client-ssl-request-cert|--ssl-allow-rc4|--ip|*",
		    &notes, &outcome, &err),
	    &err);
	assert_non_null(strstr(buf_view(&notes), "--client-ssl-request-cert"));
	assert_non_null(strstr(buf_view(&notes), "--ssl-allow-rc4"));
	assert_string_equal(c.ip, "");
	buf_fini(&notes);
	config_fini(&c);
}

static void test_help_and_version(void **state)
{
	static const struct {
		const char *line;
		enum config_outcome outcome;
	} table[] = {
		{ "-h", CONFIG_HELP },
		{ "--help", CONFIG_HELP },
		{ "-V", CONFIG_VERSION },
		{ "--version", CONFIG_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		enum config_outcome outcome;
		struct config c;
		struct buf notes;
		struct err err;

		buf_init(&notes, 4096);
		test_ok(parse(&c, table[i].line, &notes, &outcome, &err), &err);
		assert_int_equal(outcome, table[i].outcome);
		buf_fini(&notes);
		config_fini(&c);
	}
}

static void test_help_names_every_option(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 65536);
	config_write_help(&b);
	assert_false(b.overflow);
	assert_non_null(strstr(buf_view(&b), "--trusted-proxy CIDR"));
	assert_non_null(strstr(buf_view(&b), "CONFIGPROXY_AUTH_TOKEN_FILE"));
	assert_null(strstr(buf_view(&b), "--storage-backend"));
	buf_fini(&b);
}

/* ---- the token ----------------------------------------------------------- */

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_the_token_comes_from_the_environment(void **state)
{
	struct test_dir dir;
	struct config c;
	struct err err;
	char path[128];

	(void)state;
	test_dir_make(&dir);
	snprintf(path, sizeof path, "%s/token", dir.path);
	put(path, "from-file\n");
	must_parse(&c, "");
	unsetenv("CONFIGPROXY_AUTH_TOKEN");
	unsetenv("CONFIGPROXY_AUTH_TOKEN_FILE");
	test_ok(config_read_token(&c, &err), &err);
	assert_string_equal(c.token, "");
	setenv("CONFIGPROXY_AUTH_TOKEN_FILE", path, 1);
	test_ok(config_read_token(&c, &err), &err);
	assert_string_equal(c.token, "from-file");
	setenv("CONFIGPROXY_AUTH_TOKEN", "wins", 1);
	test_ok(config_read_token(&c, &err), &err);
	assert_string_equal(c.token, "wins");
	setenv("CONFIGPROXY_AUTH_TOKEN", "a b", 1);
	assert_int_equal(config_read_token(&c, &err), -1);
	setenv("CONFIGPROXY_AUTH_TOKEN", "", 1);
	put(path, "\n");
	assert_int_equal(config_read_token(&c, &err), -1);
	test_err_says(&err, "is empty");
	setenv("CONFIGPROXY_AUTH_TOKEN_FILE", "/nonexistent", 1);
	assert_int_equal(config_read_token(&c, &err), -1);
	unsetenv("CONFIGPROXY_AUTH_TOKEN");
	unsetenv("CONFIGPROXY_AUTH_TOKEN_FILE");
	test_dir_remove(&dir);
	config_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values_in_both_spellings),
		cmocka_unit_test(test_pairs_of_keys_keep_their_order),
		cmocka_unit_test(test_ports_follow_each_other),
		cmocka_unit_test(
		    test_the_takeover_socket_is_beside_the_journal),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_the_error_target_has_no_query),
		cmocka_unit_test(test_flags_without_effect_are_noted),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_help_names_every_option),
		cmocka_unit_test(test_the_token_comes_from_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
