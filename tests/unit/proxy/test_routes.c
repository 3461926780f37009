/*
 * proxy/route and proxy/routes: keys, targets, and the trie.
 */
#include "test_util.h"

#include "proxy/cell.h"
#include "proxy/route.h"
#include "proxy/routes.h"

static struct route *make(const char *key)
{
	struct err err;
	struct route *r =
	    route_new(key, "http://127.0.0.1:1", cell_new(1), &err);

	if (r == NULL)
		fail_msg("%s: %s", key, err.text);
	return r;
}

static void add(struct routes *t, const char *key)
{
	struct route *r = make(key);

	routes_set(t, r);
	route_unref(&r);
}

/* The key that a path leads to; "" for none, "!" for undecodable. */
static const char *match(struct routes *t, const char *host, const char *path)
{
	struct routes_match m;
	int rc = routes_match(t, slice_of(host), slice_of(path), &m);

	return rc < 0 ? "!" : rc == 0 ? "" : m.route->key;
}

static void test_longest_prefix_of_whole_segments(void **state)
{
	static const char *const keys[] = { "/b", "/b/c", "/b/c/d/e",
		"/user/a@b", "/d//e", "/x y", "/constructor" };
	static const struct {
		const char *path, *key;
	} table[] = {
		{ "/", "" },
		{ "/b", "/b" },
		{ "/b/", "/b" },
		{ "/bc", "" },
		{ "/b/cx", "/b" },
		{ "/b/c", "/b/c" },
		{ "/b/c/d", "/b/c" },
		{ "/b/c/d/e", "/b/c/d/e" },
		{ "/b/c/d/e/f/g", "/b/c/d/e" },
		{ "//b", "" },
		{ "/B", "" },
		{ "/x/../b", "" },
		{ "/user/a@b", "/user/a@b" },
		{ "/user/a%40b/x", "/user/a@b" },
		{ "/user%2fa%40b", "/user/a@b" },
		{ "/%75ser/a@b", "/user/a@b" },
		{ "/user/a%2540b", "" },
		{ "/d/e", "" },
		{ "/d//e", "/d//e" },
		{ "/d/%2Fe", "/d//e" },
		{ "/d%2F/e", "/d//e" },
		{ "/x%20y", "/x y" },
		{ "/x+y", "" },
		{ "/constructor/x", "/constructor" },
		{ "/__proto__", "" },
		{ "/%", "!" },
		{ "/%4", "!" },
		{ "/%zz", "!" },
		{ "/%00", "!" },
		{ "/nothing/here/%ff", "!" },
		{ "/%c3%28", "!" },
		{ "/%ed%a0%80", "!" },
		{ "/\xc3", "!" },
		{ "/b/%c3%a9", "/b" },
		{ "/b/\xf0\x9f\x98\x80", "/b" },
	};
	struct routes *t = routes_new(false);

	(void)state;
	for (size_t i = 0; i < N_OF(keys); i++)
		add(t, keys[i]);
	for (size_t i = 0; i < N_OF(table); i++)
		if (strcmp(match(t, "h", table[i].path), table[i].key) != 0)
			fail_msg("%s leads to \"%s\"", table[i].path,
			    match(t, "h", table[i].path));
	add(t, "/");
	assert_string_equal(match(t, "h", "/zz"), "/");
	assert_string_equal(match(t, "h", "//b"), "/");
	assert_int_equal(routes_count(t), N_OF(keys) + 1);
	routes_free(&t);
}

static void test_the_rest_behind_the_prefix(void **state)
{
	static const struct {
		const char *path, *rest;
	} table[] = {
		{ "/bar", "" },
		{ "/bar/", "/" },
		{ "/bar/rest/of/it", "/rest/of/it" },
		{ "/b%61r%2Frest", "%2Frest" },
		{ "/bar//x", "//x" },
	};
	struct routes *t = routes_new(false);

	(void)state;
	add(t, "/bar");
	for (size_t i = 0; i < N_OF(table); i++) {
		struct routes_match m;

		assert_int_equal(
		    routes_match(t, slice_of("h"), slice_of(table[i].path), &m),
		    1);
		assert_true(slice_eq(m.rest, table[i].rest));
	}
	routes_free(&t);
}

static void test_by_host(void **state)
{
	static const struct {
		const char *host, *path, *key;
	} table[] = {
		{ "a.example", "/", "/A.example" },
		{ "A.EXAMPLE:8000", "/x", "/A.example" },
		{ "a.example", "/deep/x", "/a.EXAMPLE/deep" },
		{ "[::1]:80", "/", "/[::1]" },
		{ "other", "/a.example", "/" },
		{ "", "/", "/" },
		{ "a.example", "/Deep", "/A.example" },
	};
	struct routes *t = routes_new(true);

	(void)state;
	add(t, "/");
	add(t, "/A.example");
	add(t, "/a.EXAMPLE/deep");
	add(t, "/[::1]");
	for (size_t i = 0; i < N_OF(table); i++)
		assert_string_equal(
		    match(t, table[i].host, table[i].path), table[i].key);
	routes_remove(t, "/a.Example");
	assert_string_equal(match(t, "a.example", "/x"), "/");
	routes_free(&t);
}

static void test_removing_keeps_parents_and_children(void **state)
{
	struct routes *t = routes_new(false);

	(void)state;
	add(t, "/a");
	add(t, "/a/b");
	add(t, "/a/b/c/d");
	routes_remove(t, "/a/b");
	routes_remove(t, "/a/b");
	routes_remove(t, "/a/b/c");
	routes_remove(t, "/none");
	assert_string_equal(match(t, "h", "/a/b/c/d"), "/a/b/c/d");
	assert_string_equal(match(t, "h", "/a/b/c"), "/a");
	routes_remove(t, "/a");
	assert_string_equal(match(t, "h", "/a/b/c"), "");
	routes_remove(t, "/a/b/c/d");
	assert_int_equal(routes_count(t), 0);
	assert_string_equal(match(t, "h", "/a/b/c/d"), "");
	routes_free(&t);
}

static void test_a_replaced_route_is_another_object(void **state)
{
	struct routes *t = routes_new(false);
	struct route *first = make("/a"), *second = make("/a");
	struct routes_match m;

	(void)state;
	routes_set(t, first);
	routes_set(t, second);
	assert_int_equal(routes_count(t), 1);
	assert_int_equal(routes_match(t, slice_of("h"), slice_of("/a"), &m), 1);
	assert_ptr_equal(m.route, second);
	route_unref(&first);
	route_unref(&second);
	assert_null(first);
	routes_free(&t);
}

/* Through growing, moving and shrinking nothing is lost. */
static void test_many_routes_come_and_go(void **state)
{
	enum { N = 20000 };
	struct routes *t = routes_new(false);
	char key[64];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "/user/u%d", i);
		add(t, key);
		snprintf(key, sizeof key, "/user/u%d", i / 2);
		assert_string_equal(match(t, "h", key), key);
	}
	assert_int_equal(routes_count(t), N);
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "/user/u%d", i);
		assert_string_equal(match(t, "h", key), key);
		routes_remove(t, key);
		assert_string_equal(match(t, "h", key), "");
		snprintf(key, sizeof key, "/user/u%d", N - 1);
		if (i < N - 1)
			assert_string_equal(match(t, "h", key), key);
	}
	assert_int_equal(routes_count(t), 0);
	routes_free(&t);
}

/* A few routes that change for ever: what has gone leaves no trace. */
static void test_the_same_few_keys_come_and_go(void **state)
{
	enum { N_KEYS = 300, N_EDITS = 60000 };
	bool is_there[N_KEYS] = { false };
	struct routes *t = routes_new(false);
	uint32_t random = 1;
	size_t n = 0;

	(void)state;
	for (int i = 0; i < N_EDITS; i++) {
		char key[64];
		size_t k;

		random = random * 1664525 + 1013904223;
		k = random / 65536 % N_KEYS;
		/* Some lie above others. */
		snprintf(key, sizeof key, k % 3 == 0 ? "/a%zu" : "/a%zu/b/%zu",
		    k / 3, k);
		if (is_there[k])
			routes_remove(t, key);
		else
			add(t, key);
		is_there[k] = !is_there[k];
		n = is_there[k] ? n + 1 : n - 1;
		assert_int_equal(routes_count(t), n);
		if (is_there[k])
			assert_string_equal(match(t, "h", key), key);
		else
			assert_string_not_equal(match(t, "h", key), key);
	}
	routes_free(&t);
}

/* ---- keys and targets ---------------------------------------------------- */

static void test_keys_are_cleaned(void **state)
{
	static const struct {
		const char *raw, *key; /* NULL: refused */
	} table[] = {
		{ "", "/" },
		{ "/", "/" },
		{ "/a", "/a" },
		{ "a", "/a" },
		{ "/a/", "/a" },
		{ "/a%2Fb%40c/", "/a/b@c" },
		{ "/d//e", "/d//e" },
		{ "/a//", NULL },
		{ "/%zz", NULL },
		{ "/a%00", NULL },
		{ "/a%0A", NULL },
		{ "/%ff", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		char out[ROUTE_KEY_MAX + 1];
		struct err err;
		int rc = route_key_clean(slice_of(table[i].raw), out, &err);

		if ((rc == 0) != (table[i].key != NULL))
			fail_msg("%s", table[i].raw);
		if (rc == 0)
			assert_string_equal(out, table[i].key);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_a_key_has_a_bound(void **state)
{
	static char raw[ROUTE_KEY_MAX + 2];
	static char out[ROUTE_KEY_MAX + 1];
	struct err err;

	(void)state;
	memset(raw, 'a', sizeof raw);
	raw[0] = '/';
	assert_int_equal(
	    route_key_clean(slice_make(raw, ROUTE_KEY_MAX), out, &err), 0);
	assert_int_equal(
	    route_key_clean(slice_make(raw, ROUTE_KEY_MAX + 1), out, &err), -1);
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *origin, *authority, *path, *query;
	} table[] = {
		{ "http://h", "http://h:80", "h", "", "" },
		{ "http://h:80/", "http://h:80", "h", "", "" },
		{ "http://h:8080/a/b/?x=1", "http://h:8080", "h:8080", "/a/b",
		    "x=1" },
		{ "http://[::1]:81/a//", "http://::1:81", "[::1]:81", "/a/",
		    "" },
		{ "http+unix://%2Frun%2Fs/a", "unix:/run/s", "localhost", "/a",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct err err;
		struct route *r =
		    route_new("/k", table[i].text, cell_new(1), &err);

		assert_non_null(r);
		assert_string_equal(r->target.origin, table[i].origin);
		assert_string_equal(r->target.authority, table[i].authority);
		assert_true(slice_eq(r->target.path, table[i].path));
		assert_true(slice_eq(r->target.query, table[i].query));
		route_unref(&r);
	}
}

static void test_bad_targets_are_refused(void **state)
{
	static const char *const table[] = { "", "not a url", "ftp://h",
		"https://", "http://", "http://h:99999", "http://a b/",
		"http://h/\n", "/path" };

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct err err;

		assert_null(route_new("/k", table[i], cell_new(1), &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_prefix_of_whole_segments),
		cmocka_unit_test(test_the_rest_behind_the_prefix),
		cmocka_unit_test(test_by_host),
		cmocka_unit_test(test_removing_keeps_parents_and_children),
		cmocka_unit_test(test_a_replaced_route_is_another_object),
		cmocka_unit_test(test_many_routes_come_and_go),
		cmocka_unit_test(test_the_same_few_keys_come_and_go),
		cmocka_unit_test(test_keys_are_cleaned),
		cmocka_unit_test(test_a_key_has_a_bound),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_bad_targets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
