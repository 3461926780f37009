/*
 * base/url: absolute URLs, percent coding, joining, pairs and cookies.
 */
#include "test_util.h"

#include "base/url.h"

static struct arena arena;

static int reset(void **state)
{
	(void)state;
	arena_fini(&arena);
	arena_init(&arena);
	return 0;
}

/* ---- absolute URLs ------------------------------------------------------ */

static void test_parse_splits_a_url(void **state)
{
	static const struct {
		const char *text;
		enum url_scheme scheme;
		const char *host;
		uint16_t port;
		bool has_port;
		const char *socket_path, *path, *query, *origin;
	} table[] = {
		{ "http://h", URL_HTTP, "h", 80, false, NULL, "/", NULL,
		    "http://h" },
		{ "HTTPS://Host.Example/a//b%2Fc?x=%41?&", URL_HTTPS,
		    "host.example", 443, false, NULL, "/a//b%2Fc", "x=%41?&",
		    "https://host.example" },
		{ "http://127.0.0.1:8001/", URL_HTTP, "127.0.0.1", 8001, true,
		    NULL, "/", NULL, "http://127.0.0.1:8001" },
		{ "https://h:443?q", URL_HTTPS, "h", 443, true, NULL, "/", "q",
		    "https://h" },
		{ "http://h:443/?", URL_HTTP, "h", 443, true, NULL, "/", "",
		    "http://h:443" },
		{ "http://h:/x", URL_HTTP, "h", 80, false, NULL, "/x", NULL,
		    "http://h" },
		{ "http://[::1]:65535/x", URL_HTTP, "::1", 65535, true, NULL,
		    "/x", NULL, "http://[::1]:65535" },
		{ "https://[FE80::A]", URL_HTTPS, "fe80::a", 443, false, NULL,
		    "/", NULL, "https://[fe80::a]" },
		{ "http+unix://%2Frun%2Fa%20b.sock/p?q", URL_HTTP_UNIX, "", 0,
		    false, "/run/a b.sock", "/p", "q",
		    "http+unix://%2Frun%2Fa%20b.sock" },
		{ "unix+http://%2frun%2fx", URL_HTTP_UNIX, "", 0, false,
		    "/run/x", "/", NULL, "http+unix://%2Frun%2Fx" },
		{ "http://a_b-c.d/\xc3\xa9", URL_HTTP, "a_b-c.d", 80, false,
		    NULL, "/\xc3\xa9", NULL, "http://a_b-c.d" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct url u;
		struct err err = { 0 };

		if (url_parse(&arena, table[i].text, &u, &err))
			fail_msg("%s: %s", table[i].text, err.text);
		assert_int_equal(u.scheme, table[i].scheme);
		assert_string_equal(u.host, table[i].host);
		assert_int_equal(u.port, table[i].port);
		assert_int_equal(u.has_port, table[i].has_port);
		assert_true(str_eq(u.socket_path, table[i].socket_path));
		assert_string_equal(u.path, table[i].path);
		assert_true(str_eq(u.query, table[i].query));
		assert_string_equal(url_origin(&arena, &u), table[i].origin);
	}
}

static void test_parse_refuses_what_is_no_server_url(void **state)
{
	static const char *const table[] = {
		"",
		"h",
		"/path",
		"//h/",
		"ftp://h/",
		"javascript:alert(1)",
		"http:/h",
		"http://",
		"http:///x",
		"http://:80/",
		"http://user@h/",
		"http://user:secret@h/",
		"http://h:0/",
		"http://h:65536/",
		"http://h:080/",
		"http://h:+80/",
		"http://h:80x/",
		"http://h\\evil/",
		"http://h/a b",
		"http://h/a\tb",
		"http://h/a\r\nX: y",
		"http://h/#frag",
		"http://h/\xff",
		"http://h%41/",
		"http://\xc3\xa9.example/",
		"http://[::1",
		"http://[::1]x/",
		"http://[1.2.3.4]/",
		"http://[fe80::1%25lo]/",
		"http://a:b:c/",
		"http+unix:///x",
		"http+unix://run%2Fx/",
		"http+unix://%2F/",
		"http+unix://%2Frun%2",
		"http+unix://%2Frun%00x/",
		"http+unix://%2Frun%0Ax/",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct url u;
		struct err err = { 0 };

		if (url_parse(&arena, table[i], &u, &err) == 0)
			fail_msg("accepted: %s", table[i]);
		assert_int_equal(err.code, ERR_INVALID);
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "secret"));
	}
}

static void test_parse_bounds_the_length(void **state)
{
	char *text = malloc(70001);
	struct url u;
	struct err err;

	(void)state;
	memset(text, 'a', 70000);
	memcpy(text, "http://h/", 9);
	text[70000] = '\0';
	assert_int_equal(url_parse(&arena, text, &u, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	text[60000] = '\0';
	assert_int_equal(url_parse(&arena, text, &u, &err), 0);
	memset(text + 7, 'h', 256);
	text[7 + 256] = '\0';
	assert_int_equal(url_parse(&arena, text, &u, &err), -1);
	free(text);
}

/* ---- percent coding ----------------------------------------------------- */

static void test_decode(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{ "", "" },
		{ "a+b%20c", "a+b c" },
		{ "%41%2f%2F", "A//" },
		{ "%25%32%35", "%25" },
		{ "%C3%A9", "\xc3\xa9" },
		{ "%", NULL },
		{ "%4", NULL },
		{ "%4g", NULL },
		{ "%g4", NULL },
		{ "a%", NULL },
		{ "%00", NULL },
		{ "%ff", NULL },
		{ "%C3", NULL },
		{ "\xc3", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		const char *out;
		struct err err = { 0 };
		int rc = url_decode(&arena, slice_of(table[i].in), &out, &err);

		assert_int_equal(rc, table[i].out ? 0 : -1);
		if (table[i].out)
			assert_string_equal(out, table[i].out);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_decode_stays_inside_the_slice(void **state)
{
	const char *out;

	(void)state;
	assert_int_equal(
	    url_decode(&arena, slice_make("%41", 2), &out, NULL), -1);
	assert_int_equal(
	    url_decode(&arena, slice_make("%41%42", 3), &out, NULL), 0);
	assert_string_equal(out, "A");
}

static void test_escape(void **state)
{
	(void)state;
	assert_string_equal(url_escape_segment(&arena, "a@b~c/d e\xc3\xa9%"),
	    "a@b~c%2Fd%20e%C3%A9%25");
	assert_string_equal(
	    url_quote(&arena, "a@b~c/d e", false), "a%40b~c%2Fd%20e");
	assert_string_equal(
	    url_quote(&arena, "service/a@b", true), "service/a%40b");
	assert_string_equal(
	    url_escape_path(&arena, "/user/a b/@x?y"), "/user/a%20b/@x%3Fy");
	assert_string_equal(url_quote(&arena, "", true), "");
}

static void test_every_byte_survives_escape_and_decode(void **state)
{
	(void)state;
	for (unsigned c = 1; c < 128; c++) {
		char in[2] = { (char)c, '\0' };
		const char *out;

		assert_int_equal(
		    url_decode(&arena, slice_of(url_escape_segment(&arena, in)),
			&out, NULL),
		    0);
		assert_string_equal(out, in);
	}
}

static void test_join(void **state)
{
	(void)state;
	assert_string_equal(url_join(&arena, "/", "hub/", NULL), "/hub/");
	assert_string_equal(
	    url_join(&arena, "/base/", "/hub/", "api", NULL), "/base/hub/api");
	assert_string_equal(
	    url_join(&arena, "http://h:1/", "//x//", "y/", NULL),
	    "http://h:1/x/y/");
	assert_string_equal(url_join(&arena, "a", "b", "", NULL), "a/b");
	assert_string_equal(url_join(&arena, "a", "", "b", NULL), "a/b");
	assert_string_equal(url_join(&arena, "/", "/", NULL), "/");
	assert_string_equal(url_join(&arena, "", "", NULL), "");
	assert_string_equal(url_join(&arena, "", "a", NULL), "a");
	assert_string_equal(url_join(&arena, "/", NULL), "/");
	assert_string_equal(url_join(&arena, "/x/", "", NULL), "/x/");
}

/* ---- pairs -------------------------------------------------------------- */

static void test_pairs_are_decoded(void **state)
{
	struct url_pairs p;
	struct slice s =
	    slice_of("a=1&b=x+y%26%3D&&a=2&c&=v&d=&e=f=g&%C3%A9=+&");

	(void)state;
	assert_int_equal(url_parse_pairs(&arena, s, 20, &p, NULL), 0);
	assert_int_equal(p.n, 8);
	assert_string_equal(url_pair_get(&p, "a"), "1");
	assert_int_equal(url_pair_count(&p, "a"), 2);
	assert_string_equal(url_pair_get(&p, "b"), "x y&=");
	assert_string_equal(url_pair_get(&p, "c"), "");
	assert_string_equal(url_pair_get(&p, ""), "v");
	assert_string_equal(url_pair_get(&p, "d"), "");
	assert_string_equal(url_pair_get(&p, "e"), "f=g");
	assert_string_equal(url_pair_get(&p, "\xc3\xa9"), " ");
	assert_null(url_pair_get(&p, "A"));
	assert_int_equal(url_pair_count(&p, "x"), 0);
}

static void test_pairs_have_a_bound(void **state)
{
	struct url_pairs p;
	struct err err;

	(void)state;
	assert_int_equal(
	    url_parse_pairs(&arena, slice_of("a&b&c"), 3, &p, &err), 0);
	assert_int_equal(
	    url_parse_pairs(&arena, slice_of("a&b&c&d"), 3, &p, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(
	    url_parse_pairs(&arena, slice_of("a&&&&&&b&c"), 3, &p, &err), 0);
	assert_int_equal(
	    url_parse_pairs(&arena, slice_make(NULL, 0), 3, &p, &err), 0);
	assert_int_equal(p.n, 0);
}

static void test_pairs_with_broken_coding_are_refused(void **state)
{
	static const char *const table[] = { "a=%", "%zz=1", "a=1&b=%e9",
		"a=%00", "a=\xff" };

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct url_pairs p;
		struct err err = { 0 };

		assert_int_equal(
		    url_parse_pairs(&arena, slice_of(table[i]), 9, &p, &err),
		    -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void test_pair_append_makes_what_parse_reads(void **state)
{
	struct url_pairs p;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	url_pair_append(&b, "next", "/hub/a b?c=d&e");
	url_pair_append(&b, "u\xc3\xa9", "~x+");
	assert_string_equal(
	    buf_view(&b), "next=%2Fhub%2Fa+b%3Fc%3Dd%26e&u%C3%A9=~x%2B");
	assert_int_equal(
	    url_parse_pairs(&arena, slice_make(b.data, b.len), 9, &p, NULL), 0);
	assert_string_equal(url_pair_get(&p, "next"), "/hub/a b?c=d&e");
	assert_string_equal(url_pair_get(&p, "u\xc3\xa9"), "~x+");
	buf_fini(&b);
}

/* ---- cookies ------------------------------------------------------------ */

static void test_cookie_is_found_by_its_exact_name(void **state)
{
	static const struct {
		const char *header, *name, *values[3];
	} table[] = {
		{ "a=1", "a", { "1" } },
		{ "a=1; b=2", "b", { "2" } },
		{ "aa=1;a=2;a-b=3", "a", { "2" } },
		{ "a=1; a=2", "a", { "1", "2" } },
		{ " \ta =\t\"q\" ; x", "a", { "\"q\"" } },
		{ "a==b=", "a", { "=b=" } },
		{ "a=", "a", { "" } },
		{ "A=1", "a", { NULL } },
		{ "a", "a", { NULL } },
		{ "x=a=1", "a", { NULL } },
		{ "", "a", { NULL } },
		{ ";;;", "a", { NULL } },
		{ ";;a=1;", "a", { "1" } },
		{ "xsrf=1; _xsrf=2", "xsrf", { "1" } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct slice v;
		size_t pos = 0, n = 0;

		while (cookie_find(
		    slice_of(table[i].header), table[i].name, &pos, &v)) {
			if (!table[i].values[n] ||
			    !slice_eq(v, table[i].values[n]))
				fail_msg("%s", table[i].header);
			n++;
		}
		if (table[i].values[n])
			fail_msg("%s: found %zu", table[i].header, n);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, reset, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_parse_splits_a_url),
		T(test_parse_refuses_what_is_no_server_url),
		T(test_parse_bounds_the_length),
		T(test_decode),
		T(test_decode_stays_inside_the_slice),
		T(test_escape),
		T(test_every_byte_survives_escape_and_decode),
		T(test_join),
		T(test_pairs_are_decoded),
		T(test_pairs_have_a_bound),
		T(test_pairs_with_broken_coding_are_refused),
		T(test_pair_append_makes_what_parse_reads),
		T(test_cookie_is_found_by_its_exact_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
