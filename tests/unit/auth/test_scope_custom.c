/* Scopes of the configuration: auth/scope_custom.c. */
#include "test_util.h"

#include "auth/scope_custom.h"
#include "base/str.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)scope_customs_use(NULL);
	arena_fini(&arena);
	return 0;
}

static const char *const all_subs[] = { "custom:grades:read",
	"custom:grades:write" };
/* In a circle. */
static const char *const write_subs[] = { "custom:grades:read",
	"custom:grades:*" };
static const struct scope_custom grades[] = {
	{ "custom:grades:*", "Everything with grades.", all_subs, 2 },
	{ "custom:grades:read", "Read grades.", NULL, 0 },
	{ "custom:grades:write", "Give grades.", write_subs, 2 },
};

static void use_grades(void)
{
	struct scope_customs *c;
	struct err err = { 0 };
	size_t at;

	test_ok(scope_customs_new(&arena, grades, 3, &c, &at, &err), &err);
	assert_null(scope_customs_use(c));
}

static void assert_expanded(const char *words, const char *want)
{
	const struct scope_context ctx = { .user = "alice" };
	struct scope_set raw, out;
	struct err err = { 0 };

	scope_set_init(&raw, &arena);
	scope_set_init(&out, &arena);
	test_ok(scope_set_add_words(&raw, words, &err), &err);
	test_ok(scope_expand(&raw, &ctx, &out, &err), &err);
	assert_string_equal(scope_set_words(&out, &arena), want);
}

static void test_they_expand_and_are_filtered_like_others(void **state)
{
	(void)state;
	use_grades();
	assert_expanded("custom:grades:read", "custom:grades:read");
	assert_expanded("custom:grades:*!user",
	    "custom:grades:*!user=alice custom:grades:read!user=alice "
	    "custom:grades:write!user=alice");
	assert_expanded("custom:grades:write",
	    "custom:grades:* custom:grades:read custom:grades:write");
	assert_expanded("custom:grades:read!group=g custom:grades:* users!user",
	    "custom:grades:* custom:grades:read custom:grades:write "
	    "list:users!user=alice read:users!user=alice "
	    "read:users:activity!user=alice read:users:groups!user=alice "
	    "read:users:name!user=alice users!user=alice "
	    "users:activity!user=alice");
}

static void test_an_admin_has_none_by_being_one(void **state)
{
	struct scope_set out;
	struct err err = { 0 };

	(void)state;
	use_grades();
	scope_set_init(&out, &arena);
	test_ok(scope_effective_user("alice", true, &out, &err), &err);
	assert_null(strstr(scope_set_words(&out, &arena), "custom:"));
}

static void test_without_a_definition_there_is_none(void **state)
{
	struct scope_set s;
	struct err err = { 0 };

	(void)state;
	scope_set_init(&s, &arena);
	assert_int_equal(scope_set_add(&s, "custom:grades:read", &err), -1);
	test_err_says(&err, "unknown scope: custom:grades:read");
	use_grades();
	test_ok(scope_set_add(&s, "custom:grades:read", &err), &err);
	assert_string_equal(scope_doc(s.items[0].id), "Read grades.");
	assert_int_equal(scope_set_add(&s, "custom:grades", &err), -1);
}

static void test_names_that_are_none(void **state)
{
	static const char *const wrong[] = { "custom:", "custom:ab",
		"custom:Abc", "custom:abc-", "custom:abc:", "custom::abc",
		"custom:a b", "custom:a!b", "grades:read", "customs:abc",
		"custom:-abc" };
	static const char *const right[] = { "custom:abc", "custom:a:*",
		"custom:a__", "custom:0-0", "custom:a:b:c" };
	struct scope_customs *c;
	struct err err = { 0 };
	size_t at;

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++) {
		const struct scope_custom one = { wrong[i], "d", NULL, 0 };
		if (scope_customs_new(&arena, &one, 1, &c, &at, &err) == 0)
			fail_msg("%s is taken", wrong[i]);
		assert_int_equal(err.code, ERR_INVALID);
	}
	for (size_t i = 0; i < N_OF(right); i++) {
		const struct scope_custom one = { right[i], "d", NULL, 0 };
		test_ok(
		    scope_customs_new(&arena, &one, 1, &c, &at, &err), &err);
	}
}

static void test_what_is_wrong_is_named(void **state)
{
	static const char *const strange[] = { "users" };
	struct scope_custom list[] = { grades[1], grades[1] };
	struct scope_custom many[SCOPE_CUSTOM_MAX + 1] = { 0 };
	struct scope_customs *c;
	struct err err = { 0 };
	size_t at;

	(void)state;
	assert_int_equal(scope_customs_new(&arena, list, 2, &c, &at, &err), -1);
	test_err_says(&err, "twice");
	assert_int_equal(at, 1);
	list[1] = (struct scope_custom){ "custom:abc", "", NULL, 0 };
	assert_int_equal(scope_customs_new(&arena, list, 2, &c, &at, &err), -1);
	test_err_says(&err, "description");
	list[1] = (struct scope_custom){ "custom:abc", "d", strange, 1 };
	assert_int_equal(scope_customs_new(&arena, list, 2, &c, &at, &err), -1);
	test_err_says(&err, "subscope users is not defined");
	assert_int_equal(
	    scope_customs_new(&arena, many, N_OF(many), &c, &at, &err), -1);
	test_err_says(&err, "more than");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_they_expand_and_are_filtered_like_others),
		TEST(test_an_admin_has_none_by_being_one),
		TEST(test_without_a_definition_there_is_none),
		TEST(test_names_that_are_none),
		TEST(test_what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
