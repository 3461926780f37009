/* Tests of base/str.c. */
#include "test_util.h"

#include "base/str.h"

static void test_slice_compare(void **state)
{
	struct slice s = slice_make("Hello, world", 5), none = slice_of(NULL);

	(void)state;
	assert_true(slice_eq(s, "Hello"));
	assert_false(slice_eq(s, "Hell"));
	assert_false(slice_eq(s, "hello"));
	assert_true(slice_ieq(s, "hELLO"));
	assert_false(slice_ieq(s, "hELL"));
	assert_false(slice_ieq(slice_of("["), "{"));
	assert_true(slice_same(none, slice_of("")));
	assert_true(slice_eq(none, ""));
	assert_true(slice_starts(s, "He"));
	assert_true(slice_starts(s, ""));
	assert_true(slice_starts(none, ""));
	assert_false(slice_starts(s, "Hello,"));
}

static void test_slice_trim(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_trim(slice_of(" \t a b \t")), "a b"));
	assert_true(slice_eq(slice_trim(slice_of(" \t ")), ""));
	assert_true(slice_eq(slice_trim(slice_of("")), ""));
	assert_true(slice_eq(slice_trim(slice_of("\na\r")), "\na\r"));
}

static void test_slice_split(void **state)
{
	struct slice rest = slice_of("a,,bc,"), part;

	(void)state;
	assert_true(slice_split(&rest, ',', &part));
	assert_true(slice_eq(part, "a"));
	assert_true(slice_split(&rest, ',', &part));
	assert_true(slice_eq(part, ""));
	assert_true(slice_split(&rest, ',', &part));
	assert_true(slice_eq(part, "bc"));
	assert_false(slice_split(&rest, ',', &part));
	rest = slice_of("");
	assert_false(slice_split(&rest, ',', &part));
	rest = slice_of("whole");
	assert_true(slice_split(&rest, ',', &part));
	assert_true(slice_eq(part, "whole"));
	assert_false(slice_split(&rest, ',', &part));
}

static void test_copy_that_does_not_fit_is_an_error(void **state)
{
	char dst[4] = "zzz";

	(void)state;
	assert_int_equal(str_copy(dst, sizeof dst, "abc"), 0);
	assert_string_equal(dst, "abc");
	assert_int_equal(str_copy(dst, sizeof dst, "abcd"), -1);
	assert_string_equal(dst, "");
	assert_int_equal(str_copy(dst, 0, "abc"), -1);
	assert_int_equal(
	    str_copy_slice(dst, sizeof dst, slice_make("xyz!", 3)), 0);
	assert_string_equal(dst, "xyz");
	assert_int_equal(str_copy_slice(dst, sizeof dst, slice_of(NULL)), 0);
	assert_string_equal(dst, "");
}

static void test_format_truncation_is_an_error(void **state)
{
	char dst[4];

	(void)state;
	assert_int_equal(str_format(dst, sizeof dst, "%d", 123), 0);
	assert_string_equal(dst, "123");
	assert_int_equal(str_format(dst, sizeof dst, "%d", 1234), -1);
	assert_string_equal(dst, "");
	assert_int_equal(str_format(dst, 0, "%d", 1), -1);
}

static void test_eq_starts_ends(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("ab", "abc"));
	assert_true(str_ends("abc", "bc"));
	assert_true(str_ends("abc", ""));
	assert_false(str_ends("bc", "abc"));
}

static void test_lower_leaves_other_bytes(void **state)
{
	char s[] = "AbZ@[\xc3\x84";

	(void)state;
	str_lower_ascii(s);
	assert_string_equal(s, "abz@[\xc3\x84");
}

static void test_utf8_table(void **state)
{
	static const struct {
		const char *text;
		bool is_valid;
	} cases[] = {
		{ "", true },
		{ "ascii", true },
		{ "\xc3\xa9", true },
		{ "\xe2\x82\xac", true },
		{ "\xf0\x9f\x98\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\x80", false },
		{ "\xc3", false },
		{ "\xc3(", false },
		{ "\xc0\xaf", false },
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xe2\x82", false },
		{ "\xe2\x82(", false },
		{ "\xed\xa0\x80", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf0\x9f\x98", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		if (utf8_valid(cases[i].text, strlen(cases[i].text)) !=
		    cases[i].is_valid)
			fail_msg("case %zu", i);
	assert_false(utf8_valid("a\0b", 3));
}

static void test_control_bytes(void **state)
{
	(void)state;
	assert_true(str_has_control("a\tb", 3));
	assert_true(str_has_control("a\x7f", 2));
	assert_true(str_has_control("\0", 1));
	assert_false(str_has_control("a \xc3\xa9", 4));
	assert_false(str_has_control("", 0));
}

static void test_printable_table(void **state)
{
	static const struct {
		const char *in;
		size_t cap;
		const char *out;
	} cases[] = {
		{ "plain", 16, "plain" },
		{ "a\nb\x7f", 16, "a?b?" },
		{ "\xc3\xa9", 16, "\xc3\xa9" },
		{ "\xc3", 16, "?" },
		{ "a\xff\xc3\xa9", 16, "a?\xc3\xa9" },
		/* U+009B is a control sequence introducer to a terminal. */
		{ "\xc2\x9b", 16, "??" },
		{ "\xc2\xa0", 16, "\xc2\xa0" },
		{ "abcdef", 7, "abcdef" },
		{ "abcdefg", 7, "abc..." },
		{ "ab\xc3\xa9"
		  "fgh",
		    7, "ab..." },
		{ "abc", 3, ".." },
		{ "abc", 2, "." },
		{ "abc", 1, "" },
		{ "", 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		char out[16];

		memset(out, 'X', sizeof out);
		str_printable(
		    out, cases[i].cap, cases[i].in, strlen(cases[i].in));
		assert_string_equal(out, cases[i].out);
	}
	str_printable(NULL, 0, "abc", 3);
}

static void test_distance_table(void **state)
{
	static const struct {
		const char *a, *b;
		size_t limit, expected;
	} cases[] = {
		{ "", "", 3, 0 },
		{ "abc", "abc", 3, 0 },
		{ "abc", "abd", 3, 1 },
		{ "abc", "ab", 3, 1 },
		{ "", "abc", 3, 3 },
		{ "kitten", "sitting", 3, 3 },
		{ "kitten", "sitting", 2, 3 },
		{ "abcdef", "uvwxyz", 2, 3 },
	};
	char longer[200];

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(
		    str_distance(cases[i].a, cases[i].b, cases[i].limit),
		    cases[i].expected);
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(str_distance(longer, longer, 2), 3);
	longer[127] = '\0';
	assert_int_equal(str_distance(longer, longer, 2), 0);
}

static void test_hex(void **state)
{
	unsigned char bytes[4];
	char text[9];
	size_t n;

	(void)state;
	hex_encode((const unsigned char *)"\x00\xff\x1a\xb0", 4, text);
	assert_string_equal(text, "00ff1ab0");
	assert_int_equal(hex_decode("00Ff1aB0", bytes, 4, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(bytes, "\x00\xff\x1a\xb0", 4);
	assert_int_equal(hex_decode("", bytes, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(hex_decode("abc", bytes, 4, &n), -1);
	assert_int_equal(hex_decode("0g", bytes, 4, &n), -1);
	assert_int_equal(hex_decode("0011223344", bytes, 4, &n), -1);
}

static void test_b64url_vectors(void **state)
{
	static const struct {
		const char *plain, *coded;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg" },
		{ "fo", "Zm8" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg" },
		{ "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "-__-" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t len = strlen(cases[i].plain), n;
		size_t coded_len = strlen(cases[i].coded);
		unsigned char plain[8];
		char coded[16];

		assert_int_equal(
		    b64url_encode(cases[i].plain, len, coded, coded_len + 1),
		    0);
		assert_string_equal(coded, cases[i].coded);
		assert_int_equal(
		    b64url_encode(cases[i].plain, len, coded, coded_len), -1);
		assert_int_equal(
		    b64url_decode(slice_of(cases[i].coded), plain, len, &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(plain, cases[i].plain, len);
	}
}

static void test_b64url_refuses(void **state)
{
	static const char *const bad[] = { "Z", "Zg=", "Zg==", "Zh", "Zm9",
		"Zm+v", "Zm/v", "Zm9 ", "Zm9vY" };
	unsigned char out[16];
	size_t n;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++)
		if (b64url_decode(slice_of(bad[i]), out, sizeof out, &n) == 0)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(
	    b64url_decode(slice_make("Zm\0v", 4), out, sizeof out, &n), -1);
	assert_int_equal(b64url_decode(slice_of("Zm9v"), out, 2, &n), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slice_compare),
		cmocka_unit_test(test_slice_trim),
		cmocka_unit_test(test_slice_split),
		cmocka_unit_test(test_copy_that_does_not_fit_is_an_error),
		cmocka_unit_test(test_format_truncation_is_an_error),
		cmocka_unit_test(test_eq_starts_ends),
		cmocka_unit_test(test_lower_leaves_other_bytes),
		cmocka_unit_test(test_utf8_table),
		cmocka_unit_test(test_control_bytes),
		cmocka_unit_test(test_printable_table),
		cmocka_unit_test(test_distance_table),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_b64url_vectors),
		cmocka_unit_test(test_b64url_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
