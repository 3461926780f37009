/* Tests of auth/roster_file.c. */
#include "test_util.h"

#include "auth/roster_file.h"
#include "base/buf.h"

static struct arena arena;
static struct auth_rules *rules;
static struct conf_pair mapped = { "teacher@x.org", "teacher" };
static const struct auth_rules_config cfg = {
	.allow_all = true,
	.username_map = { &mapped, 1 },
};

static int set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	arena_init(&arena);
	rules = rules_open(&cfg, &err);
	assert_non_null(rules);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rules_close(&rules);
	arena_fini(&arena);
	return 0;
}

static int parse(const char *text, struct roster_names *out, struct err *err)
{
	return roster_file_parse(
	    &arena, "class.csv", slice_of(text), rules, out, err);
}

/* All names with a blank between. */
static const char *names(const char *text)
{
	struct roster_names n;
	struct err err = { 0 };
	char *all = arena_printf(&arena, "%s", "");

	test_ok(parse(text, &n, &err), &err);
	for (size_t i = 0; i < n.n; i++)
		all = arena_printf(
		    &arena, "%s%s%s", all, i > 0 ? " " : "", n.items[i]);
	return all;
}

static void test_one_person_a_line(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "ana", "ana" },
		{ "ana\nben\n", "ana ben" },
		{ "ana\r\nben\r\n", "ana ben" },
		{ " Ana , ana@x.org\n\nBEN,\n", "ana ben" },
		{ "name,email\nana,ana@x.org\n", "ana" },
		{ "E-mail,User name\na@x.org,ana\nb@x.org,ben\n", "ana ben" },
		{ "Surname;Login\nRivera;ana\n", "ana" },
		{ "\"ana\",\"Rivera, Ana\"\nben,\"two\nlines\"\ncem,x\n",
		    "ana ben cem" },
		{ "\xef\xbb\xbfname\nana\n", "ana" },
		{ "ana\nANA\nana\n", "ana" },
		{ "teacher@x.org\n", "teacher" },
		{ "ana\nname\n", "ana name" },
		{ "j\xc3\xbcrgen\n", "j\xc3\xbcrgen" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_string_equal(names(rows[i].text), rows[i].want);
}

static void test_what_is_wrong_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "ana\nben\na/b\n", "class.csv:3: " },
		{ "ana,x\n,y\n", "class.csv:2: " },
		{ "ana\n\"ben\n", "quoted field has no end" },
		{ "ana\nbe\"n\n", "class.csv:2: " },
		{ "ana\n\xff\n", "not UTF-8" },
	};
	struct roster_names n;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(parse(rows[i].text, &n, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		test_err_says(&err, rows[i].says);
	}
}

static void test_a_list_is_bounded(void **state)
{
	struct roster_names n;
	struct err err = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, ROSTER_BYTES_MAX);
	for (int i = 0; i < ROSTER_PEOPLE_MAX; i++)
		buf_printf(&b, "p%d\n", i);
	test_ok(parse(buf_view(&b), &n, &err), &err);
	assert_int_equal(n.n, ROSTER_PEOPLE_MAX);
	buf_str(&b, "p0\none-more\n");
	assert_int_equal(parse(buf_view(&b), &n, &err), -1);
	test_err_says(&err, "class.csv:20002: more people");
	buf_fini(&b);
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
	struct roster_names n;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    roster_file_read(&arena, "/no/such/class.csv", rules, &n, &err),
	    -1);
	test_err_says(&err, "auth.roster");
	test_err_says(&err, "/no/such/class.csv");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_person_a_line),
		TEST(test_what_is_wrong_is_told_with_its_line),
		TEST(test_a_list_is_bounded),
		TEST(test_a_file_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests_name(
	    "auth/roster_file", tests, NULL, NULL);
}
