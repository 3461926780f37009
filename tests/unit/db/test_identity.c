/* Tests of db/identity.c. */
#include "test_db_util.h"

#include "db/identity.h"

static int claim(
    struct fixture *f, int64_t user, const char *source, const char *subject)
{
	struct err err = { 0 };
	int rc = identity_claim(f->db, user, source, subject, NOW, &err);

	test_ok(rc, &err);
	return rc;
}

static void test_the_first_account_keeps_the_name(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");

	assert_int_equal(claim(f, alice, "https://id.example", "u1"), 1);
	assert_int_equal(claim(f, alice, "https://id.example", "u1"), 1);
	assert_int_equal(claim(f, alice, "https://id.example", "u2"), 0);
	assert_int_equal(claim(f, alice, "https://id.example", "U1"), 0);
	assert_int_equal(claim(f, alice, "https://id.example", "u1"), 1);
}

static void test_each_source_and_each_person_has_its_own(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");

	assert_int_equal(claim(f, alice, "https://id.example", "u1"), 1);
	assert_int_equal(claim(f, alice, "https://other.example", "u2"), 1);
	assert_int_equal(claim(f, bob, "https://id.example", "u1"), 1);
	assert_int_equal(claim(f, alice, "https://other.example", "u1"), 0);
}

static void test_it_goes_with_the_user(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct err err = { 0 };

	assert_int_equal(claim(f, alice, "https://id.example", "u1"), 1);
	test_ok(user_delete(f->db, alice, &err), &err);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM login_identity"), 0);
}

static void test_nobody_has_no_account(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(
	    identity_claim(f->db, 99, "https://id.example", "u", NOW, &err),
	    -1);
	assert_int_equal(identity_claim(f->db, fixture_user(f, "a"),
			     "https://id.example", "", NOW, &err),
	    -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_first_account_keeps_the_name),
		FIXTURE_TEST(test_each_source_and_each_person_has_its_own),
		FIXTURE_TEST(test_it_goes_with_the_user),
		FIXTURE_TEST(test_nobody_has_no_account),
	};

	return cmocka_run_group_tests_name("db/identity", tests, NULL, NULL);
}
