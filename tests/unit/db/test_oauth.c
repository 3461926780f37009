/* Tests of db/oauth.c. */
#include "test_db_util.h"

#include "base/clock.h"
#include "db/oauth.h"
#include "db/token.h"

#define CLIENT "jupyterhub-user-alice"
#define SECRET "0123456789abcdef0123456789abcdef"

static struct oauth_client client(void)
{
	return (struct oauth_client){ .id = CLIENT,
		.redirect_uri = "/user/alice/oauth_callback",
		.description = "Server at /user/alice/",
		.allowed_scopes = "[\"access:servers!server=alice/\"]" };
}

static void put(struct fixture *f)
{
	struct oauth_client c = client();
	struct err err = { 0 };

	test_ok(oauth_client_put(f->db, &c, SECRET, &err), &err);
}

static void test_a_client_is_kept_and_found(void **state)
{
	struct fixture *f = *state;
	struct oauth_client got;
	struct err err = { 0 };

	put(f);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, CLIENT, &got, &err), 1);
	assert_string_equal(got.redirect_uri, client().redirect_uri);
	assert_string_equal(got.description, client().description);
	assert_string_equal(got.allowed_scopes, client().allowed_scopes);
	assert_int_equal(got.server_id, 0);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, "other", &got, &err), 0);
}

static void test_the_secret_is_checked(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	put(f);
	assert_int_equal(oauth_client_check(f->db, CLIENT, SECRET, &err), 1);
	assert_int_equal(
	    oauth_client_check(f->db, CLIENT, SECRET "0", &err), 0);
	assert_int_equal(oauth_client_check(f->db, CLIENT, "", &err), 0);
	assert_int_equal(oauth_client_check(f->db, "other", SECRET, &err), 0);
	assert_int_equal(oauth_client_check(f->db, "other", "", &err), 0);
	assert_int_equal(
	    oauth_client_check(f->db, "jupyterhub", SECRET, &err), 0);
}

static void test_putting_again_replaces_and_keeps_tokens(void **state)
{
	struct fixture *f = *state;
	struct oauth_client c = client(), got;
	struct token t = { .user_id = fixture_user(f, "alice"),
		.client_id = CLIENT,
		.scopes = "[]" };
	char plain[TOKEN_LEN + 1];
	struct err err = { 0 };
	int64_t id;

	put(f);
	test_ok(token_create(f->db, &t, plain, &id, &err), &err);
	c.redirect_uri = "/new";
	test_ok(oauth_client_put(f->db, &c, "another secret", &err), &err);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, CLIENT, &got, &err), 1);
	assert_string_equal(got.redirect_uri, "/new");
	assert_int_equal(oauth_client_check(f->db, CLIENT, SECRET, &err), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 1);
}

static void test_the_hubs_own_client_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct oauth_client c = client();
	struct err err = { 0 };

	c.id = "jupyterhub";
	assert_int_equal(oauth_client_put(f->db, &c, SECRET, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(oauth_client_delete(f->db, "jupyterhub", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_a_short_secret_is_refused(void **state)
{
	struct fixture *f = *state;
	struct oauth_client c = client();
	struct err err = { 0 };

	assert_int_equal(oauth_client_put(f->db, &c, "short", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, CLIENT);
}

/* ---- codes ---- */

static struct oauth_code code(int64_t user)
{
	return (struct oauth_code){ .client_id = CLIENT,
		.user_id = user,
		.redirect_uri = "/user/alice/oauth_callback",
		.session_id = "sid",
		.scopes = "[\"read:users:name!user=alice\"]",
		.challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		.challenge_method = "S256",
		.expires_us = NOW + 300,
		.nonce = "n",
		.login_us = 7 };
}

static void test_a_code_is_found(void **state)
{
	struct fixture *f = *state;
	struct oauth_code c = code(fixture_user(f, "alice")), got;
	char text[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };

	put(f);
	test_ok(oauth_code_create(f->db, &c, text, &err), &err);
	assert_int_equal(strlen(text), OAUTH_CODE_LEN);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    oauth_code_find(f->db, &f->a, text, NOW, &got, &err), 1);
		assert_string_equal(got.client_id, CLIENT);
		assert_int_equal(got.user_id, c.user_id);
		assert_string_equal(got.redirect_uri, c.redirect_uri);
		assert_string_equal(got.session_id, "sid");
		assert_string_equal(got.scopes, c.scopes);
		assert_string_equal(got.challenge, c.challenge);
		assert_string_equal(got.challenge_method, "S256");
	}
	assert_int_equal(got.token_id, 0);
	assert_string_equal(got.nonce, "n");
	assert_int_equal(got.login_us, 7);
}

/* It is found still, also after its time, so that a second use is noticed; it
 * goes with the token that it became. */
static void test_a_used_code_is_known_as_used(void **state)
{
	struct fixture *f = *state;
	struct oauth_code c = code(fixture_user(f, "alice")), got;
	char text[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };

	put(f);
	test_ok(oauth_code_create(f->db, &c, text, &err), &err);
	fixture_exec(f,
	    "INSERT INTO token (id, digest, user_id, scopes, created_us)"
	    " VALUES (5, randomblob(32), 1, '[]', 1)");
	assert_int_equal(oauth_code_use(f->db, text, 5, &err), 1);
	assert_int_equal(oauth_code_use(f->db, text, 5, &err), 0);
	assert_int_equal(
	    oauth_code_find(f->db, &f->a, text, NOW + 301, &got, &err), 1);
	assert_int_equal(got.token_id, 5);
	fixture_exec(f, "DELETE FROM token WHERE id = 5");
	assert_int_equal(
	    oauth_code_find(f->db, &f->a, text, NOW, &got, &err), 0);
}

static void test_an_expired_code_is_not_found_and_purged(void **state)
{
	struct fixture *f = *state;
	struct oauth_code c = code(fixture_user(f, "alice")), got;
	char text[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };

	put(f);
	c.challenge = c.challenge_method = c.session_id = NULL;
	test_ok(oauth_code_create(f->db, &c, text, &err), &err);
	assert_int_equal(
	    oauth_code_find(f->db, &f->a, text, NOW + 299, &got, &err), 1);
	assert_null(got.challenge);
	assert_int_equal(
	    oauth_code_find(f->db, &f->a, text, NOW + 300, &got, &err), 0);
	assert_int_equal(oauth_code_purge(f->db, NOW + 299, &err), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_code"), 1);
	assert_int_equal(oauth_code_purge(f->db, NOW + 300, &err), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_code"), 0);
}

static void test_codes_that_break_a_rule_are_refused(void **state)
{
	struct fixture *f = *state;
	struct oauth_code good = code(fixture_user(f, "alice")), c;
	char text[OAUTH_CODE_LEN + 1];
	struct err err = { 0 };

	put(f);
	c = good;
	c.challenge_method = "S512";
	assert_int_equal(oauth_code_create(f->db, &c, text, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	c = good;
	c.challenge = NULL;
	assert_int_equal(oauth_code_create(f->db, &c, text, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	c = good;
	c.client_id = "unknown";
	assert_int_equal(oauth_code_create(f->db, &c, text, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_code"), 0);
}

static void test_deleting_a_client_takes_tokens_and_codes(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id;
	struct oauth_code c = code(user);
	struct token t = {
		.user_id = user, .client_id = CLIENT, .scopes = "[]"
	};
	char text[64];
	struct err err = { 0 };

	put(f);
	test_ok(oauth_code_create(f->db, &c, text, &err), &err);
	test_ok(token_create(f->db, &t, text, &id, &err), &err);
	test_ok(oauth_client_delete(f->db, CLIENT, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 0);
	assert_int_equal(
	    fixture_number(f, "SELECT count(*) FROM oauth_code"), 0);
}

static void test_granted_scopes_are_the_union_of_valid_tokens(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id;
	struct token t = { .user_id = user, .client_id = CLIENT };
	const char *json = NULL;
	char text[64];
	struct err err = { 0 };

	put(f);
	assert_int_equal(oauth_client_scopes_granted(
			     f->db, &f->a, CLIENT, user, &json, &err),
	    0);
	assert_string_equal(json, "[]");
	t.scopes = "[\"a\",\"b\"]";
	test_ok(token_create(f->db, &t, text, &id, &err), &err);
	t.scopes = "[\"b\",\"c\"]";
	test_ok(token_create(f->db, &t, text, &id, &err), &err);
	t.scopes = "[\"expired\"]";
	t.expires_us = clock_wall_us() - 1;
	test_ok(token_create(f->db, &t, text, &id, &err), &err);
	assert_int_equal(oauth_client_scopes_granted(
			     f->db, &f->a, CLIENT, user, &json, &err),
	    1);
	assert_int_equal(strlen(json), strlen("[\"a\",\"b\",\"c\"]"));
	assert_non_null(strstr(json, "\"a\""));
	assert_non_null(strstr(json, "\"b\""));
	assert_non_null(strstr(json, "\"c\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_client_is_kept_and_found),
		FIXTURE_TEST(test_the_secret_is_checked),
		FIXTURE_TEST(test_putting_again_replaces_and_keeps_tokens),
		FIXTURE_TEST(test_the_hubs_own_client_is_not_touched),
		FIXTURE_TEST(test_a_short_secret_is_refused),
		FIXTURE_TEST(test_a_code_is_found),
		FIXTURE_TEST(test_a_used_code_is_known_as_used),
		FIXTURE_TEST(test_an_expired_code_is_not_found_and_purged),
		FIXTURE_TEST(test_codes_that_break_a_rule_are_refused),
		FIXTURE_TEST(test_deleting_a_client_takes_tokens_and_codes),
		FIXTURE_TEST(test_granted_scopes_are_the_union_of_valid_tokens),
	};

	return cmocka_run_group_tests_name("db/oauth", tests, NULL, NULL);
}
