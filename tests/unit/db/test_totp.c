/* Tests of db/totp.c. */
#include "test_db_util.h"

#include "db/totp.h"

static struct totp_row row_of(struct fixture *f, int64_t user)
{
	struct totp_row row = { 0 };
	struct err err = { 0 };

	test_ok(totp_find(f->db, &f->a, user, &row, &err), &err);
	return row;
}

static int begin(struct fixture *f, int64_t user, const char *sealed)
{
	struct err err = { 0 };
	int rc = totp_begin(f->db, user, sealed, NOW, &err);

	if (rc < 0)
		assert_int_equal(err.code, ERR_EXISTS);
	return rc;
}

static int confirm(struct fixture *f, int64_t user, int64_t step)
{
	struct err err = { 0 };
	int rc = totp_confirm(f->db, user, step, &err);

	test_ok(rc, &err);
	return rc;
}

static int use(struct fixture *f, int64_t user, int64_t step)
{
	struct err err = { 0 };
	int rc = totp_use(f->db, user, step, &err);

	test_ok(rc, &err);
	return rc;
}

static void test_an_unconfirmed_one_is_replaced_a_confirmed_one_not(
    void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");

	assert_null(row_of(f, alice).sealed);
	assert_int_equal(begin(f, alice, "one"), 0);
	assert_int_equal(begin(f, alice, "two"), 0);
	assert_string_equal(row_of(f, alice).sealed, "two");
	assert_false(row_of(f, alice).is_confirmed);
	assert_int_equal(confirm(f, alice, 7), 1);
	assert_true(row_of(f, alice).is_confirmed);
	assert_int_equal(row_of(f, alice).last_step, 7);
	assert_int_equal(begin(f, alice, "three"), -1);
	assert_string_equal(row_of(f, alice).sealed, "two");
	assert_int_equal(confirm(f, alice, 9), 0);
}

static void test_a_step_is_used_once_and_never_an_older_one(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");

	assert_int_equal(use(f, alice, 8), 0);
	assert_int_equal(begin(f, alice, "one"), 0);
	assert_int_equal(use(f, alice, 8), 0);
	assert_int_equal(confirm(f, alice, 7), 1);
	assert_int_equal(use(f, alice, 7), 0);
	assert_int_equal(use(f, alice, 8), 1);
	assert_int_equal(use(f, alice, 8), 0);
	assert_int_equal(use(f, alice, 7), 0);
	assert_int_equal(use(f, alice, 9), 1);
}

static void test_it_goes_when_told_and_with_the_user(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct err err = { 0 };

	assert_int_equal(begin(f, alice, "one"), 0);
	assert_int_equal(begin(f, bob, "two"), 0);
	assert_int_equal(totp_forget(f->db, alice, &err), 1);
	assert_int_equal(totp_forget(f->db, alice, &err), 0);
	assert_string_equal(row_of(f, bob).sealed, "two");
	test_ok(user_delete(f->db, bob, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM totp"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(
		    test_an_unconfirmed_one_is_replaced_a_confirmed_one_not),
		FIXTURE_TEST(test_a_step_is_used_once_and_never_an_older_one),
		FIXTURE_TEST(test_it_goes_when_told_and_with_the_user),
	};

	return cmocka_run_group_tests_name("db/totp", tests, NULL, NULL);
}
