/* Tests of db/password.c. */
#include "test_db_util.h"

#include "db/password.h"
#include "db/session.h"

static const char *hash_of(struct fixture *f, int64_t user)
{
	const char *hash = NULL;
	struct err err = { 0 };

	test_ok(password_find(f->db, &f->a, user, &hash, &err), &err);
	return hash;
}

static void log_in(struct fixture *f, int64_t user)
{
	char secret[SESSION_SECRET_LEN + 1];
	struct err err = { 0 };

	test_ok(session_create(f->db, user, "0123456789abcdef0123456789abcdef",
		    NOW, NOW + 1000, secret, &err),
	    &err);
}

static int64_t n_sessions(struct fixture *f)
{
	return fixture_number(f, "SELECT count(*) FROM session");
}

static void test_the_first_one_is_had_once(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct err err = { 0 };

	assert_null(hash_of(f, alice));
	test_ok(password_add(f->db, alice, "$one", NOW, &err), &err);
	assert_string_equal(hash_of(f, alice), "$one");
	assert_int_equal(password_add(f->db, alice, "$two", NOW, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_string_equal(hash_of(f, alice), "$one");
}

static void test_a_change_ends_the_persons_sessions(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct err err = { 0 };

	test_ok(password_add(f->db, alice, "$one", NOW, &err), &err);
	log_in(f, alice);
	log_in(f, alice);
	log_in(f, bob);
	test_ok(password_change(f->db, alice, "$two", NOW, &err), &err);
	assert_string_equal(hash_of(f, alice), "$two");
	assert_int_equal(n_sessions(f), 1);
	test_ok(password_change(f->db, bob, "$three", NOW, &err), &err);
	assert_string_equal(hash_of(f, bob), "$three");
	assert_int_equal(n_sessions(f), 0);
}

static void test_a_forgotten_one_is_gone_and_so_are_sessions(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct err err = { 0 };

	test_ok(password_add(f->db, alice, "$one", NOW, &err), &err);
	log_in(f, alice);
	test_ok(password_forget(f->db, alice, &err), &err);
	assert_null(hash_of(f, alice));
	assert_int_equal(n_sessions(f), 0);
	test_ok(password_forget(f->db, alice, &err), &err);
}

static void test_it_goes_with_the_user_and_needs_one(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct err err = { 0 };

	test_ok(password_add(f->db, alice, "$one", NOW, &err), &err);
	test_ok(user_delete(f->db, alice, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM password"), 0);
	assert_int_equal(password_change(f->db, alice, "$x", NOW, &err), -1);
	assert_int_equal(password_add(f->db, alice, "", NOW, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_first_one_is_had_once),
		FIXTURE_TEST(test_a_change_ends_the_persons_sessions),
		FIXTURE_TEST(test_a_forgotten_one_is_gone_and_so_are_sessions),
		FIXTURE_TEST(test_it_goes_with_the_user_and_needs_one),
	};

	return cmocka_run_group_tests_name("db/password", tests, NULL, NULL);
}
