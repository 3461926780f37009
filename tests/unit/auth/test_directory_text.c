#include "test_util.h"

#include "auth/directory.h"

typedef int fill_fn(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err);

static struct buf out;

static int fill(fill_fn *fn, const char *text, const char *name)
{
	const struct directory_word words[] = {
		{ .name = "username", .value = name },
		{ .name = "login_attr", .value = "uid", .is_plain = true },
	};

	buf_reset(&out);
	return fn(&out, text, words, N_OF(words), NULL);
}

static void fills(
    fill_fn *fn, const char *text, const char *name, const char *wanted)
{
	assert_int_equal(fill(fn, text, name), 0);
	assert_string_equal(buf_view(&out), wanted);
}

static int set_up(void **state)
{
	(void)state;
	buf_init(&out, 200);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void test_a_plain_name_stands_as_it_is(void **state)
{
	(void)state;
	fills(directory_fill_filter, "({login_attr}={username})", "alice",
	    "(uid=alice)");
	fills(directory_fill_name, "uid={username},dc=test", "alice",
	    "uid=alice,dc=test");
}

/* RFC 4515 section 3: '*', '(', ')', '\' are written in hexadecimal. */
static void test_filters_are_escaped(void **state)
{
	static const struct {
		const char *name, *wanted;
	} rows[] = {
		{ "*", "(uid=\\2A)" },
		{ "a)(uid=*", "(uid=a\\29\\28uid=\\2A)" },
		{ "\\2a", "(uid=\\5C2a)" },
		{ "{username}", "(uid={username})" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		fills(directory_fill_filter, "(uid={username})", rows[i].name,
		    rows[i].wanted);
}

/* RFC 4514 section 2.4; ours may be the character or its two hex digits. */
static void test_dns_are_escaped(void **state)
{
	static const struct {
		const char *name, *wanted;
	} rows[] = {
		{ "a,b", "uid=a\\2Cb,dc=test" },
		{ "a+cn=b", "uid=a\\2Bcn\\3Db,dc=test" },
		{ "a\\b", "uid=a\\5Cb,dc=test" },
		{ "a\"b;c<d>", "uid=a\\22b\\3Bc\\3Cd\\3E,dc=test" },
		{ "#a", "uid=\\23a,dc=test" },
		{ " a ", "uid=\\20a\\20,dc=test" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		fills(directory_fill_name, "uid={username},dc=test",
		    rows[i].name, rows[i].wanted);
}

/* Without '=' it is no DN, but an account's name with a domain. */
static void test_accounts_take_no_special_characters(void **state)
{
	static const char *const refused[] = { "a@other", "x\\alice", "a b",
		"a,b", "a/b", "\xc3\xa4" };

	(void)state;
	fills(directory_fill_name, "{username}@test", "al.ice-1",
	    "al.ice-1@test");
	fills(directory_fill_name, "TEST\\{username}", "alice", "TEST\\alice");
	for (size_t i = 0; i < N_OF(refused); i++)
		assert_int_equal(
		    fill(directory_fill_name, "{username}@test", refused[i]),
		    -1);
}

static void test_unknown_placeholders_are_errors(void **state)
{
	static const char *const wrong[] = { "(uid={user})", "(uid={username)",
		"(uid={)", "(uid={}})" };

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_int_equal(
		    fill(directory_fill_filter, wrong[i], "alice"), -1);
}

static void test_too_long_is_an_error(void **state)
{
	char name[256];

	(void)state;
	memset(name, '*', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(
	    fill(directory_fill_filter, "(uid={username})", name), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_plain_name_stands_as_it_is),
		TEST(test_filters_are_escaped),
		TEST(test_dns_are_escaped),
		TEST(test_accounts_take_no_special_characters),
		TEST(test_unknown_placeholders_are_errors),
		TEST(test_too_long_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
