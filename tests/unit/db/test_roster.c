/* Tests of db/roster.c. */
#include "test_db_util.h"

#include "db/roster.h"
#include "db/session.h"

static struct roster_changes write_list(
    struct fixture *f, const char *const *names, size_t n, bool create)
{
	const struct roster_list list = { "course", names, n, create };
	struct roster_changes c;
	struct err err = { 0 };

	test_ok(roster_write(f->db, &list, NOW, &c, &err), &err);
	return c;
}

static int64_t n_members(struct fixture *f)
{
	return fixture_number(f, "SELECT count(*) FROM group_member");
}

static void test_members_are_those_of_the_list(void **state)
{
	static const char *const first[] = { "ana", "ben", "nobody" };
	static const char *const second[] = { "ben", "cem" };
	struct fixture *f = *state;
	struct roster_changes c;

	(void)fixture_user(f, "ana");
	(void)fixture_user(f, "ben");
	(void)fixture_user(f, "cem");
	c = write_list(f, first, 3, false);
	assert_int_equal(c.n_created, 0);
	assert_int_equal(c.n_joined, 2);
	assert_int_equal(n_members(f), 2);
	c = write_list(f, second, 2, false);
	assert_int_equal(c.n_joined, 1);
	assert_int_equal(c.n_left, 1);
	assert_int_equal(n_members(f), 2);
	c = write_list(f, second, 2, false);
	assert_int_equal(c.n_joined + c.n_left, 0);
	c = write_list(f, NULL, 0, false);
	assert_int_equal(c.n_left, 2);
	assert_int_equal(n_members(f), 0);
}

static void test_missing_users_are_made_on_request(void **state)
{
	static const char *const all[] = { "ana", "ben" };
	struct fixture *f = *state;
	struct roster_changes c;

	(void)fixture_user(f, "ana");
	c = write_list(f, all, 2, true);
	assert_int_equal(c.n_created, 1);
	assert_int_equal(c.n_joined, 2);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM user WHERE admin = 1"), 0);
}

static void test_other_groups_are_left_alone(void **state)
{
	static const char *const all[] = { "ana" };
	struct fixture *f = *state;
	(void)fixture_user(f, "ana");

	fixture_exec(f, "INSERT INTO hub_group (id, name) VALUES (9, 'other');"
			"INSERT INTO group_member SELECT 9, id FROM user;");
	write_list(f, all, 1, false);
	write_list(f, NULL, 0, false);
	assert_int_equal(n_members(f), 1);
}

static void test_leavers_are_members_who_are_logged_in(void **state)
{
	static const char *const first[] = { "ana", "ben", "cem" };
	static const char *const second[] = { "ben", "dora" };
	const struct roster_list list = { "course", second, 2, false };
	struct fixture *f = *state;
	const char *const *left;
	struct err err = { 0 };
	size_t n;

	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "ana", "ben", "cem",
			"dora" };
		char secret[SESSION_SECRET_LEN + 1];
		int64_t id = fixture_user(f, names[i]);

		if (i == 2)
			continue;
		test_ok(session_create(f->db, id,
			    "0123456789abcdef0123456789abcdef", NOW, NOW + 9,
			    secret, &err),
		    &err);
	}
	write_list(f, first, 3, false);
	test_ok(
	    roster_leavers(f->db, &f->a, &list, NOW, &left, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(left[0], "ana");
	test_ok(roster_leavers(f->db, &f->a, &list, NOW + 9, &left, &n, &err),
	    &err);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_members_are_those_of_the_list),
		FIXTURE_TEST(test_missing_users_are_made_on_request),
		FIXTURE_TEST(test_other_groups_are_left_alone),
		FIXTURE_TEST(test_leavers_are_members_who_are_logged_in),
	};

	return cmocka_run_group_tests_name("db/roster", tests, NULL, NULL);
}
