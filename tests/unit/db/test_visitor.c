/* Tests of db/visitor.c. */
#include "test_db_util.h"

#include "db/session.h"
#include "db/visitor.h"

#define SECOND INT64_C(1000000)

static int64_t visitor(struct fixture *f, const char *name, bool is_logged_in)
{
	char secret[SESSION_SECRET_LEN + 1];
	int64_t id = fixture_user(f, name);
	struct err err = { 0 };

	test_ok(visitor_add(f->db, id, NOW, NOW + 100 * SECOND, &err), &err);
	if (is_logged_in)
		test_ok(session_create(f->db, id,
			    "0123456789abcdef0123456789abcdef", NOW,
			    NOW + 1000 * SECOND, secret, &err),
		    &err);
	return id;
}

/* Whose visit is over so many seconds later, by their names. */
static const char *over(struct fixture *f, int64_t after_s)
{
	int64_t now = NOW + after_s * SECOND;
	struct visitor *list;
	struct err err = { 0 };
	char *all = arena_printf(&f->a, "%s", "");
	size_t n;

	test_ok(visitor_list_over(
		    f->db, &f->a, now, now - 20 * SECOND, 10, &list, &n, &err),
	    &err);
	for (size_t i = 0; i < n; i++)
		all = arena_printf(&f->a, "%s%s ", all, list[i].name);
	return all;
}

static void test_who_has_time_and_settles_stays(void **state)
{
	struct fixture *f = *state;

	visitor(f, "ana", true);
	(void)fixture_user(f, "person");
	assert_string_equal(over(f, 0), "");
	assert_string_equal(over(f, 19), "");
	assert_string_equal(over(f, 20), "ana ");
}

static void test_a_server_that_runs_keeps_them_until_their_time(void **state)
{
	struct fixture *f = *state;

	visitor(f, "ana", true);
	fixture_exec(f,
	    "INSERT INTO server (user_id, name, key, wanted, created_us)"
	    " SELECT id, '', '0123456789abcdef', 1, 1 FROM user;");
	assert_string_equal(over(f, 50), "");
	assert_string_equal(over(f, 99), "");
	assert_string_equal(over(f, 100), "ana ");
}

static void test_they_go_with_their_server(void **state)
{
	struct fixture *f = *state;

	visitor(f, "ana", true);
	fixture_exec(f, "INSERT INTO server (user_id, name, created_us)"
			" SELECT id, '', 1 FROM user;");
	assert_string_equal(over(f, 1), "ana ");
}

static void test_they_go_with_their_last_login(void **state)
{
	struct fixture *f = *state;

	visitor(f, "ana", false);
	visitor(f, "ben", true);
	assert_string_equal(over(f, 1), "ana ");
}

static void test_a_visitor_is_told_from_others(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), id = fixture_user(f, "tmp-1");

	assert_int_equal(visitor_is(f->db, id, &err), 0);
	test_ok(visitor_add(f->db, id, NOW, NOW + SECOND, &err), &err);
	assert_int_equal(visitor_is(f->db, id, &err), 1);
	assert_int_equal(visitor_is(f->db, alice, &err), 0);
}

static void test_they_are_counted(void **state)
{
	struct fixture *f = *state;
	int64_t id = visitor(f, "ana", true), n;
	struct err err = { 0 };

	test_ok(visitor_count(f->db, &n, &err), &err);
	assert_int_equal(n, 1);
	test_ok(user_delete(f->db, id, &err), &err);
	test_ok(visitor_count(f->db, &n, &err), &err);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_who_has_time_and_settles_stays),
		FIXTURE_TEST(
		    test_a_server_that_runs_keeps_them_until_their_time),
		FIXTURE_TEST(test_they_go_with_their_server),
		FIXTURE_TEST(test_they_go_with_their_last_login),
		FIXTURE_TEST(test_a_visitor_is_told_from_others),
		FIXTURE_TEST(test_they_are_counted),
	};

	return cmocka_run_group_tests_name("db/visitor", tests, NULL, NULL);
}
