/* Tests of db/session_origin.c. */
#include "test_db_util.h"

#include "db/session.h"
#include "db/session_origin.h"
#include "db/token.h"

static const unsigned char ours[2][SESSION_ORIGIN_LEN] = { { 1 }, { 2 } };
static const unsigned char old[SESSION_ORIGIN_LEN] = { 3 };

/* A session and a token that it led to. */
static void log_in(struct fixture *f, int64_t user, const char *public_id,
    const unsigned char *origin, char *secret)
{
	struct err err = { 0 };
	char plain[TOKEN_LEN + 1];
	int64_t id;
	const struct token t = { .user_id = user,
		.client_id = "jupyterhub",
		.session_id = public_id,
		.note = "",
		.scopes = "[]",
		.created_us = NOW };

	test_ok(session_create(
		    f->db, user, public_id, NOW, NOW + 1000, secret, &err),
	    &err);
	test_ok(token_create(f->db, &t, plain, &id, &err), &err);
	if (origin != NULL)
		test_ok(session_origin_put(f->db, secret, origin, &err), &err);
}

static bool is_there(struct fixture *f, const char *secret)
{
	struct session s;
	struct err err = { 0 };
	int rc = session_find(f->db, secret, NOW, &s, &err);

	test_ok(rc, &err);
	return rc == 1;
}

static void test_what_came_of_an_older_secret_ends(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), n;
	char secret[4][SESSION_SECRET_LEN + 1];
	struct err err = { 0 };

	log_in(
	    f, alice, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ours[0], secret[0]);
	log_in(
	    f, alice, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", ours[1], secret[1]);
	log_in(f, alice, "cccccccccccccccccccccccccccccccc", old, secret[2]);
	log_in(f, alice, "dddddddddddddddddddddddddddddddd", NULL, secret[3]);
	test_ok(session_origin_keep(f->db, ours, 2, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_true(is_there(f, secret[0]));
	assert_true(is_there(f, secret[1]));
	assert_false(is_there(f, secret[2]));
	assert_true(is_there(f, secret[3]));
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 3);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM token WHERE session_id = "
			      "'cccccccccccccccccccccccccccccccc'"),
	    0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM session"
					   " WHERE origin IS NOT NULL"),
	    2);
}

static void test_without_any_secret_all_of_them_end(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), n;
	char secret[2][SESSION_SECRET_LEN + 1];
	struct err err = { 0 };

	log_in(
	    f, alice, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ours[0], secret[0]);
	log_in(f, alice, "dddddddddddddddddddddddddddddddd", NULL, secret[1]);
	test_ok(session_origin_keep(f->db, NULL, 0, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_false(is_there(f, secret[0]));
	assert_true(is_there(f, secret[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_what_came_of_an_older_secret_ends),
		FIXTURE_TEST(test_without_any_secret_all_of_them_end),
	};

	return cmocka_run_group_tests_name(
	    "db/session_origin", tests, NULL, NULL);
}
