/* Tests of db/user.c. */
#include "test_db_util.h"

static void test_find_unknown_name_returns_zero(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;

	assert_int_equal(user_find(f->db, &f->a, "alice", &u, &err), 0);
	assert_int_equal(user_get(f->db, &f->a, 1, &u, &err), 0);
}

static void test_create_and_find(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;
	int64_t id, n;

	test_ok(user_create(f->db, "alice", true, NOW, &id, &err), &err);
	assert_int_equal(user_find(f->db, &f->a, "alice", &u, &err), 1);
	assert_int_equal(u.id, id);
	assert_string_equal(u.name, "alice");
	assert_true(u.admin);
	assert_int_equal(u.created_us, NOW);
	assert_int_equal(u.last_activity_us, 0);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_string_equal(u.name, "alice");
	test_ok(user_count(f->db, &n, &err), &err);
	assert_int_equal(n, 1);
}

static void test_create_twice_says_exists(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t id;

	fixture_user(f, "alice");
	assert_int_equal(
	    user_create(f->db, "alice", false, NOW, &id, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_err_says(&err, "user alice already exists");
}

static void test_names_differ_by_case_and_are_not_patterns(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;

	fixture_user(f, "alice");
	assert_int_equal(user_find(f->db, &f->a, "Alice", &u, &err), 0);
	assert_int_equal(user_find(f->db, &f->a, "al%", &u, &err), 0);
	assert_int_equal(user_find(f->db, &f->a, "a' OR '1", &u, &err), 0);
}

static void test_admin_can_be_set_and_taken(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;
	int64_t id = fixture_user(f, "alice");

	test_ok(user_set_admin(f->db, id, true, &err), &err);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_true(u.admin);
	test_ok(user_set_admin(f->db, id, false, &err), &err);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_false(u.admin);
}

static void test_create_missing_leaves_who_is_there(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;
	int64_t id = fixture_user(f, "alice");

	test_ok(user_set_admin(f->db, id, true, &err), &err);
	test_ok(user_create_missing(f->db, "alice", false, 1, &err), &err);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_true(u.admin);
	assert_int_not_equal(u.created_us, 1);
	test_ok(user_create_missing(f->db, "bob", false, 2, &err), &err);
	assert_int_equal(user_find(f->db, &f->a, "bob", &u, &err), 1);
	assert_false(u.admin);
	assert_int_equal(u.created_us, 2);
	test_ok(user_create_missing(f->db, "bob", true, 3, &err), &err);
	assert_int_equal(user_find(f->db, &f->a, "bob", &u, &err), 1);
	assert_true(u.admin);
}

static void test_activity_never_moves_backwards(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;
	int64_t id = fixture_user(f, "alice");

	test_ok(user_touch(f->db, id, NOW + 5, &err), &err);
	test_ok(user_touch(f->db, id, NOW + 3, &err), &err);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_int_equal(u.last_activity_us, NOW + 5);
}

static void test_groups_are_replaced_and_sorted(void **state)
{
	const char *const first[] = { "staff", "dialout", "staff" };
	const char *const second[] = { "users" };
	struct fixture *f = *state;
	struct err err = { 0 };
	const char *const *groups;
	int64_t id = fixture_user(f, "alice");
	size_t n;

	test_ok(user_set_groups(f->db, id, first, 3, &err), &err);
	test_ok(user_groups(f->db, &f->a, id, &groups, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(groups[0], "dialout");
	assert_string_equal(groups[1], "staff");
	test_ok(user_set_groups(f->db, id, second, 1, &err), &err);
	test_ok(user_groups(f->db, &f->a, id, &groups, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(groups[0], "users");
	test_ok(user_set_groups(f->db, id, NULL, 0, &err), &err);
	test_ok(user_groups(f->db, &f->a, id, &groups, &n, &err), &err);
	assert_int_equal(n, 0);
}

static void test_groups_that_break_a_rule_change_nothing(void **state)
{
	const char *const good[] = { "staff" }, *const bad[] = { "a", "" };
	static const char *many[1025];
	struct fixture *f = *state;
	struct err err = { 0 };
	const char *const *groups;
	int64_t id = fixture_user(f, "alice");
	size_t n;

	test_ok(user_set_groups(f->db, id, good, 1, &err), &err);
	assert_int_equal(user_set_groups(f->db, id, bad, 2, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	for (size_t i = 0; i < N_OF(many); i++)
		many[i] = "g";
	assert_int_equal(
	    user_set_groups(f->db, id, many, N_OF(many), &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	test_ok(user_groups(f->db, &f->a, id, &groups, &n, &err), &err);
	assert_int_equal(n, 1);
}

static void test_groups_of_nobody_are_refused(void **state)
{
	const char *const groups[] = { "staff" };
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(user_set_groups(f->db, 99, groups, 1, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_delete_takes_everything_along(void **state)
{
	const char *const tables[] = { "user_group", "session", "server",
		"token", "oauth_code" };
	struct fixture *f = *state;
	struct err err = { 0 };
	char sql[64];
	int64_t id = fixture_user(f, "alice");

	assert_int_equal(id, 1);
	fixture_exec(f,
	    "INSERT INTO user_group VALUES (1, 'staff');"
	    "INSERT INTO session VALUES (1, 1, randomblob(32),"
	    " hex(randomblob(16)), 1, 1, 2, NULL);"
	    "INSERT INTO server (id, user_id, name, created_us)"
	    " VALUES (1, 1, '', 1);"
	    "INSERT INTO oauth_client VALUES ('c', NULL, '/', 'd', '[]', 1,"
	    " NULL);"
	    "INSERT INTO token (digest, user_id, scopes, created_us)"
	    " VALUES (randomblob(32), 1, '[]', 1);"
	    "INSERT INTO oauth_code VALUES (randomblob(32), 'c', 1, '/', NULL,"
	    " '[]', NULL, NULL, 2, NULL, 0, NULL);");
	test_ok(user_delete(f->db, id, &err), &err);
	for (size_t i = 0; i < N_OF(tables); i++) {
		snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
		assert_int_equal(fixture_number(f, sql), 0);
	}
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_client"), 1);
}

static void test_an_id_is_never_used_again(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t first = fixture_user(f, "alice");

	test_ok(user_delete(f->db, first, &err), &err);
	assert_true(fixture_user(f, "bob") > first);
}

static void test_a_new_name_ends_logins_and_tokens(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct user u;
	int64_t id = fixture_user(f, "alice");

	fixture_user(f, "bob");
	fixture_exec(f,
	    "INSERT INTO token (digest, user_id, scopes, created_us)"
	    " SELECT cast(printf('%032d', id) AS BLOB), id, '[]', 1 FROM user;"
	    "INSERT INTO session (user_id, digest, public_id, created_us,"
	    " used_us, expires_us) SELECT id,"
	    " cast(printf('%032d', id) AS BLOB),"
	    " '0123456789abcdef0123456789abcdef', 1, 1, 9 FROM user;");
	assert_int_equal(user_rename(f->db, id, "bob", &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM session"), 2);
	test_ok(user_rename(f->db, id, "carl", &err), &err);
	assert_int_equal(user_get(f->db, &f->a, id, &u, &err), 1);
	assert_string_equal(u.name, "carl");
	assert_int_equal(
	    fixture_number(f, "SELECT sum(user_id) FROM token"), id + 1);
	assert_int_equal(
	    fixture_number(f, "SELECT sum(user_id) FROM session"), id + 1);
}

static void test_admins_are_named(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	const char *const *names;
	size_t n;

	fixture_user(f, "alice");
	test_ok(
	    user_set_admin(f->db, fixture_user(f, "zoe"), true, &err), &err);
	test_ok(
	    user_set_admin(f->db, fixture_user(f, "bob"), true, &err), &err);
	test_ok(user_admins(f->db, &f->a, &names, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "bob");
	assert_string_equal(names[1], "zoe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_find_unknown_name_returns_zero),
		FIXTURE_TEST(test_create_and_find),
		FIXTURE_TEST(test_create_twice_says_exists),
		FIXTURE_TEST(test_names_differ_by_case_and_are_not_patterns),
		FIXTURE_TEST(test_admin_can_be_set_and_taken),
		FIXTURE_TEST(test_a_new_name_ends_logins_and_tokens),
		FIXTURE_TEST(test_admins_are_named),
		FIXTURE_TEST(test_create_missing_leaves_who_is_there),
		FIXTURE_TEST(test_activity_never_moves_backwards),
		FIXTURE_TEST(test_groups_are_replaced_and_sorted),
		FIXTURE_TEST(test_groups_that_break_a_rule_change_nothing),
		FIXTURE_TEST(test_groups_of_nobody_are_refused),
		FIXTURE_TEST(test_delete_takes_everything_along),
		FIXTURE_TEST(test_an_id_is_never_used_again),
	};

	return cmocka_run_group_tests_name("db/user", tests, NULL, NULL);
}
