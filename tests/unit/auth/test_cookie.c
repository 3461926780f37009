/* Tests of auth/cookie.c. */
#include "test_util.h"

#include "auth/cookie.h"

#define SECRET_A  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SECRET_B  "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB-_"
#define SESSION_1 "0123456789abcdef0123456789abcdef"

static const struct cookie_env plain = { .base_path = "/",
	.hub_path = "/hub/" };
static const struct cookie_env https = {
	.base_path = "/jh/", .hub_path = "/jh/hub/", .secure = true
};
static const struct cookie_env host = { .base_path = "/jh/",
	.hub_path = "/jh/hub/",
	.secure = true,
	.host_prefix = true };

static struct arena arena;
static const struct keys keys = { .xsrf = "0123456789abcdef0123456789abcde" };
static const struct keys other_keys = { .xsrf = "another key" };

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct slice header(const char *fmt, ...)
{
	va_list ap;
	const char *s;

	va_start(ap, fmt);
	s = arena_vprintf(&arena, fmt, ap);
	va_end(ap);
	return slice_of(s);
}

/* ---- reading ---- */

static void test_well_formed_cookies_are_read(void **state)
{
	struct cookie_in in;

	(void)state;
	cookie_read(
	    header("a=b; " COOKIE_LOGIN "=" SECRET_B "; " COOKIE_SESSION_ID
		   "=" SESSION_1 "; " COOKIE_BROWSER "=" SECRET_A),
	    &plain, &in);
	assert_string_equal(in.login, SECRET_B);
	assert_string_equal(in.session_id, SESSION_1);
	assert_string_equal(in.browser, SECRET_A);
}

static void test_what_is_not_ours_is_as_if_it_were_not_there(void **state)
{
	const char *const headers[] = { "", ";", "=", COOKIE_LOGIN,
		COOKIE_LOGIN "=", COOKIE_LOGIN "=" SECRET_A "x",
		COOKIE_LOGIN "=\"" SECRET_A "\"", "x" COOKIE_LOGIN "=" SECRET_A,
		COOKIE_LOGIN "x=" SECRET_A,
		COOKIE_LOGIN "=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.A",
		"Jupyterhub-Hub-Login=" SECRET_A,
		COOKIE_LOGIN_HOST "=" SECRET_A,
		COOKIE_SESSION_ID "=0123456789ABCDEF0123456789abcdef" };

	(void)state;
	for (size_t i = 0; i < N_OF(headers); i++) {
		struct cookie_in in;

		memset(&in, 'x', sizeof in);
		cookie_read(slice_of(headers[i]), &plain, &in);
		assert_string_equal(in.login, "");
		assert_string_equal(in.session_id, "");
		assert_string_equal(in.browser, "");
	}
}

static void test_cve_2024_28233_a_planted_cookie_does_not_hide_the_real_one(
    void **state)
{
	struct cookie_in in;

	(void)state;
	cookie_read(
	    header(COOKIE_LOGIN "=x; " COOKIE_LOGIN "=" SECRET_A), &plain, &in);
	assert_string_equal(in.login, SECRET_A);
}

static void test_the_host_prefix_is_another_name(void **state)
{
	struct cookie_in in;

	(void)state;
	cookie_read(header(COOKIE_LOGIN "=" SECRET_A "; " COOKIE_LOGIN_HOST
					"=" SECRET_B),
	    &host, &in);
	assert_string_equal(in.login, SECRET_B);
	cookie_read(header(COOKIE_LOGIN "=" SECRET_A), &host, &in);
	assert_string_equal(in.login, "");
}

static void test_an_oversized_header_is_as_empty(void **state)
{
	static char big[COOKIE_HEADER_MAX + 200];
	struct cookie_in in;
	size_t len;

	(void)state;
	memset(big, 'a', COOKIE_HEADER_MAX);
	len = COOKIE_HEADER_MAX;
	memcpy(big + len, "; " COOKIE_LOGIN "=" SECRET_A,
	    strlen("; " COOKIE_LOGIN "=" SECRET_A) + 1);
	cookie_read(slice_of(big), &plain, &in);
	assert_string_equal(in.login, "");
}

/* ---- writing ---- */

static void test_cookies_are_written_as_the_contract_says(void **state)
{
	(void)state;
	assert_string_equal(cookie_login(&arena, &plain, SECRET_A, 1209600),
	    COOKIE_LOGIN "=" SECRET_A "; Path=/hub/; HttpOnly; SameSite=Lax"
			 "; Max-Age=1209600");
	assert_string_equal(cookie_login(&arena, &https, SECRET_A, 0),
	    COOKIE_LOGIN "=" SECRET_A
			 "; Path=/jh/hub/; HttpOnly; Secure; SameSite=Lax");
	assert_string_equal(cookie_login(&arena, &host, SECRET_A, 0),
	    COOKIE_LOGIN_HOST "=" SECRET_A
			      "; Path=/; HttpOnly; Secure; SameSite=Lax");
	assert_string_equal(cookie_session_id(&arena, &https, SESSION_1),
	    COOKIE_SESSION_ID "=" SESSION_1
			      "; Path=/jh/; HttpOnly; Secure; SameSite=Lax");
	assert_string_equal(cookie_browser(&arena, &plain, SECRET_A),
	    COOKIE_BROWSER "=" SECRET_A "; Path=/hub/; HttpOnly; SameSite=Lax");
	assert_string_equal(cookie_xsrf(&arena, &plain, SECRET_A, true),
	    "_xsrf=" SECRET_A "; Path=/hub/; SameSite=Lax; Max-Age=3600");
	assert_string_equal(cookie_xsrf(&arena, &plain, SECRET_A, false),
	    "_xsrf=" SECRET_A "; Path=/hub/; SameSite=Lax");
}

/* Servers on hosts below ours read the session's id, and no other cookie. */
static void test_only_the_session_id_goes_to_hosts_below(void **state)
{
	struct cookie_env env = host;
	struct cookie_out c = {
		.name = "x", .value = "y", .path = "/", .domain = "a;b"
	};
	const char *text;

	(void)state;
	env.domain = "hub.example.org";
	assert_string_equal(cookie_session_id(&arena, &env, SESSION_1),
	    COOKIE_SESSION_ID "=" SESSION_1 "; Path=/jh/; "
			      "Domain=hub.example.org; HttpOnly; Secure; "
			      "SameSite=Lax");
	assert_non_null(strstr(
	    cookie_clear(&arena, &env, COOKIE_SESSION_ID), "; Domain=hub."));
	assert_null(strstr(cookie_clear(&arena, &env, COOKIE_LOGIN), "Domain"));
	assert_null(strstr(cookie_login(&arena, &env, SECRET_A, 0), "Domain"));
	assert_null(strstr(cookie_browser(&arena, &env, SECRET_A), "Domain"));
	assert_null(
	    strstr(cookie_xsrf(&arena, &env, SECRET_A, false), "Domain"));
	assert_int_equal(cookie_build(&arena, &c, &text, NULL), -1);
	c.domain = "hub.example.org";
	assert_int_equal(cookie_build(&arena, &c, &text, NULL), 0);
	c.name = "__Host-x";
	c.secure = true;
	assert_int_equal(cookie_build(&arena, &c, &text, NULL), -1);
}

static void test_clearing_uses_the_path_of_setting(void **state)
{
	static const struct {
		const char *name, *begins;
	} rows[] = {
		{ COOKIE_LOGIN, COOKIE_LOGIN "=; Path=/jh/hub/; HttpOnly;" },
		{ COOKIE_SESSION_ID,
		    COOKIE_SESSION_ID "=; Path=/jh/; HttpOnly;" },
		{ COOKIE_XSRF, "_xsrf=; Path=/jh/hub/; Secure;" },
		{ COOKIE_SERVICES,
		    COOKIE_SERVICES "=; Path=/jh/services; HttpOnly;" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *text = cookie_clear(&arena, &https, rows[i].name);

		assert_int_equal(
		    strncmp(text, rows[i].begins, strlen(rows[i].begins)), 0);
		assert_non_null(strstr(text, "Max-Age=0"));
		assert_non_null(strstr(text, "01 Jan 1970"));
	}
	assert_non_null(strstr(cookie_clear(&arena, &host, COOKIE_LOGIN),
	    COOKIE_LOGIN_HOST "=; Path=/;"));
}

static void test_bytes_that_would_break_the_header_are_refused(void **state)
{
	const struct cookie_out bad[] = {
		{ .name = "", .value = "v", .path = "/" },
		{ .name = "a b", .value = "v", .path = "/" },
		{ .name = "a=", .value = "v", .path = "/" },
		{ .name = "a", .value = "v;w", .path = "/" },
		{ .name = "a", .value = "v w", .path = "/" },
		{ .name = "a", .value = "v\r\nSet-Cookie: x", .path = "/" },
		{ .name = "a", .value = "\"v\"", .path = "/" },
		{ .name = "a", .value = "\xc3\xbc", .path = "/" },
		{ .name = "a", .value = "v", .path = "" },
		{ .name = "a", .value = "v", .path = "hub" },
		{ .name = "a", .value = "v", .path = "/;x" },
		{ .name = "a", .value = "v", .path = "/\n" },
		{ .name = "__Host-a", .value = "v", .path = "/" },
		{ .name = "__Host-a",
		    .value = "v",
		    .path = "/hub/",
		    .secure = true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err = { 0 };
		const char *out = NULL;

		assert_int_equal(cookie_build(&arena, &bad[i], &out, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_null(out);
	}
}

static void test_new_values_are_well_formed_and_differ(void **state)
{
	char a[SESSION_SECRET_LEN + 1], b[SESSION_SECRET_LEN + 1];
	char id[SESSION_ID_LEN + 1];
	struct cookie_in in;

	(void)state;
	browser_new(a);
	browser_new(b);
	session_id_new(id);
	assert_string_not_equal(a, b);
	cookie_read(
	    header(COOKIE_BROWSER "=%s; " COOKIE_SESSION_ID "=%s", a, id),
	    &plain, &in);
	assert_string_equal(in.browser, a);
	assert_string_equal(in.session_id, id);
}

/* ---- the XSRF token ---- */

static const struct xsrf_binding in_a = { .login = SECRET_A };
static const struct xsrf_binding in_b = { .login = SECRET_B };
static const struct xsrf_binding browser_a = { .browser = SECRET_A };

static const char *mint(const struct xsrf_binding *b)
{
	char *out = arena_alloc(&arena, XSRF_LEN + 1);

	assert_int_equal(xsrf_mint(&keys, b, out), 0);
	assert_int_equal(strlen(out), XSRF_LEN);
	return out;
}

static void test_a_token_is_stable_and_bound(void **state)
{
	const struct xsrf_binding nothing = { .login = "", .browser = NULL };
	const struct xsrf_binding both = { .login = SECRET_A,
		.browser = SECRET_B };
	char out[XSRF_LEN + 1];

	(void)state;
	assert_string_equal(mint(&in_a), mint(&in_a));
	assert_string_equal(mint(&in_a), mint(&both));
	assert_string_not_equal(mint(&in_a), mint(&in_b));
	assert_string_not_equal(mint(&in_a), mint(&browser_a));
	assert_int_equal(xsrf_mint(&other_keys, &in_a, out), 0);
	assert_string_not_equal(mint(&in_a), out);
	assert_int_equal(xsrf_mint(&keys, &nothing, out), -1);
}

static void test_what_passes_and_what_does_not(void **state)
{
	const char *a, *b, *anon;

	(void)state;
	a = mint(&in_a);
	b = mint(&in_b);
	anon = mint(&browser_a);
	const struct {
		const struct xsrf_binding *bound;
		const char *cookies, *submitted;
		enum xsrf_verdict want;
	} rows[] = {
		{ &in_a, header("_xsrf=%s", a).p, a, XSRF_OK },
		{ &browser_a, header("_xsrf=%s", anon).p, anon, XSRF_OK },
		/* A single-user server's own cookie comes first. */
		{ &in_a, header("_xsrf=2|1a|2b|3; _xsrf=%s", a).p, a, XSRF_OK },
		{ &in_a, header("_xsrf=%s; _xsrf=%s", b, a).p, a, XSRF_OK },
		{ &in_a, header("_xsrf=%s", a).p, NULL, XSRF_MISSING },
		{ &in_a, header("_xsrf=%s", a).p, "", XSRF_MISSING },
		{ &in_a, header("_xsrf=%s", a).p, "x", XSRF_INVALID },
		{ &in_a, "_xsrf=x", "x", XSRF_INVALID },
		{ &in_a, "", a, XSRF_MISMATCH },
		{ &in_a, header("xsrf=%s", a).p, a, XSRF_MISMATCH },
		/* Another session's token, cookie and argument alike. */
		{ &in_a, header("_xsrf=%s", b).p, b, XSRF_MISMATCH },
		/* The token of before the login. */
		{ &in_a, header("_xsrf=%s", anon).p, anon, XSRF_MISMATCH },
		{ &browser_a, header("_xsrf=%s", a).p, a, XSRF_MISMATCH },
		{ &in_a, header("_xsrf=%s", a).p, b, XSRF_MISMATCH },
		{ &in_a, header("_xsrf=%s", b).p, a, XSRF_MISMATCH },
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		enum xsrf_verdict v = xsrf_check(&keys, rows[i].bound,
		    slice_of(rows[i].cookies), rows[i].submitted);

		if (v != rows[i].want)
			fail_msg("row %zu: %d", i, (int)v);
	}
}

static void test_nobody_to_bind_to_is_no_pass(void **state)
{
	const struct xsrf_binding nothing = { 0 };
	const char *a;

	(void)state;
	a = mint(&in_a);
	assert_int_equal(xsrf_check(&keys, &nothing, header("_xsrf=%s", a), a),
	    XSRF_MISMATCH);
	assert_false(xsrf_cookie_sent(&keys, &nothing, header("_xsrf=%s", a)));
}

static void test_a_valid_cookie_is_noticed(void **state)
{
	const char *a;

	(void)state;
	a = mint(&in_a);
	assert_true(xsrf_cookie_sent(&keys, &in_a, header("_xsrf=%s", a)));
	assert_false(xsrf_cookie_sent(&keys, &in_b, header("_xsrf=%s", a)));
	assert_false(xsrf_cookie_sent(&keys, &in_a, slice_of("")));
}

static void test_the_texts_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_string_equal(xsrf_text(&arena, XSRF_MISSING, "POST"),
	    "'_xsrf' argument missing from POST");
	assert_string_equal(xsrf_text(&arena, XSRF_INVALID, "POST"),
	    "'_xsrf' argument invalid");
	assert_string_equal(xsrf_text(&arena, XSRF_MISMATCH, "DELETE"),
	    "XSRF cookie does not match DELETE argument");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_well_formed_cookies_are_read),
		TEST(test_what_is_not_ours_is_as_if_it_were_not_there),
		TEST(
		    test_cve_2024_28233_a_planted_cookie_does_not_hide_the_real_one),
		TEST(test_the_host_prefix_is_another_name),
		TEST(test_an_oversized_header_is_as_empty),
		TEST(test_cookies_are_written_as_the_contract_says),
		TEST(test_only_the_session_id_goes_to_hosts_below),
		TEST(test_clearing_uses_the_path_of_setting),
		TEST(test_bytes_that_would_break_the_header_are_refused),
		TEST(test_new_values_are_well_formed_and_differ),
		TEST(test_a_token_is_stable_and_bound),
		TEST(test_what_passes_and_what_does_not),
		TEST(test_nobody_to_bind_to_is_no_pass),
		TEST(test_a_valid_cookie_is_noticed),
		TEST(test_the_texts_are_those_of_the_contract),
	};

	return cmocka_run_group_tests_name("auth/cookie", tests, NULL, NULL);
}
