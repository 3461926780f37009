/* Tests of db/login_state.c and db/group_sync.c. */
#include "test_db_util.h"

#include "db/group_sync.h"
#include "db/login_state.h"

static void put(struct fixture *f, int64_t user, const char *sealed)
{
	const struct login_state s = {
		.via = "campus",
		.checked_us = NOW,
		.sealed = sealed,
	};
	struct err err = { 0 };

	test_ok(login_state_put(f->db, user, &s, &err), &err);
}

static void test_the_last_login_counts(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct login_state s;
	struct err err = { 0 };

	assert_int_equal(login_state_find(f->db, &f->a, alice, &s, &err), 0);
	put(f, alice, "first");
	put(f, alice, NULL);
	assert_int_equal(login_state_find(f->db, &f->a, alice, &s, &err), 1);
	assert_string_equal(s.via, "campus");
	assert_int_equal(s.checked_us, NOW);
	assert_false(s.refused);
	assert_null(s.sealed);
}

static void test_a_refusal_keeps_nothing_and_ends_with_a_login(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct login_state s;
	struct err err = { 0 };

	put(f, alice, "sealed");
	test_ok(login_state_refuse(f->db, alice, NOW + 1, &err), &err);
	assert_int_equal(login_state_find(f->db, &f->a, alice, &s, &err), 1);
	assert_true(s.refused);
	assert_null(s.sealed);
	put(f, alice, "sealed");
	assert_int_equal(login_state_find(f->db, &f->a, alice, &s, &err), 1);
	assert_false(s.refused);
}

static void test_it_is_set_without_a_login(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct login_state s;
	struct err err = { 0 };

	test_ok(login_state_set_sealed(f->db, alice, "sealed", &err), &err);
	assert_int_equal(login_state_find(f->db, &f->a, alice, &s, &err), 1);
	assert_string_equal(s.sealed, "sealed");
	assert_string_equal(s.via, "");
}

static int64_t members(struct fixture *f, const char *group)
{
	char sql[200];

	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM group_member m JOIN hub_group g"
	    " ON g.id = m.group_id WHERE g.name = '%s'",
	    group);
	return fixture_number(f, sql);
}

static void test_groups_are_joined_and_left(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	const char *first[] = { "a", "b" }, *second[] = { "b", "c", "b" };
	struct err err = { 0 };

	test_ok(group_sync(f->db, alice, first, 2, &err), &err);
	test_ok(group_sync(f->db, bob, first, 2, &err), &err);
	test_ok(group_sync(f->db, alice, second, 3, &err), &err);
	assert_int_equal(members(f, "a"), 1);
	assert_int_equal(members(f, "b"), 2);
	assert_int_equal(members(f, "c"), 1);
	test_ok(group_sync(f->db, alice, NULL, 0, &err), &err);
	assert_int_equal(members(f, "b"), 1);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM hub_group"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_last_login_counts),
		FIXTURE_TEST(
		    test_a_refusal_keeps_nothing_and_ends_with_a_login),
		FIXTURE_TEST(test_it_is_set_without_a_login),
		FIXTURE_TEST(test_groups_are_joined_and_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
