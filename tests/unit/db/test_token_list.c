/* Tests of db/token_list.c. */
#include "test_db_util.h"

#include "db/oauth.h"
#include "db/server.h"
#include "db/token_list.h"

static int64_t make(struct fixture *f, struct token t)
{
	struct err err = { 0 };
	char plain[TOKEN_LEN + 1];
	int64_t id = 0;

	t.scopes = "[]";
	test_ok(token_create(f->db, &t, plain, &id, &err), &err);
	return id;
}

static void test_a_persons_living_tokens_by_use(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	int64_t used =
	    make(f, (struct token){ .user_id = alice, .created_us = NOW });
	int64_t young = make(f, (struct token){ .user_id = alice,
				    .created_us = NOW + 1,
				    .expires_us = NOW + 9 });
	struct token_shown *list;
	size_t n;

	make(f, (struct token){ .user_id = bob, .created_us = NOW });
	test_ok(token_touch(f->db, used, NOW + 5, &err), &err);
	test_ok(token_list(f->db, &f->a, alice, NOW, &list, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].token.id, young);
	assert_int_equal(list[1].token.id, used);
	assert_string_equal(list[0].client, "JupyterHub");
	assert_null(list[0].server);
	test_ok(
	    token_list(f->db, &f->a, alice, NOW + 9, &list, &n, &err), &err);
	assert_int_equal(n, 1);
}

static void test_one_is_got_by_its_owner_only(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	int64_t id = make(f,
	    (struct token){
		.user_id = alice, .created_us = NOW, .expires_us = NOW + 9 });
	struct token_shown t;

	assert_int_equal(token_get(f->db, &f->a, alice, id, NOW, &t, &err), 1);
	assert_int_equal(token_get(f->db, &f->a, bob, id, NOW, &t, &err), 0);
	assert_int_equal(
	    token_get(f->db, &f->a, alice, id, NOW + 9, &t, &err), 0);
}

static void test_those_of_a_client_go_together(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t alice = fixture_user(f, "alice"), bob = fixture_user(f, "bob");
	struct oauth_client c = { .id = "jupyterhub-user-alice",
		.redirect_uri = "/cb",
		.description = "Server at /user/alice/",
		.allowed_scopes = "[]" };
	struct token_shown *list;
	size_t n;

	test_ok(server_row_create(f->db, alice, "lab", NOW, &c.server_id, &err),
	    &err);
	test_ok(oauth_client_put(f->db, &c, "0123456789", &err), &err);
	make(f, (struct token){ .user_id = alice, .client_id = c.id });
	make(f, (struct token){ .user_id = alice, .client_id = c.id });
	make(f, (struct token){ .user_id = bob, .client_id = c.id });
	test_ok(token_list(f->db, &f->a, alice, NOW, &list, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].client, "Server at /user/alice/");
	assert_string_equal(list[0].server, "lab");
	test_ok(token_delete_client(f->db, alice, c.id, &err), &err);
	assert_int_equal(fixture_number(f, "SELECT count(*) FROM token"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_persons_living_tokens_by_use),
		FIXTURE_TEST(test_one_is_got_by_its_owner_only),
		FIXTURE_TEST(test_those_of_a_client_go_together),
	};

	return cmocka_run_group_tests_name("db/token_list", tests, NULL, NULL);
}
