/* Tests of auth/principal.c. */
#include "test_util.h"

#include "auth/principal.h"
#include "db/group.h"
#include "db/oauth.h"
#include "db/role.h"
#include "db/server.h"
#include "db/service.h"
#include "db/share.h"
#include "db/token.h"
#include "db/user.h"

#define NOW      INT64_C(1700000000000000)
#define SECONDS  INT64_C(1000000)
#define PUBLIC_A "0123456789abcdef0123456789abcdef"

static struct loop *loop;
static struct db *db;
static struct arena arena;
static int64_t alice;

static int set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	loop = loop_new();
	db = db_open(":memory:", loop, NULL, &err);
	assert_non_null(db);
	arena_init(&arena);
	test_ok(user_create(db, "alice", false, NOW, &alice, &err), &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	db_close(&db);
	loop_free(&loop);
	return 0;
}

static void make_session(char *secret)
{
	struct err err = { 0 };

	test_ok(session_create(db, alice, PUBLIC_A, NOW, NOW + 3600 * SECONDS,
		    secret, &err),
	    &err);
}

static const char *make_token(struct token t)
{
	char *plain = arena_alloc(&arena, TOKEN_LEN + 1);
	struct err err = { 0 };
	int64_t id;

	t.user_id = alice;
	t.created_us = NOW;
	test_ok(token_create(db, &t, plain, &id, &err), &err);
	return plain;
}

static struct principal of_token(const char *plain)
{
	struct principal p;
	struct err err = { 0 };
	int rc = principal_by_token(db, &arena, plain, NOW, &p, &err);

	test_ok(rc, &err);
	assert_int_equal(rc, 1);
	return p;
}

static void assert_scopes(const struct principal *p, const char *want)
{
	assert_string_equal(scope_set_words(&p->scopes, &arena), want);
}

/* ---- the header ---- */

static void test_what_is_a_bearer_token(void **state)
{
	static const struct {
		const char *header, *token;
	} rows[] = {
		{ "token abc", "abc" },
		{ "Bearer abc", "abc" },
		{ "BEARER \t abc", "abc" },
		{ "token abc ", "abc" },
		{ "token", NULL },
		{ "token ", NULL },
		{ "tokenabc", NULL },
		{ "token abc def", NULL },
		{ "Basic abc", NULL },
		{ " token abc", NULL },
		{ "", NULL },
		{ "tokens abc", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct slice got;
		bool found = principal_bearer(rows[i].header, &got);

		assert_int_equal(found, rows[i].token != NULL);
		if (found)
			assert_true(slice_eq(got, rows[i].token));
	}
}

/* ---- sessions ---- */

static void test_a_session_is_its_user_with_all_scopes(void **state)
{
	char secret[SESSION_SECRET_LEN + 1];
	struct scope_set want;
	struct principal p;
	struct err err = { 0 };

	(void)state;
	make_session(secret);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 1);
	assert_int_equal(p.kind, PRINCIPAL_USER);
	assert_int_equal(p.user_id, alice);
	assert_string_equal(p.user_name, "alice");
	assert_string_equal(p.session_id, PUBLIC_A);
	assert_int_equal(p.token_id, 0);
	scope_set_init(&want, &arena);
	test_ok(scope_effective_user("alice", false, &want, &err), &err);
	assert_scopes(&p, scope_set_words(&want, &arena));
}

static void test_an_ended_session_and_a_gone_user_are_nobody(void **state)
{
	char secret[SESSION_SECRET_LEN + 1];
	struct principal p;
	struct err err = { 0 };

	(void)state;
	make_session(secret);
	assert_int_equal(principal_by_session(db, &arena, secret,
			     NOW + 3600 * SECONDS, &p, &err),
	    0);
	assert_int_equal(p.kind, PRINCIPAL_NONE);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 1);
	test_ok(session_end(db, &p.session, &err), &err);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 0);
	make_session(secret);
	test_ok(user_delete(db, alice, &err), &err);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 0);
	assert_int_equal(p.user_id, 0);
}

/* ---- tokens ---- */

static void test_a_token_has_its_owners_scopes_cut(void **state)
{
	const char *plain;
	struct principal p;
	struct err err = { 0 };

	(void)state;
	plain = make_token((struct token){
	    .scopes = "[\"tokens!user\",\"proxy\",\"custom:gone\"]",
	    .note = "n",
	    .session_id = "sid" });
	p = of_token(plain);
	assert_int_equal(p.kind, PRINCIPAL_TOKEN);
	assert_string_equal(p.user_name, "alice");
	assert_string_equal(p.session_id, "sid");
	assert_string_equal(p.client_id, "jupyterhub");
	assert_true(p.token_id > 0);
	assert_scopes(&p, "read:tokens!user=alice read:users:groups!user=alice"
			  " read:users:name!user=alice tokens!user=alice");
	/* Roles given and taken show at once. */
	test_ok(user_set_admin(db, alice, true, &err), &err);
	p = of_token(plain);
	assert_true(p.admin);
	assert_non_null(strstr(scope_set_words(&p.scopes, &arena), "proxy"));
	test_ok(user_set_admin(db, alice, false, &err), &err);
	p = of_token(plain);
	assert_null(strstr(scope_set_words(&p.scopes, &arena), "proxy"));
}

static int64_t make_server(const char *name)
{
	struct err err = { 0 };
	int64_t id;

	test_ok(server_row_create(db, alice, name, NOW, &id, &err), &err);
	return id;
}

static void test_a_clients_token_reaches_its_server_only(void **state)
{
	struct oauth_client c = { .id = "jupyterhub-user-alice-lab",
		.redirect_uri = "/",
		.description = "d",
		.allowed_scopes = "[]",
		.server_id = make_server("lab") };
	struct principal p;
	struct err err = { 0 };

	(void)state;
	test_ok(oauth_client_put(db, &c, "0123456789", &err), &err);
	p = of_token(make_token((struct token){
	    .scopes = "[]", .client_id = "jupyterhub-user-alice-lab" }));
	assert_string_equal(p.ctx.server, "alice/lab");
	assert_scopes(&p,
	    "access:servers!server=alice/lab"
	    " read:users:groups!user=alice read:users:name!user=alice");
}

static void test_a_servers_own_token_posts_activity(void **state)
{
	struct principal p;
	int64_t id = make_server("");

	(void)state;
	p = of_token(make_token((struct token){
	    .scopes = "[\"users:activity!user\",\"access:servers!server\"]",
	    .server_id = id }));
	assert_int_equal(p.server_id, id);
	assert_scopes(&p,
	    "access:servers!server=alice/ read:users:activity!user=alice"
	    " read:users:groups!user=alice read:users:name!user=alice"
	    " users:activity!user=alice");
}

static void test_a_service_holds_what_its_roles_give(void **state)
{
	const struct role r = { .name = "clerk",
		.description = "",
		.scopes = "[\"list:users\",\"read:services!service\"]" };
	int64_t id = 0, role = 0;
	struct principal p;
	struct err err = { 0 };

	(void)state;
	test_ok(service_row_put(db, "cull", false, NULL, &id, &err), &err);
	test_ok(service_token_set(db, id, SERVICE_NOTE_CONFIG,
		    "token-of-the-culler", NOW, &err),
	    &err);
	p = of_token("token-of-the-culler");
	assert_int_equal(p.service_id, id);
	assert_int_equal(p.user_id, 0);
	assert_string_equal(p.user_name, "");
	assert_string_equal(principal_name(&p), "cull");
	assert_false(p.admin);
	test_ok(role_put(db, &r, &role, &err), &err);
	test_ok(role_add_service(db, role, id, &err), &err);
	p = of_token("token-of-the-culler");
	assert_scopes(&p, "list:users read:services!service=cull"
			  " read:services:name!service=cull read:users:name");
	test_ok(service_row_set_admin(db, id, true, &err), &err);
	p = of_token("token-of-the-culler");
	assert_true(p.admin);
	assert_non_null(strstr(scope_set_words(&p.scopes, &arena), "shutdown"));
}

static void test_a_services_clients_token_reaches_the_service(void **state)
{
	const struct role r = { .name = "cullers",
		.description = "",
		.scopes = "[\"access:services!service=cull\"]" };
	int64_t id = 0, role = 0;
	const char *plain;
	struct oauth_client c = { .id = "service-cull",
		.redirect_uri = "/",
		.description = "d",
		.allowed_scopes = "[]" };
	struct principal p;
	struct err err = { 0 };

	(void)state;
	test_ok(service_row_put(db, "cull", false, NULL, &id, &err), &err);
	c.service_id = id;
	test_ok(oauth_client_put(db, &c, "0123456789", &err), &err);
	plain = make_token(
	    (struct token){ .scopes = "[\"access:services!service\"]",
		.client_id = "service-cull" });
	p = of_token(plain);
	assert_string_equal(p.user_name, "alice");
	assert_string_equal(p.ctx.service, "cull");
	/* She may not use it (any more): nor may her token there. */
	assert_scopes(
	    &p, "read:users:groups!user=alice read:users:name!user=alice");
	test_ok(role_put(db, &r, &role, &err), &err);
	test_ok(role_add_user(db, role, alice, &err), &err);
	p = of_token(plain);
	assert_scopes(&p,
	    "access:services!service=cull read:users:groups!user=alice"
	    " read:users:name!user=alice");
}

static void test_unknown_tokens_are_nobody(void **state)
{
	struct principal p;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    principal_by_token(db, &arena, PUBLIC_A, NOW, &p, &err), 0);
	assert_int_equal(p.kind, PRINCIPAL_NONE);
	assert_int_equal(p.scopes.n, 0);
	assert_int_equal(principal_by_token(db, &arena, "", NOW, &p, &err), 0);
}

/* ---- use ---- */

static struct user get_alice(void)
{
	struct user u;
	struct err err = { 0 };

	assert_int_equal(user_get(db, &arena, alice, &u, &err), 1);
	return u;
}

static void touch_by(
    struct principal *p, int64_t now_us, int64_t step_us, bool is_owners)
{
	const struct principal_use use = { now_us, step_us, is_owners };
	struct err err = { 0 };

	test_ok(principal_touch(db, p, &use, &err), &err);
}

static void touch(struct principal *p, int64_t now_us, bool is_owners)
{
	touch_by(p, now_us, 30 * SECONDS, is_owners);
}

static void test_use_is_recorded_at_most_every_step(void **state)
{
	char secret[SESSION_SECRET_LEN + 1];
	struct principal p;
	struct err err = { 0 };

	(void)state;
	make_session(secret);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 1);
	touch(&p, NOW + 29 * SECONDS, true);
	assert_int_equal(p.session.used_us, NOW);
	assert_int_equal(get_alice().last_activity_us, NOW + 29 * SECONDS);
	touch(&p, NOW + 30 * SECONDS, true);
	assert_int_equal(get_alice().last_activity_us, NOW + 29 * SECONDS);
	assert_int_equal(
	    principal_by_session(db, &arena, secret, NOW, &p, &err), 1);
	assert_int_equal(p.session.used_us, NOW + 30 * SECONDS);
}

static void test_without_a_step_every_use_is_recorded(void **state)
{
	const char *plain = make_token((struct token){ .scopes = "[]" });
	struct principal p = of_token(plain);

	(void)state;
	touch_by(&p, NOW, 0, true);
	touch_by(&p, NOW + 1, 0, true);
	assert_int_equal(of_token(plain).token_used_us, NOW + 1);
	assert_int_equal(get_alice().last_activity_us, NOW + 1);
	touch_by(&p, NOW + 2, 2, true);
	assert_int_equal(get_alice().last_activity_us, NOW + 1);
}

static void test_a_servers_calls_are_not_its_owners_activity(void **state)
{
	int64_t id = make_server("");
	const char *plain;
	struct principal p;

	(void)state;
	plain = make_token((struct token){ .scopes = "[]", .server_id = id });
	p = of_token(plain);
	touch(&p, NOW, true);
	assert_int_equal(get_alice().last_activity_us, 0);
	assert_int_equal(of_token(plain).token_used_us, NOW);
	plain = make_token((struct token){ .scopes = "[]" });
	p = of_token(plain);
	touch(&p, NOW, false);
	assert_int_equal(get_alice().last_activity_us, 0);
	touch(&p, NOW, true);
	assert_int_equal(get_alice().last_activity_us, NOW);
	touch(&(struct principal){ 0 }, NOW, true);
}

/* ---- groups ---- */

static void test_membership_is_looked_up_at_the_check(void **state)
{
	const char *const unix_groups[] = { "class" };
	const struct scope_resource res = { .user = "alice" };
	struct principal p = { .kind = PRINCIPAL_USER };
	struct err err = { 0 };
	int64_t group;

	(void)state;
	scope_set_init(&p.scopes, &arena);
	test_ok(scope_set_add(&p.scopes, "servers!group=class", &err), &err);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_SERVERS, &res), SCOPE_OTHER);
	/* A Unix group of that name is another thing. */
	test_ok(user_set_groups(db, alice, unix_groups, 1, &err), &err);
	test_ok(group_create(db, "class", &group, &err), &err);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_SERVERS, &res), SCOPE_OTHER);
	test_ok(group_add(db, group, alice, &err), &err);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_SERVERS, &res), SCOPE_GRANTED);
	test_ok(group_remove(db, group, alice, &err), &err);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_SERVERS, &res), SCOPE_OTHER);
}

/* ---- shares ---- */

static const struct scope_resource bobs_lab = { .user = "bob",
	.server = "lab" };

static int64_t share_bobs_lab(struct share_with with, const char *scopes)
{
	static int64_t lab;
	struct err err = { 0 };
	struct user bob;
	int found = user_find(db, &arena, "bob", &bob, &err);

	if (found == 0) {
		test_ok(
		    user_create(db, "bob", false, NOW, &bob.id, &err), &err);
		test_ok(server_row_create(db, bob.id, "lab", NOW, &lab, &err),
		    &err);
	}
	test_ok(share_put(db, lab, with, scopes, NOW, &err), &err);
	return bob.id;
}

static enum scope_verdict verdict(const char *plain, enum scope_id id)
{
	struct principal p = of_token(plain);

	return principal_check(&p, db, id, &bobs_lab);
}

static void test_a_share_holds_for_tokens_and_ends_at_once(void **state)
{
	const char *all =
		       make_token((struct token){ .scopes = "[\"inherit\"]" }),
		   *narrow = make_token((struct token){
		       .scopes = "[\"access:servers!server=bob/lab\"]" });
	struct err err = { 0 };

	(void)state;
	assert_int_equal(verdict(all, SCOPE_ACCESS_SERVERS), SCOPE_OTHER);
	share_bobs_lab((struct share_with){ .user_id = alice },
	    "[\"access:servers\", \"not:known\"]");
	assert_int_equal(verdict(all, SCOPE_ACCESS_SERVERS), SCOPE_GRANTED);
	assert_int_equal(verdict(narrow, SCOPE_ACCESS_SERVERS), SCOPE_GRANTED);
	assert_int_equal(verdict(all, SCOPE_SERVERS), SCOPE_OTHER);
	test_ok(share_delete(db, 1, &err), &err);
	assert_int_equal(verdict(all, SCOPE_ACCESS_SERVERS), SCOPE_OTHER);
	assert_int_equal(verdict(narrow, SCOPE_ACCESS_SERVERS), SCOPE_DENIED);
}

/* The reference forgets these for tokens. */
static void test_a_groups_share_holds_for_its_members_tokens(void **state)
{
	const char *all =
	    make_token((struct token){ .scopes = "[\"inherit\"]" });
	struct err err = { 0 };
	int64_t group;

	(void)state;
	test_ok(group_create(db, "class", &group, &err), &err);
	share_bobs_lab(
	    (struct share_with){ .group_id = group }, "[\"servers\"]");
	assert_int_equal(verdict(all, SCOPE_START_SERVERS), SCOPE_OTHER);
	test_ok(group_add(db, group, alice, &err), &err);
	assert_int_equal(verdict(all, SCOPE_START_SERVERS), SCOPE_GRANTED);
	test_ok(group_remove(db, group, alice, &err), &err);
	assert_int_equal(verdict(all, SCOPE_START_SERVERS), SCOPE_OTHER);
}

static void test_a_share_follows_its_server_to_another_name(void **state)
{
	const char *all =
	    make_token((struct token){ .scopes = "[\"inherit\"]" });
	const struct scope_resource now = { .user = "robert", .server = "lab" };
	struct err err = { 0 };
	int64_t bob = share_bobs_lab(
	    (struct share_with){ .user_id = alice }, "[\"access:servers\"]");

	(void)state;
	test_ok(user_rename(db, bob, "robert", &err), &err);
	struct principal p = of_token(all);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_ACCESS_SERVERS, &now), SCOPE_GRANTED);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_ACCESS_SERVERS, &bobs_lab),
	    SCOPE_OTHER);
}

/* Others cannot give so much that one's own scopes do not fit any more. */
static void test_very_many_shares_leave_their_receiver_able(void **state)
{
	const char *all =
	    make_token((struct token){ .scopes = "[\"inherit\"]" });
	const struct scope_resource own = { .user = "alice", .server = "" };
	struct err err = { 0 };
	int64_t giver, id;

	(void)state;
	test_ok(user_create(db, "giver", false, NOW, &giver, &err), &err);
	for (int i = 0; i < 600; i++) {
		test_ok(server_row_create(db, giver,
			    arena_printf(&arena, "s%d", i), NOW, &id, &err),
		    &err);
		test_ok(
		    share_put(db, id, (struct share_with){ .user_id = alice },
			"[\"shares\", \"admin:servers\"]", NOW, &err),
		    &err);
	}
	struct principal p = of_token(all);
	assert_int_equal(
	    principal_check(&p, db, SCOPE_SERVERS, &own), SCOPE_GRANTED);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_a_bearer_token),
		TEST(test_a_session_is_its_user_with_all_scopes),
		TEST(test_an_ended_session_and_a_gone_user_are_nobody),
		TEST(test_a_token_has_its_owners_scopes_cut),
		TEST(test_a_clients_token_reaches_its_server_only),
		TEST(test_a_servers_own_token_posts_activity),
		TEST(test_a_service_holds_what_its_roles_give),
		TEST(test_a_services_clients_token_reaches_the_service),
		TEST(test_unknown_tokens_are_nobody),
		TEST(test_use_is_recorded_at_most_every_step),
		TEST(test_without_a_step_every_use_is_recorded),
		TEST(test_a_servers_calls_are_not_its_owners_activity),
		TEST(test_membership_is_looked_up_at_the_check),
		TEST(test_a_share_holds_for_tokens_and_ends_at_once),
		TEST(test_a_groups_share_holds_for_its_members_tokens),
		TEST(test_a_share_follows_its_server_to_another_name),
		TEST(test_very_many_shares_leave_their_receiver_able),
	};

	return cmocka_run_group_tests_name("auth/principal", tests, NULL, NULL);
}
