/*
 * routes.def and hub/match.c: patterns, and every route against requests that
 * it must refuse in the contract's way.
 */
#include "web_fixture.c"

#include "db/group.h"
#include "hub/match.h"

static struct browser alice;

static int fresh(void **state)
{
	web_setup(state);
	alice = (struct browser){ 0 };
	log_in(&alice, "alice");
	return 0;
}

/* ---- patterns --------------------------------------------------------- */

static void test_patterns_are_anchored(void **state)
{
	static const struct {
		const char *method, *path, *pattern; /* NULL: none */
		const char *user, *server, *tail;
	} cases[] = {
		{ "GET", "/", "/", NULL, NULL, NULL },
		{ "GET", "/home", "/home", NULL, NULL, NULL },
		{ "GET", "/home/", NULL, NULL, NULL, NULL },
		{ "GET", "//home", NULL, NULL, NULL, NULL },
		{ "GET", "/api", "/api", NULL, NULL, NULL },
		{ "GET", "/api/", "/api/", NULL, NULL, NULL },
		{ "GET", "/apix", NULL, NULL, NULL, NULL },
		{ "GET", "/api/users/alice", "/api/users/:user", "alice", NULL,
		    NULL },
		{ "GET", "/api/users/", NULL, NULL, NULL, NULL },
		{ "GET", "/api/users/a%2Fb%20c@d", "/api/users/:user",
		    "a/b c@d", NULL, NULL },
		{ "GET", "/api/users/a+b", "/api/users/:user", "a+b", NULL,
		    NULL },
		{ "POST", "/api/users/a/servers/",
		    "/api/users/:user/servers/:server?", "a", "", NULL },
		{ "POST", "/api/users/a/servers/s",
		    "/api/users/:user/servers/:server?", "a", "s", NULL },
		{ "POST", "/api/users/a/servers", NULL, NULL, NULL, NULL },
		{ "GET", "/api/users/a/servers//progress",
		    "/api/users/:user/servers/:server?/progress", "a", "",
		    NULL },
		{ "GET", "/user/a", "/user/:user", "a", NULL, NULL },
		{ "GET", "/user/a/", "/user/:user/*", "a", NULL, "" },
		{ "GET", "/user/a/b//c%2F", "/user/:user/*", "a", NULL,
		    "b//c%2F" },
		{ "GET", "/static/x/y.css", "/static/*", NULL, NULL,
		    "x/y.css" },
		{ "BREW", "/home", NULL, NULL, NULL, NULL },
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct match m;
		struct err err = { .code = ERR_NONE };
		test_ok(
		    match_path(&a, cases[i].method, cases[i].path, &m, &err),
		    &err);
		const char *got = m.route ? m.route->pattern : NULL;
		if (!str_eq(got, cases[i].pattern))
			fail_msg("%s: %s", cases[i].path, got ? got : "none");
		if (!got)
			continue;
		assert_true(str_eq(m.user, cases[i].user));
		assert_true(str_eq(m.server, cases[i].server));
		assert_true(str_eq(m.tail, cases[i].tail));
	}
	arena_fini(&a);
}

static void test_broken_captures_are_invalid(void **state)
{
	static const char *const paths[] = { "/user/%", "/user/%zz",
		"/user/%00", "/user/%ff", "/api/users/a%c3/server" };
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < N_OF(paths); i++) {
		struct match m;
		struct err err;
		assert_int_equal(match_path(&a, "GET", paths[i], &m, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	arena_fini(&a);
}

/* ---- every route ------------------------------------------------------- */

/* An address for the pattern: alice's. */
static const char *example(const struct route *r)
{
	static char out[200];
	struct slice rest = slice_of(r->pattern + 1), part;
	size_t len = (size_t)snprintf(out, sizeof out, "/hub");

	if (!r->pattern[1])
		return "/hub/";
	while (slice_split(&rest, '/', &part)) {
		const char *text = NULL;
		if (slice_eq(part, ":user"))
			text = "alice";
		else if (slice_eq(part, ":group"))
			text = "g";
		else if (slice_eq(part, ":token"))
			text = "a1";
		else if (slice_eq(part, ":code"))
			text = "404";
		else if (slice_starts(part, ":server"))
			text = "s";
		else if (slice_eq(part, "*"))
			text = "carrel.css";
		len += (size_t)(text ? snprintf(out + len, sizeof out - len,
					   "/%s", text)
				     : snprintf(out + len, sizeof out - len,
					   "/%.*s", (int)part.len, part.p));
	}
	if (str_ends(r->pattern, "/"))
		snprintf(out + len, sizeof out - len, "/");
	return out;
}

static void for_each_route(void (*fn)(const struct route *r))
{
	size_t n;
	const struct route *table = match_table(&n);

	for (size_t i = 0; i < n; i++)
		fn(&table[i]);
}

static bool is_reading(const struct route *r)
{
	return str_eq(r->method, "GET") || str_eq(r->method, "HEAD");
}

static void expect(const struct route *r, const struct answer *a, int status)
{
	if (a->status != status)
		fail_msg("%s %s: wanted %d, got\n%s", r->method, r->pattern,
		    status, a->text);
}

static void without_credentials(const struct route *r)
{
	struct answer *a =
	    request(r->method, example(r), "", is_reading(r) ? NULL : "");

	switch (r->gate) {
	case GATE_API:
		expect(r, a, 403);
		assert_api_error(a, 403, "Missing or invalid credentials.");
		break;
	case GATE_PAGE:
	case GATE_EITHER:
		expect(r, a, is_reading(r) ? 302 : 403);
		if (is_reading(r))
			assert_true(str_starts(header(a, "Location"),
			    "/hub/login?next=%2Fhub%2F"));
		break;
	case GATE_SCRAPE:
		expect(r, a, 403);
		assert_non_null(strstr(a->body, "<html"));
		break;
	case GATE_OPEN:
		if (!is_reading(r))
			expect(r, a, 403);
		break;
	case GATE_OAUTH:
		expect(r, a, strstr(r->pattern, "userinfo") ? 401 : 400);
		break;
	case GATE_PUBLIC:
		assert_true(a->status == 200 || a->status == 404);
	}
}

static void test_every_route_without_credentials(void **state)
{
	(void)state;
	for_each_route(without_credentials);
}

static void with_cookie_but_no_xsrf(const struct route *r)
{
	if (is_reading(r) || r->gate == GATE_OAUTH)
		return;
	struct call c = browse_begin(&alice, r->method, example(r), "", "");
	expect(r, call_end(&c), 403);
}

static void test_every_writing_route_needs_the_xsrf_token(void **state)
{
	(void)state;
	for_each_route(with_cookie_but_no_xsrf);
}

static bool has_method(const struct route *r, const char *method)
{
	size_t n;
	const struct route *table = match_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(table[i].pattern, r->pattern) &&
		    str_eq(table[i].method, method))
			return true;
	return false;
}

static void with_other_methods(const struct route *r)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH",
		"DELETE", "PROPFIND" };
	char more[200];

	snprintf(more, sizeof more, "X-XSRFToken: %s\r\n",
	    cookie_slot(&alice, "_xsrf"));
	for (size_t i = 0; i < N_OF(methods); i++) {
		if (has_method(r, methods[i]))
			continue;
		struct call c = browse_begin(&alice, methods[i], example(r),
		    more, str_eq(methods[i], "GET") ? NULL : "");
		struct answer *a = call_end(&c);
		expect(r, a, 405);
		assert_non_null(strstr(header(a, "Allow"), r->method));
		if (r->gate == GATE_API ||
		    (r->gate == GATE_PUBLIC && strstr(r->pattern, "/api")))
			assert_api_error(a, 405, "Method Not Allowed");
	}
}

static void test_every_route_refuses_other_methods(void **state)
{
	(void)state;
	for_each_route(with_other_methods);
}

static void with_long_body(const struct route *r)
{
	char more[300];

	if (is_reading(r))
		return;
	snprintf(more, sizeof more,
	    "X-XSRFToken: %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n",
	    cookie_slot(&alice, "_xsrf"), r->max_body + 1);
	/* a declared length is refused before the body is read */
	struct call c = browse_begin(&alice, r->method, example(r), more, NULL);
	assert_true(call_hears(&c, "HTTP/1.1 413"));
	call_drop(&c);
}

static void test_every_route_bounds_its_body(void **state)
{
	(void)state;
	for_each_route(with_long_body);
}

static void with_long_chunked_body(const struct route *r)
{
	char more[300];

	if (is_reading(r) || r->max_body > 70000)
		return;
	snprintf(more, sizeof more,
	    "X-XSRFToken: %s\r\nContent-Type: application/json\r\n"
	    "Transfer-Encoding: chunked\r\n",
	    cookie_slot(&alice, "_xsrf"));
	struct call c = browse_begin(&alice, r->method, example(r), more, NULL);
	char chunk[1024 + 8];
	memset(chunk, 'a', sizeof chunk);
	memcpy(chunk, "400\r\n", 5);
	memcpy(chunk + 5 + 1024, "\r\n", 2);
	for (size_t n = 0; n <= r->max_body; n += 1024) {
		assert_int_equal(
		    send(c.fd, chunk, 5 + 1024 + 2, MSG_NOSIGNAL), 1031);
		call_turn(&c);
	}
	assert_int_equal(send(c.fd, "0\r\n\r\n", 5, MSG_NOSIGNAL), 5);
	expect(r, call_end(&c), 413);
}

static void test_every_route_bounds_its_chunked_body(void **state)
{
	(void)state;
	for_each_route(with_long_chunked_body);
}

/* A body is accepted there and says nothing (contract/hub.md 0.4). */
static bool ignores_body(const struct route *r)
{
	if (str_eq(r->method, "POST"))
		return str_eq(r->pattern, "/api/proxy") ||
		       str_eq(r->pattern, "/api/users/:user/admin-access") ||
		       str_starts(r->pattern, "/api/authorizations/");
	return str_eq(r->method, "DELETE") &&
	       (str_eq(r->pattern, "/api/users/:user") ||
		   str_eq(r->pattern, "/api/users/:user/tokens/:token") ||
		   str_eq(r->pattern, "/api/groups/:group"));
}

static void with_malformed_body(const struct route *r)
{
	static const char *const bodies[] = { "{", "nonsense", "{\"a\":}",
		"{} {}", "{\"a\":1,\"a\":2}", "\"\\u0000\"",
		"[[[[[[[[[[[[[[[["
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" };
	const char *token = bearer(user_id_of("alice"), "[\"inherit\"]");

	if (r->gate != GATE_API || is_reading(r) || ignores_body(r))
		return;
	/* named servers are refused for their name */
	if (strstr(r->pattern, ":server?"))
		return;
	for (size_t i = 0; i < N_OF(bodies); i++)
		assert_api_error(
		    request(r->method, example(r), token, bodies[i]), 400,
		    "Invalid JSON in body of request");
}

static void test_every_api_route_refuses_malformed_json(void **state)
{
	struct err err = { 0 };
	int64_t id;

	(void)state;
	test_ok(user_set_admin(app.db, user_id_of("alice"), true, &err), &err);
	test_ok(group_create(app.db, "g", &id, &err), &err);
	for_each_route(with_malformed_body);
}

static void with_useless_token(const struct route *r)
{
	const char *token = bearer(user_id_of("alice"), "[]");

	if (r->gate != GATE_API || r->scopes[0] == SCOPE_NO_SCOPE)
		return;
	struct answer *a =
	    request(r->method, example(r), token, is_reading(r) ? NULL : "");
	/* identify scopes are always held (contract/hub.md 7.5) */
	if (str_eq(r->pattern, "/api/users/:user") && is_reading(r))
		expect(r, a, 200);
	else
		assert_api_error(
		    a, 403, "Action is not authorized with current scopes");
}

static void test_every_scoped_route_refuses_a_token_without_scopes(void **state)
{
	(void)state;
	for_each_route(with_useless_token);
}

static void has_text(const struct route *r)
{
	assert_true(r->doc && r->doc[0]);
	assert_int_equal(r->doc[strlen(r->doc) - 1], '.');
	/* old services send the cookie as the body of a GET */
	if (is_reading(r) && !str_starts(r->pattern, "/api/authorizations/"))
		assert_int_equal(r->max_body, 0);
}

static void test_every_route_is_documented(void **state)
{
	(void)state;
	for_each_route(has_text);
}

/* ---- outside the prefix -------------------------------------------------- */

static void test_outside_the_prefix(void **state)
{
	static const struct {
		const char *target;
		int status;
		const char *location;
	} cases[] = {
		{ "/", 302, "/hub/" },
		{ "/hub", 301, "/hub/" },
		{ "/hub?x=1", 301, "/hub/?x=1" },
		{ "/user/a", 301, "/user/a/" },
		{ "/user/a?x=%20", 301, "/user/a/?x=%20" },
		{ "/services/a", 301, "/services/a/" },
		{ "/user/a/lab?x=1", 302, "/hub/user/a/lab?x=1" },
		{ "/user/", 302, "/hub/user/" },
		{ "/a/b?next=/x", 302, "/hub/a/b?next=/x" },
		{ "//evil.example/x", 302, "/hub//evil.example/x" },
		{ "/hubx", 302, "/hub/hubx" },
		{ "/favicon.ico", 200, NULL },
		{ "/robots.txt", 200, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct answer *a = request("GET", cases[i].target, "", NULL);
		assert_answer(a, cases[i].status, NULL);
		if (cases[i].location)
			assert_header(a, "Location", cases[i].location);
		assert_null(header(a, "Set-Cookie"));
	}
	assert_answer(
	    request("POST", "/user/a/api/kernels", "", ""), 403, "<html");
	assert_answer(request("HEAD", "/user/a/", "", NULL), 405, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fresh, web_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns_are_anchored),
		cmocka_unit_test(test_broken_captures_are_invalid),
		T(test_every_route_without_credentials),
		T(test_every_writing_route_needs_the_xsrf_token),
		T(test_every_route_refuses_other_methods),
		T(test_every_route_bounds_its_body),
		T(test_every_route_bounds_its_chunked_body),
		T(test_every_api_route_refuses_malformed_json),
		T(test_every_scoped_route_refuses_a_token_without_scopes),
		cmocka_unit_test(test_every_route_is_documented),
		T(test_outside_the_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
