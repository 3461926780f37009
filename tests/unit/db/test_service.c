/* Tests of db/service.c. */
#include "test_db_util.h"

#include "db/oauth.h"
#include "db/role.h"
#include "db/service.h"
#include "db/token.h"

#define NOW   INT64_C(1700000000000000)
#define FIRST "first-token-of-it"
#define OTHER "other-token-of-it"

static int64_t make(struct fixture *f, const char *name)
{
	struct err err = { 0 };
	int64_t id = 0;

	test_ok(service_row_put(f->db, name, false, NULL, &id, &err), &err);
	return id;
}

/* Whose token is it? 0: nobody's. */
static int64_t owner(struct fixture *f, const char *plain)
{
	struct token t = { .id = 0 };
	struct err err = { 0 };
	int found = token_find(f->db, &f->a, plain, NOW, &t, &err);

	test_ok(found, &err);
	return found ? t.service_id : 0;
}

static void set_token(struct fixture *f, int64_t id, const char *plain)
{
	struct err err = { 0 };

	test_ok(
	    service_token_set(f->db, id, SERVICE_NOTE_CONFIG, plain, NOW, &err),
	    &err);
}

static void test_put_makes_and_changes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct service_row s;
	int64_t id = make(f, "culler"), again;

	test_ok(
	    service_row_put(f->db, "culler", true, NULL, &again, &err), &err);
	assert_int_equal(again, id);
	assert_int_equal(service_row_find(f->db, &f->a, "culler", &s, &err), 1);
	assert_true(s.admin);
	assert_null(s.key);
	assert_int_equal(service_row_find(f->db, &f->a, "other", &s, &err), 0);
	test_ok(service_row_set_key(f->db, id, "0123456789abcdef", "{}", &err),
	    &err);
	assert_int_equal(service_row_get(f->db, &f->a, id, &s, &err), 1);
	assert_string_equal(s.key, "0123456789abcdef");
	assert_string_equal(s.made_of, "{}");
}

static void test_a_new_token_ends_the_one_before(void **state)
{
	struct fixture *f = *state;
	int64_t id = make(f, "culler");

	set_token(f, id, FIRST);
	set_token(f, id, FIRST);
	assert_int_equal(owner(f, FIRST), id);
	set_token(f, id, OTHER);
	assert_int_equal(owner(f, FIRST), 0);
	assert_int_equal(owner(f, OTHER), id);
	set_token(f, id, NULL);
	assert_int_equal(owner(f, OTHER), 0);
}

static void test_tokens_of_two_notes_live_side_by_side(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t id = make(f, "culler");

	set_token(f, id, FIRST);
	test_ok(service_token_set(
		    f->db, id, SERVICE_NOTE_STARTED, OTHER, NOW, &err),
	    &err);
	set_token(f, id, NULL);
	assert_int_equal(owner(f, OTHER), id);
}

static void test_a_token_of_somebody_else_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	set_token(f, make(f, "one"), FIRST);
	assert_int_equal(service_token_set(f->db, make(f, "two"),
			     SERVICE_NOTE_CONFIG, FIRST, NOW, &err),
	    -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(service_token_set(f->db, make(f, "two"),
			     SERVICE_NOTE_CONFIG, "short", NOW, &err),
	    -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static int count_role(
    const char *name, const char *scopes, void *arg, struct err *err)
{
	(void)name, (void)scopes, (void)err;
	++*(int *)arg;
	return 0;
}

static int held(struct fixture *f, int64_t id)
{
	struct err err = { 0 };
	int n = 0;

	test_ok(role_each_held_service(f->db, id, count_role, &n, &err), &err);
	return n;
}

static void test_what_is_not_named_goes_with_all_it_had(void **state)
{
	struct fixture *f = *state;
	int64_t stays = make(f, "stays"), goes = make(f, "goes"), role = 0;
	const struct role r = {
		.name = "clerk", .description = "", .scopes = "[\"users\"]"
	};
	struct oauth_client c = { .id = "service-goes",
		.redirect_uri = "/",
		.description = "d",
		.allowed_scopes = "[]",
		.service_id = goes };
	struct err err = { 0 };

	set_token(f, stays, FIRST);
	set_token(f, goes, OTHER);
	test_ok(role_put(f->db, &r, &role, &err), &err);
	test_ok(role_add_service(f->db, role, stays, &err), &err);
	test_ok(role_add_service(f->db, role, goes, &err), &err);
	test_ok(oauth_client_put(f->db, &c, OTHER, &err), &err);
	test_ok(service_row_delete_others(f->db, "[\"stays\"]", &err), &err);
	assert_int_equal(owner(f, FIRST), stays);
	assert_int_equal(owner(f, OTHER), 0);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, "service-goes", &c, &err), 0);
	assert_int_equal(held(f, stays), 1);
	assert_int_equal(held(f, goes), 0);
	test_ok(role_clear_services(f->db, role, &err), &err);
	assert_int_equal(held(f, stays), 0);
}

static void test_a_clients_secret_stays_when_none_is_said(void **state)
{
	struct fixture *f = *state;
	int64_t id = make(f, "s");
	struct oauth_client c = { .id = "service-s",
		.redirect_uri = "/",
		.description = "d",
		.allowed_scopes = "[]",
		.service_id = id };
	struct err err = { 0 };

	test_ok(oauth_client_put(f->db, &c, NULL, &err), &err);
	assert_int_equal(
	    oauth_client_check(f->db, "service-s", FIRST, &err), 0);
	test_ok(oauth_client_put(f->db, &c, FIRST, &err), &err);
	c.redirect_uri = "/new";
	test_ok(oauth_client_put(f->db, &c, NULL, &err), &err);
	assert_int_equal(
	    oauth_client_check(f->db, "service-s", FIRST, &err), 1);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, "service-s", &c, &err), 1);
	assert_string_equal(c.redirect_uri, "/new");
	assert_int_equal(c.service_id, id);
	test_ok(service_clients_delete(f->db, id, "service-s", &err), &err);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, "service-s", &c, &err), 1);
	test_ok(service_clients_delete(f->db, id, NULL, &err), &err);
	assert_int_equal(
	    oauth_client_find(f->db, &f->a, "service-s", &c, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_put_makes_and_changes),
		FIXTURE_TEST(test_a_new_token_ends_the_one_before),
		FIXTURE_TEST(test_tokens_of_two_notes_live_side_by_side),
		FIXTURE_TEST(test_a_token_of_somebody_else_is_refused),
		FIXTURE_TEST(test_what_is_not_named_goes_with_all_it_had),
		FIXTURE_TEST(test_a_clients_secret_stays_when_none_is_said),
	};

	return cmocka_run_group_tests_name("db/service", tests, NULL, NULL);
}
