/* Tests of db/server.c. */
#include "test_db_util.h"

#include "db/oauth.h"
#include "db/server.h"
#include "db/token.h"

#define KEY_A "0123456789abcdef"
#define KEY_B "fedcba9876543210"

static int64_t make(struct fixture *f, int64_t user, const char *name)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(server_row_create(f->db, user, name, NOW, &id, &err), &err);
	return id;
}

static void start(
    struct fixture *f, int64_t id, const char *key, const char *options)
{
	struct err err = { 0 };

	test_ok(server_row_start(
		    f->db, id, key, "default", "alice", options, NOW + 5, &err),
	    &err);
}

static struct server_row get(struct fixture *f, int64_t user, const char *name)
{
	struct server_row row;
	struct err err = { 0 };

	memset(&row, 0, sizeof row);
	assert_int_equal(
	    server_row_find(f->db, &f->a, user, name, &row, &err), 1);
	return row;
}

static void test_a_new_row_is_at_rest(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice");
	int64_t id = make(f, user, "");
	struct server_row row = get(f, user, "");
	struct err err = { 0 };

	assert_int_equal(row.id, id);
	assert_string_equal(row.user_name, "alice");
	assert_string_equal(row.name, "");
	assert_null(row.key);
	assert_null(row.address);
	assert_null(row.options);
	assert_false(row.wanted);
	assert_int_equal(row.created_us, NOW);
	assert_int_equal(row.started_us, 0);
	assert_int_equal(server_row_get(f->db, &f->a, id, &row, &err), 1);
	assert_string_equal(row.user_name, "alice");
	assert_int_equal(server_row_get(f->db, &f->a, id + 1, &row, &err), 0);
	assert_int_equal(
	    server_row_find(f->db, &f->a, user, "b", &row, &err), 0);
	assert_int_equal(
	    server_row_create(f->db, user, "", NOW, &id, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
}

static void test_a_start_sets_what_should_be(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "b");
	struct server_row row;
	struct err err = { 0 };

	start(f, id, KEY_A, "{\"x\":1}");
	test_ok(
	    server_row_set_address(f->db, id, "127.0.0.1:40123", &err), &err);
	row = get(f, user, "b");
	assert_string_equal(row.key, KEY_A);
	assert_true(row.wanted);
	assert_string_equal(row.profile, "default");
	assert_string_equal(row.account, "alice");
	assert_string_equal(row.address, "127.0.0.1:40123");
	assert_string_equal(row.options, "{\"x\":1}");
	assert_int_equal(row.started_us, NOW + 5);
	assert_int_equal(row.last_activity_us, NOW + 5);
}

static void test_options_stay_when_none_are_given(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "");
	struct err err = { 0 };

	start(f, id, KEY_A, "{\"x\":1}");
	test_ok(server_row_stopped(f->db, id, &err), &err);
	start(f, id, KEY_B, NULL);
	assert_string_equal(get(f, user, "").options, "{\"x\":1}");
	start(f, id, KEY_A, "{}");
	assert_string_equal(get(f, user, "").options, "{}");
}

static void test_unwant_keeps_the_key(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "");
	struct server_row row;
	struct err err = { 0 };

	start(f, id, KEY_A, NULL);
	test_ok(server_row_unwant(f->db, id, &err), &err);
	row = get(f, user, "");
	assert_false(row.wanted);
	assert_string_equal(row.key, KEY_A);
}

static void test_stopped_takes_tokens_and_client_along(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "");
	struct oauth_client c = { .id = "jupyterhub-user-alice",
		.redirect_uri = "/user/alice/oauth_callback",
		.description = "Server at /user/alice/",
		.allowed_scopes = "[]",
		.server_id = id };
	struct token own = { .user_id = user, .server_id = id, .scopes = "[]" };
	struct token browser = {
		.user_id = user, .client_id = c.id, .scopes = "[]"
	};
	char plain[TOKEN_LEN + 1];
	struct server_row row;
	struct err err = { 0 };
	int64_t token;

	start(f, id, KEY_A, NULL);
	test_ok(oauth_client_put(f->db, &c, "0123456789", &err), &err);
	test_ok(token_create(f->db, &own, plain, &token, &err), &err);
	test_ok(token_create(f->db, &browser, plain, &token, &err), &err);
	test_ok(server_row_stopped(f->db, id, &err), &err);
	row = get(f, user, "");
	assert_null(row.key);
	assert_false(row.wanted);
	assert_int_equal(row.started_us, 0);
	assert_string_equal(row.profile, "default");
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 0);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM oauth_client"
					   " WHERE server_id NOTNULL"),
	    0);
}

static void test_an_address_for_a_stopped_or_unknown_one_is_refused(
    void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "");
	struct err err = { 0 };

	assert_int_equal(server_row_set_address(f->db, id, "x:1", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(
	    server_row_start(f->db, id + 1, KEY_A, "p", "a", NULL, NOW, &err),
	    -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_a_key_names_one_server(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice");
	int64_t a = make(f, user, "a"), b = make(f, user, "b");
	struct err err = { 0 };

	start(f, a, KEY_A, NULL);
	assert_int_equal(
	    server_row_start(f->db, b, KEY_A, "p", "a", NULL, NOW, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
}

struct seen {
	int n, stop_after;
	char names[8][16];
};

static int see(const struct server_row *row, void *arg, struct err *err)
{
	struct seen *s = arg;

	if (s->n == s->stop_after)
		return err_set(err, ERR_CANCELLED, "enough");
	assert_int_equal(
	    str_copy(s->names[s->n++], sizeof s->names[0], row->name), 0);
	return 0;
}

static void test_walks_see_what_they_should(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct seen active = { .stop_after = 8 }, mine = { .stop_after = 8 };
	struct err err = { 0 };

	start(f, make(f, alice, "b"), KEY_A, NULL);
	make(f, alice, "a");
	start(f, make(f, bob, "c"), KEY_B, NULL);
	test_ok(server_row_each_active(f->db, see, &active, &err), &err);
	assert_int_equal(active.n, 2);
	test_ok(server_row_each_of_user(f->db, alice, see, &mine, &err), &err);
	assert_int_equal(mine.n, 2);
	assert_string_equal(mine.names[0], "a");
	assert_string_equal(mine.names[1], "b");
}

static void test_a_walk_ends_when_its_callback_fails(void **state)
{
	struct fixture *f = *state;
	int64_t alice = fixture_user(f, "alice");
	struct seen s = { .stop_after = 1 };
	struct err err = { 0 };

	make(f, alice, "a");
	make(f, alice, "b");
	assert_int_equal(
	    server_row_each_of_user(f->db, alice, see, &s, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(s.n, 1);
	make(f, alice, "c");
}

static void test_touch_moves_forwards_and_delete_deletes(void **state)
{
	struct fixture *f = *state;
	int64_t user = fixture_user(f, "alice"), id = make(f, user, "");
	struct server_row row;
	struct err err = { 0 };

	test_ok(server_row_touch(f->db, id, NOW + 9, &err), &err);
	test_ok(server_row_touch(f->db, id, NOW + 4, &err), &err);
	assert_int_equal(get(f, user, "").last_activity_us, NOW + 9);
	test_ok(server_row_delete(f->db, id, &err), &err);
	assert_int_equal(
	    server_row_find(f->db, &f->a, user, "", &row, &err), 0);
}

static int count_row(const struct server_row *row, void *arg, struct err *err)
{
	int *n = arg;

	(void)row, (void)err;
	(*n)++;
	return 0;
}

static void test_a_start_takes_a_removal_back(void **state)
{
	struct fixture *f = *state;
	int64_t id = make(f, fixture_user(f, "alice"), "lab");
	struct err err = { 0 };
	int n = 0;

	(void)make(f, fixture_user(f, "bob"), "lab");
	test_ok(server_row_set_removing(f->db, id, &err), &err);
	test_ok(server_row_each_removing(f->db, count_row, &n, &err), &err);
	assert_int_equal(n, 1);
	start(f, id, KEY_A, NULL);
	test_ok(server_row_each_removing(f->db, count_row, &n, &err), &err);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_new_row_is_at_rest),
		FIXTURE_TEST(test_a_start_takes_a_removal_back),
		FIXTURE_TEST(test_a_start_sets_what_should_be),
		FIXTURE_TEST(test_options_stay_when_none_are_given),
		FIXTURE_TEST(test_unwant_keeps_the_key),
		FIXTURE_TEST(test_stopped_takes_tokens_and_client_along),
		FIXTURE_TEST(
		    test_an_address_for_a_stopped_or_unknown_one_is_refused),
		FIXTURE_TEST(test_a_key_names_one_server),
		FIXTURE_TEST(test_walks_see_what_they_should),
		FIXTURE_TEST(test_a_walk_ends_when_its_callback_fails),
		FIXTURE_TEST(test_touch_moves_forwards_and_delete_deletes),
	};

	return cmocka_run_group_tests_name("db/server", tests, NULL, NULL);
}
