/* Tests of db/session.c. */
#include "test_db_util.h"

#include "db/oauth.h"
#include "db/session.h"
#include "db/token.h"

#define PUBLIC_A "0123456789abcdef0123456789abcdef"
#define PUBLIC_B "fedcba9876543210fedcba9876543210"

static void make(struct fixture *f, int64_t user, const char *public_id,
    int64_t expires_us, char *secret)
{
	struct err err = { 0 };

	test_ok(session_create(
		    f->db, user, public_id, NOW, expires_us, secret, &err),
	    &err);
}

static int64_t make_token(
    struct fixture *f, int64_t user, const char *public_id)
{
	struct token t = { .user_id = user,
		.session_id = public_id,
		.scopes = "[\"self\"]",
		.created_us = NOW };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };
	int64_t id;

	test_ok(token_create(f->db, &t, plain, &id, &err), &err);
	return id;
}

static void make_code(struct fixture *f, int64_t user, const char *public_id)
{
	struct oauth_code c = { .client_id = "jupyterhub",
		.user_id = user,
		.redirect_uri = "/",
		.session_id = public_id,
		.scopes = "[]",
		.expires_us = NOW + 9 };
	char code[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };

	test_ok(oauth_code_create(f->db, &c, code, &err), &err);
}

static void test_a_session_is_found_by_its_secret(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], other[SESSION_SECRET_LEN + 1];
	int64_t user = fixture_user(f, "alice");
	struct err err = { 0 };
	struct session s;

	make(f, user, PUBLIC_A, NOW + 10, secret);
	make(f, user, PUBLIC_B, NOW + 10, other);
	assert_string_not_equal(secret, other);
	assert_int_equal(strlen(secret), SESSION_SECRET_LEN);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 1);
	assert_int_equal(s.user_id, user);
	assert_string_equal(s.public_id, PUBLIC_A);
	assert_int_equal(s.created_us, NOW);
	assert_int_equal(s.expires_us, NOW + 10);
}

static void test_the_secret_is_not_in_the_file(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], sql[200];
	int64_t user = fixture_user(f, "alice");

	make(f, user, PUBLIC_A, NOW + 10, secret);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM session WHERE instr(CAST(digest AS TEXT)"
	    " || public_id, '%s')",
	    secret);
	assert_int_equal(fixture_number(f, sql), 0);
}

static void test_wrong_short_and_expired_secrets_are_not_found(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], longer[400];
	int64_t user = fixture_user(f, "alice");
	struct err err = { 0 };
	struct session s;

	make(f, user, PUBLIC_A, NOW + 10, secret);
	assert_int_equal(session_find(f->db, secret, NOW + 10, &s, &err), 0);
	assert_int_equal(session_find(f->db, "", NOW, &s, &err), 0);
	assert_int_equal(session_find(f->db, PUBLIC_A, NOW, &s, &err), 0);
	memset(longer, 'a', sizeof longer);
	longer[sizeof longer - 1] = 0;
	assert_int_equal(session_find(f->db, longer, NOW, &s, &err), 0);
	secret[10] = secret[10] == 'x' ? 'y' : 'x';
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 0);
}

static void test_touch_moves_forwards_only(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1];
	int64_t user = fixture_user(f, "alice");
	struct err err = { 0 };
	struct session s;

	make(f, user, PUBLIC_A, NOW + 10, secret);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 1);
	test_ok(session_touch(f->db, &s, NOW + 4, &err), &err);
	test_ok(session_touch(f->db, &s, NOW + 2, &err), &err);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 1);
	assert_int_equal(s.used_us, NOW + 4);
}

/* Ids are used again: what still knows a session that is over must not meet the
 * next one by its number. */
static void test_a_session_that_is_over_meets_no_other_with_its_id(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], other[SESSION_SECRET_LEN + 1];
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct err err = { 0 };
	struct session s, later;

	make(f, alice, PUBLIC_A, NOW + 10, secret);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 1);
	test_ok(session_end(f->db, &s, &err), &err);
	make(f, bob, PUBLIC_B, NOW + 10, other);
	assert_int_equal(session_find(f->db, other, NOW, &later, &err), 1);
	assert_int_equal(later.id, s.id);
	test_ok(session_touch(f->db, &s, NOW + 4, &err), &err);
	test_ok(session_end(f->db, &s, &err), &err);
	assert_int_equal(session_find(f->db, other, NOW, &later, &err), 1);
	assert_int_equal(later.used_us, NOW);
}

static void test_the_end_takes_what_the_session_led_to(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], other[SESSION_SECRET_LEN + 1];
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct err err = { 0 };
	struct session s;

	make(f, alice, PUBLIC_A, NOW + 10, secret);
	make(f, alice, PUBLIC_B, NOW + 10, other);
	make_token(f, alice, PUBLIC_A);
	make_code(f, alice, PUBLIC_A);
	make_token(f, alice, PUBLIC_B);
	make_token(f, alice, NULL);
	make_token(f, bob, PUBLIC_A);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 1);
	test_ok(session_end(f->db, &s, &err), &err);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 0);
	assert_int_equal(session_find(f->db, other, NOW, &s, &err), 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 3);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_code"), 0);
}

static void test_end_all_leaves_tokens_of_no_session(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1], other[SESSION_SECRET_LEN + 1];
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct err err = { 0 };
	struct session s;

	make(f, alice, PUBLIC_A, NOW + 10, secret);
	make(f, bob, PUBLIC_B, NOW + 10, other);
	make_token(f, alice, PUBLIC_A);
	make_token(f, alice, NULL);
	make_token(f, bob, PUBLIC_B);
	test_ok(session_end_all(f->db, alice, &err), &err);
	assert_int_equal(session_find(f->db, secret, NOW, &s, &err), 0);
	assert_int_equal(session_find(f->db, other, NOW, &s, &err), 1);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 2);
}

static void test_purge_takes_the_expired_only(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1];
	int64_t user = fixture_user(f, "alice");
	struct err err = { 0 };
	struct session s;

	make(f, user, PUBLIC_A, NOW + 5, secret);
	make(f, user, PUBLIC_B, NOW + 10, secret);
	assert_int_equal(session_purge(f->db, NOW + 5, &err), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM session"), 1);
	assert_int_equal(session_find(f->db, secret, NOW + 5, &s, &err), 1);
}

static void test_a_large_purge_comes_in_parts(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	fixture_user(f, "alice");
	fixture_exec(f,
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    " WHERE i < 1500) INSERT INTO session SELECT i, 1, randomblob(32),"
	    " lower(hex(randomblob(16))), 1, 1, 2, NULL FROM n");
	assert_int_equal(session_purge(f->db, NOW, &err), 1);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM session"), 500);
	assert_int_equal(session_purge(f->db, NOW, &err), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM session"), 0);
}

static void test_a_session_of_nobody_is_refused(void **state)
{
	struct fixture *f = *state;
	char secret[SESSION_SECRET_LEN + 1];
	struct err err = { 0 };

	assert_int_equal(
	    session_create(f->db, 9, PUBLIC_A, NOW, NOW + 1, secret, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_of_some_people_those_who_are_logged_in(void **state)
{
	static const char *const some[] = { "alice", "bob", "nobody", "carl" };
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	int64_t dora = fixture_user(f, "dora");
	char secret[SESSION_SECRET_LEN + 1];
	const char *const *in;
	struct err err = { 0 };
	size_t n;

	(void)fixture_user(f, "carl");
	for (int i = 0; i < 2; i++)
		test_ok(session_create(
			    f->db, alice, PUBLIC_A, NOW, NOW + 9, secret, &err),
		    &err);
	test_ok(session_create(
		    f->db, bob, PUBLIC_A, NOW - 9, NOW - 1, secret, &err),
	    &err);
	test_ok(
	    session_create(f->db, dora, PUBLIC_A, NOW, NOW + 9, secret, &err),
	    &err);
	test_ok(
	    session_people(f->db, &f->a, some, 4, NOW, &in, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(in[0], "alice");
	test_ok(
	    session_people(f->db, &f->a, NULL, 0, NOW, &in, &n, &err), &err);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_session_is_found_by_its_secret),
		FIXTURE_TEST(test_the_secret_is_not_in_the_file),
		FIXTURE_TEST(
		    test_wrong_short_and_expired_secrets_are_not_found),
		FIXTURE_TEST(test_touch_moves_forwards_only),
		FIXTURE_TEST(
		    test_a_session_that_is_over_meets_no_other_with_its_id),
		FIXTURE_TEST(test_the_end_takes_what_the_session_led_to),
		FIXTURE_TEST(test_end_all_leaves_tokens_of_no_session),
		FIXTURE_TEST(test_purge_takes_the_expired_only),
		FIXTURE_TEST(test_a_large_purge_comes_in_parts),
		FIXTURE_TEST(test_a_session_of_nobody_is_refused),
		FIXTURE_TEST(test_of_some_people_those_who_are_logged_in),
	};

	return cmocka_run_group_tests_name("db/session", tests, NULL, NULL);
}
