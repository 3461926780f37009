/* Tests of hub/server_name.c. */
#include "test_util.h"

#include "base/arena.h"
#include "hub/server_name.h"

static void test_new_names_are_slugs(void **state)
{
	static const struct {
		const char *name;
		bool new_ok, old_ok;
	} rows[] = {
		{ "", true, true },
		{ "lab", true, true },
		{ "a1-b2", true, true },
		{ "abcdefghijabcdefghijabcdefghij", true, true },
		{ "abcdefghijabcdefghijabcdefghijk", false, true },
		{ "Lab", false, true },
		{ "1a", false, true },
		{ "a--b", false, true },
		{ "a-", false, true },
		{ "a b", false, true },
		{ "a/b", false, false },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(server_name_check(rows[i].name, true, &err),
		    rows[i].new_ok ? 0 : -1);
		assert_int_equal(server_name_check(rows[i].name, false, &err),
		    rows[i].old_ok ? 0 : -1);
	}
}

static void test_slugs_read_like_their_text(void **state)
{
	static const struct {
		const char *text, *slug;
	} rows[] = {
		{ "lab", "lab" },
		{ "My L\xc3\xa4"
		  "b 1",
		    "my-lab-1" },
		{ "My La\xcc\x88"
		  "b 1",
		    "my-lab-1" },
		{ "\xef\xac\x81nal", "final" },
		{ "2026", "x-2026" },
		{ "  --a__b--  ", "a-b" },
		{ "\xe6\x97\xa5\xe6\x9c\xac", "x" },
		{ "", "x" },
		{ "\xff", "x" },
		{ "abcdefghijabcdefghijabcdefghi jkl",
		    "abcdefghijabcdefghijabcdefghi" },
		{ "1bcdefghijabcdefghijabcdefghijkl",
		    "x-1bcdefghijabcdefghijabcdefgh" },
	};
	char slug[SERVER_SLUG_MAX + 1];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		server_name_slug(rows[i].text, false, slug);
		assert_string_equal(slug, rows[i].slug);
		assert_int_equal(server_name_check(slug, true, &err), 0);
		server_name_slug(rows[i].text, true, slug);
		assert_int_equal(server_name_check(slug, true, &err), 0);
	}
}

static void test_unlike_slugs_differ_where_plain_ones_are_alike(void **state)
{
	char a[SERVER_SLUG_MAX + 1], b[SERVER_SLUG_MAX + 1];

	(void)state;
	server_name_slug("a b", true, a);
	server_name_slug("a_b", true, b);
	assert_memory_equal(a, "a-b-", 4);
	assert_int_equal(strlen(a), 12);
	assert_string_not_equal(a, b);
}

static void test_display_names_are_normal(void **state)
{
	static const char *const bad[] = { "", " a", "a ", "a  b", "a\tb",
		"a\xe2\x80\x8b"
		"b",
		"\xff" };
	struct arena arena;
	const char *out;
	struct err err;

	(void)state;
	arena_init(&arena);
	assert_int_equal(server_display_normal(&arena,
			     "La\xcc\x88"
			     "b",
			     &out, &err),
	    0);
	assert_string_equal(out, "L\xc3\xa4"
				 "b");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(
		    server_display_normal(&arena, bad[i], &out, &err), -1);
	/* 255 characters once they are composed */
	char text[3 * 255 + 4] = "";
	for (int i = 0; i < 255; i++)
		memcpy(text + (size_t)i * 3, "a\xcc\x88", 3);
	assert_int_equal(server_display_normal(&arena, text, &out, &err), 0);
	memcpy(text + (size_t)255 * 3, "a", 2);
	assert_int_equal(server_display_normal(&arena, text, &out, &err), -1);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_names_are_slugs),
		cmocka_unit_test(test_slugs_read_like_their_text),
		cmocka_unit_test(
		    test_unlike_slugs_differ_where_plain_ones_are_alike),
		cmocka_unit_test(test_display_names_are_normal),
	};

	return cmocka_run_group_tests_name(
	    "hub/server_name", tests, NULL, NULL);
}
