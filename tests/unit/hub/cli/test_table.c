/*
 * hub/cli/table.c, hub/cli/text.c: what others wrote, on a terminal.
 */
#include "test_util.h"

#include <locale.h>

#include "hub/cli/table.h"
#include "hub/cli/text.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void test_controls_become_visible(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "zo\u00eb \u4e2d\u6587", "zo\u00eb \u4e2d\u6587" },
		{ "a\x1b[31mb", "a\\x1b[31mb" },
		{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f" },
		{ "a\xc2\x9b"
		  "b",
		    "a\\u009bb" },
		{ "gpj\u202etxt", "gpj\\u202etxt" },
		{ "a\u200bb\ufeff", "a\\u200bb\\ufeff" },
		{ "a\u2028b\u2066", "a\\u2028b\\u2066" },
		{ "\xff\xc3", "\\xff\\xc3" },
		{ "\xe2\x80", "\\xe2\\x80" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_string_equal(
		    text_clean(&arena, cases[i].in, TEXT_ONE_LINE),
		    cases[i].out);
}

static void test_a_log_keeps_its_lines(void **state)
{
	(void)state;
	assert_string_equal(text_clean(&arena, "a\n\tb\rc\n", TEXT_KEEP_LINES),
	    "a\n\tb\\x0dc\n");
}

static void test_widths_are_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width("zo\u00eb"), 3);
	assert_int_equal(text_width("\u4e2d\u6587"), 4);
	assert_int_equal(text_width("e\u0301"), 1);
	assert_string_equal(text_cut(&arena, "abcdef", 6), "abcdef");
	assert_string_equal(text_cut(&arena, "abcdef", 4), "abc\u2026");
	/* A character of two columns does not fit into the one left. */
	assert_string_equal(text_cut(&arena, "a\u4e2d\u6587", 3), "a\u2026");
}

/* What table_print prints for two rows at that width. */
static const char *printed(size_t width)
{
	static const char *const titles[] = { "NAME", "NOTE", "X", NULL };
	static const char *const cells[] = { "\u4e2d\u6587", "a long note",
		NULL, "bob", "", "yes\x1b" };
	struct table t;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	table_init(&t, &arena, titles);
	for (size_t i = 0; i < N_OF(cells); i++)
		table_add(&t, cells[i]);
	table_print(&t, width, f);
	fclose(f);
	const char *copy = arena_strdup(&arena, text);
	free(text);
	return copy;
}

static void test_columns_are_aligned(void **state)
{
	(void)state;
	assert_string_equal(printed(0), "NAME  NOTE         X\n"
					"\u4e2d\u6587  a long note  -\n"
					"bob   -            yes\\x1b\n");
}

static void test_the_widest_gives_way(void **state)
{
	(void)state;
	assert_string_equal(printed(23), "NAME  NOTE      X\n"
					 "\u4e2d\u6587  a long \u2026  -\n"
					 "bob   -         yes\\x1b\n");
}

static void test_a_table_does_not_vanish(void **state)
{
	(void)state;
	assert_non_null(strstr(printed(1), "a lon\u2026"));
}

static void test_rows_grow(void **state)
{
	static const char *const titles[] = { "N", NULL };
	struct table t;

	(void)state;
	table_init(&t, &arena, titles);
	for (int i = 0; i < 1000; i++)
		table_add(&t, i == 0 ? "first" : "next");
	assert_int_equal(t.n_cells, 1000);
	assert_string_equal(t.cells[0], "first");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_controls_become_visible),
		T(test_a_log_keeps_its_lines),
		T(test_widths_are_columns),
		T(test_columns_are_aligned),
		T(test_the_widest_gives_way),
		T(test_a_table_does_not_vanish),
		T(test_rows_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
