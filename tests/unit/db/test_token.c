/* Tests of db/token.c. */
#include "test_db_util.h"

#include "db/token.h"

static int64_t make(struct fixture *f, const struct token *t, char *plain)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(token_create(f->db, t, plain, &id, &err), &err);
	return id;
}

static void test_a_token_is_found_by_its_text(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.session_id = "sid",
		.note = "n\xc3\xb6te",
		.scopes = "[\"self\",\"inherit\"]",
		.created_us = NOW,
		.expires_us = NOW + 10 };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };
	struct token got;
	int64_t id = make(f, &t, plain);

	assert_int_equal(strlen(plain), TOKEN_LEN);
	assert_int_equal(token_find(f->db, &f->a, plain, NOW, &got, &err), 1);
	assert_int_equal(got.id, id);
	assert_int_equal(got.user_id, t.user_id);
	assert_string_equal(got.client_id, "jupyterhub");
	assert_string_equal(got.session_id, "sid");
	assert_string_equal(got.note, t.note);
	assert_string_equal(got.scopes, t.scopes);
	assert_int_equal(got.server_id, 0);
	assert_int_equal(got.used_us, 0);
	assert_int_equal(got.expires_us, NOW + 10);
}

static void test_only_the_digest_is_stored(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.scopes = "[]",
		.created_us = NOW };
	char plain[TOKEN_LEN + 1], sql[300];

	make(f, &t, plain);
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM token WHERE instr(lower(hex(digest)), '%s')"
	    " OR instr(digest, CAST('%s' AS BLOB)) OR instr(note, '%s')",
	    plain, plain, plain);
	assert_int_equal(fixture_number(f, sql), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT length(digest) FROM token"), 32);
}

static void test_expired_wrong_and_absurd_texts_are_not_found(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.scopes = "[]",
		.created_us = NOW,
		.expires_us = NOW + 10 };
	char plain[TOKEN_LEN + 1], absurd[5000];
	struct err err = { 0 };
	struct token got;

	make(f, &t, plain);
	assert_int_equal(
	    token_find(f->db, &f->a, plain, NOW + 9, &got, &err), 1);
	assert_int_equal(
	    token_find(f->db, &f->a, plain, NOW + 10, &got, &err), 0);
	plain[0] = plain[0] == '0' ? '1' : '0';
	assert_int_equal(token_find(f->db, &f->a, plain, NOW, &got, &err), 0);
	memset(absurd, 'a', sizeof absurd);
	absurd[sizeof absurd - 1] = 0;
	assert_int_equal(token_find(f->db, &f->a, absurd, NOW, &got, &err), 0);
	assert_int_equal(token_find(f->db, &f->a, "", NOW, &got, &err), 0);
}

static void test_a_token_without_expiry_stays(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.scopes = "[]",
		.created_us = NOW };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };
	struct token got;

	make(f, &t, plain);
	test_ok(token_purge(f->db, INT64_MAX, &err), &err);
	assert_int_equal(
	    token_find(f->db, &f->a, plain, INT64_MAX - 1, &got, &err), 1);
}

static void test_purge_takes_the_expired_only(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.scopes = "[]",
		.created_us = NOW,
		.expires_us = NOW + 5 };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };

	make(f, &t, plain);
	t.expires_us = NOW + 6;
	make(f, &t, plain);
	assert_int_equal(token_purge(f->db, NOW + 5, &err), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 1);
}

static void test_touch_and_delete(void **state)
{
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.scopes = "[]",
		.created_us = NOW };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };
	struct token got;
	int64_t id = make(f, &t, plain);

	test_ok(token_touch(f->db, id, NOW + 3, &err), &err);
	test_ok(token_touch(f->db, id, NOW + 1, &err), &err);
	assert_int_equal(token_find(f->db, &f->a, plain, NOW, &got, &err), 1);
	assert_int_equal(got.used_us, NOW + 3);
	test_ok(token_delete(f->db, id, &err), &err);
	assert_int_equal(token_find(f->db, &f->a, plain, NOW, &got, &err), 0);
}

static void test_scopes_that_are_no_list_are_refused(void **state)
{
	const char *const bad[] = { "", "self", "{}", "[\"self\"" };
	struct fixture *f = *state;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.created_us = NOW };
	char plain[TOKEN_LEN + 1];
	int64_t id;

	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err = { 0 };

		t.scopes = bad[i];
		assert_int_equal(token_create(f->db, &t, plain, &id, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 0);
}

static void test_delete_server_takes_its_own_and_its_clients(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice");
	struct token own = { .user_id = user, .scopes = "[]" };
	struct token other = own, client = own, mine = own;
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };

	fixture_exec(f,
	    "INSERT INTO server (id, user_id, name, created_us)"
	    " VALUES (1, 1, '', 1), (2, 1, 'b', 1);"
	    "INSERT INTO oauth_client VALUES ('c', NULL, '/', 'd', '[]', 1,"
	    " NULL);");
	own.server_id = 1;
	other.server_id = 2;
	client.client_id = "c";
	make(f, &own, plain);
	make(f, &other, plain);
	make(f, &client, plain);
	make(f, &mine, plain);
	test_ok(token_delete_server(f->db, 1, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 2);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"
					   " WHERE server_id = 2 OR"
					   " (client_id = 'jupyterhub'"
					   " AND server_id IS NULL)"),
	    2);
}

/* The plan says SEARCH by an index: no look-up reads the whole table. */
static void test_lookups_use_an_index(void **state)
{
	const char *const sql[] = {
		"SELECT id FROM token WHERE digest = x'00' AND expires_us > 1",
		"SELECT id FROM session WHERE digest = x'00'",
		"SELECT scopes FROM oauth_code WHERE digest = x'00'",
		"SELECT id FROM user WHERE name = 'a'",
		"SELECT id FROM server WHERE user_id = 1 AND name = ''",
		"DELETE FROM token WHERE session_id = 'a' AND user_id = 1",
		"DELETE FROM token WHERE server_id = 1",
		"DELETE FROM oauth_client WHERE server_id = 1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(sql); i++) {
		char *plan = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql[i]);
		sqlite3_stmt *st = NULL;

		assert_int_equal(
		    sqlite3_prepare_v2(f->db->h, plan, -1, &st, NULL),
		    SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		if (strncmp((const char *)sqlite3_column_text(st, 3), "SEARCH",
			6) != 0)
			fail_msg("%s: %s", sql[i], sqlite3_column_text(st, 3));
		sqlite3_finalize(st);
		sqlite3_free(plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_token_is_found_by_its_text),
		FIXTURE_TEST(test_only_the_digest_is_stored),
		FIXTURE_TEST(test_expired_wrong_and_absurd_texts_are_not_found),
		FIXTURE_TEST(test_a_token_without_expiry_stays),
		FIXTURE_TEST(test_purge_takes_the_expired_only),
		FIXTURE_TEST(test_touch_and_delete),
		FIXTURE_TEST(test_scopes_that_are_no_list_are_refused),
		FIXTURE_TEST(test_delete_server_takes_its_own_and_its_clients),
		FIXTURE_TEST(test_lookups_use_an_index),
	};

	return cmocka_run_group_tests_name("db/token", tests, NULL, NULL);
}
