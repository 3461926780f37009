/* Tests of db/role.c. */
#include "test_db_util.h"

#include "base/buf.h"
#include "db/group.h"
#include "db/role.h"

static int64_t make(struct fixture *f, const char *name, const char *scopes)
{
	const struct role r = {
		.name = name, .description = "d", .scopes = scopes
	};
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(role_put(f->db, &r, &id, &err), &err);
	return id;
}

static int see(const char *name, const char *scopes, void *arg, struct err *err)
{
	(void)err;
	buf_printf(arg, "%s%s ", name, scopes);
	return 0;
}

static void expect_held(struct fixture *f, int64_t user_id, const char *want)
{
	struct err err = { 0 };
	struct buf seen;

	buf_init(&seen, 4096);
	test_ok(role_each_held(f->db, user_id, see, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), want);
	buf_fini(&seen);
}

static void test_put_makes_and_changes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct role r;
	int64_t id = make(f, "clerk", "[\"users\"]");

	assert_int_equal(make(f, "clerk", "[\"proxy\"]"), id);
	assert_int_equal(role_find(f->db, &f->a, "clerk", &r, &err), 1);
	assert_int_equal(r.id, id);
	assert_string_equal(r.scopes, "[\"proxy\"]");
	assert_int_equal(role_find(f->db, &f->a, "other", &r, &err), 0);
}

static void test_own_roles_those_of_groups_and_the_one_of_all(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	int64_t own = make(f, "own", "[1]"), of_group = make(f, "gr", "[2]");
	int64_t group;

	test_ok(group_create(f->db, "g", &group, &err), &err);
	test_ok(role_add_user(f->db, own, alice, &err), &err);
	test_ok(role_add_user(f->db, own, alice, &err), &err);
	test_ok(role_add_group(f->db, of_group, group, &err), &err);
	expect_held(f, alice, "own[1] ");
	test_ok(group_add(f->db, group, alice, &err), &err);
	expect_held(f, alice, "own[1] gr[2] ");
	expect_held(f, bob, "");
	make(f, "user", "[3]");
	expect_held(f, bob, "user[3] ");
	test_ok(role_clear_users(f->db, own, &err), &err);
	test_ok(role_clear_groups(f->db, of_group, &err), &err);
	expect_held(f, alice, "user[3] ");
}

static void test_what_is_not_named_goes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice");

	test_ok(role_add_user(f->db, make(f, "old", "[]"), alice, &err), &err);
	test_ok(role_add_user(f->db, make(f, "new", "[]"), alice, &err), &err);
	test_ok(role_delete_others(f->db, "[\"new\"]", &err), &err);
	expect_held(f, alice, "new[] ");
	test_ok(role_delete_others(f->db, "[]", &err), &err);
	expect_held(f, alice, "");
}

static int see_pair(int64_t id, const char *name, void *arg, struct err *err)
{
	(void)err;
	buf_printf(arg, "%d:%s ", (int)id, name);
	return 0;
}

static void test_names_for_a_page(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t users[] = { fixture_user(f, "a"), fixture_user(f, "b") };
	int64_t x = make(f, "x", "[]"), y = make(f, "y", "[]"), group;
	struct buf seen;

	test_ok(group_create(f->db, "g", &group, &err), &err);
	test_ok(role_add_user(f->db, y, users[0], &err), &err);
	test_ok(role_add_user(f->db, x, users[0], &err), &err);
	test_ok(role_add_user(f->db, x, users[1], &err), &err);
	test_ok(role_add_group(f->db, y, group, &err), &err);
	buf_init(&seen, 4096);
	test_ok(
	    role_each_of_users(f->db, users, 2, see_pair, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:x 1:y 2:x ");
	buf_reset(&seen);
	test_ok(
	    role_each_of_groups(f->db, &group, 1, see_pair, &seen, &err), &err);
	assert_string_equal(buf_view(&seen), "1:y ");
	buf_fini(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_put_makes_and_changes),
		FIXTURE_TEST(test_own_roles_those_of_groups_and_the_one_of_all),
		FIXTURE_TEST(test_what_is_not_named_goes),
		FIXTURE_TEST(test_names_for_a_page),
	};

	return cmocka_run_group_tests_name("db/role", tests, NULL, NULL);
}
