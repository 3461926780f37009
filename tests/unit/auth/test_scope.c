/* Tests of auth/scope.c and auth/scope_check.c. */
#include "test_util.h"

#include "auth/scope.h"
#include "base/str.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* Raw scopes separated by blanks. */
static struct scope_set raw(const char *words)
{
	struct err err = { 0 };
	struct scope_set s;

	scope_set_init(&s, &arena);
	test_ok(scope_set_add_words(&s, words, &err), &err);
	return s;
}

static struct scope_set expand(
    const char *words, const struct scope_context *ctx)
{
	struct scope_set in = raw(words), out;
	struct err err = { 0 };

	scope_set_init(&out, &arena);
	test_ok(scope_expand(&in, ctx, &out, &err), &err);
	return out;
}

static const struct scope_context alice = { .user = "alice" };
static const struct scope_context nobody = { 0 };

static void assert_words(const struct scope_set *s, const char *want)
{
	assert_string_equal(scope_set_words(s, &arena), want);
}

/* alice and bob are in "class", carol is in none. */
static bool in_class(const char *user, const char *group, void *arg)
{
	int *asked = arg;

	if (asked != NULL)
		(*asked)++;
	return strcmp(group, "class") == 0 &&
	       (strcmp(user, "alice") == 0 || strcmp(user, "bob") == 0);
}

/* ---- parsing ---- */

static void test_texts_that_are_scopes(void **state)
{
	const char *const good[] = { "self", "inherit", "users", "admin:users",
		"read:users:name", "read:users!user=alice", "users!user",
		"servers!server=alice/", "servers!server=alice/lab",
		"servers!server", "groups!group=class",
		"access:services!service=x", "access:services!service",
		"read:users!user=a b", "read:users!user=a!b=c",
		"users!user=J\xc3\xbcrgen", "(no_scope)" };

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		struct err err = { 0 };
		struct scope s;

		test_ok(scope_parse(&arena, good[i], &s, &err), &err);
		assert_string_equal(scope_text(&arena, &s), good[i]);
	}
}

static void test_texts_that_are_none(void **state)
{
	static char longer[300];
	const char *const bad[] = { "", "!", "user", "Users", "users ",
		" users", "users!", "users!user=", "users!users=alice",
		"users!=alice", "users!group", "users!server=alice",
		"users!server=/lab", "self!user=alice", "inherit!user=alice",
		"users!user=a\nb", "users!user=\xff", "users!user=a\x7f",
		"custom:thing", "read:users:", longer };

	(void)state;
	memset(longer, 'a', sizeof longer - 1);
	memcpy(longer, "users!user=", 11);
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct err err = { 0 };
		struct scope s;

		if (scope_parse(&arena, bad[i], &s, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, ERR_INVALID);
		assert_true(strlen(err.text) < 200);
	}
}

static void test_the_longest_scope_fits(void **state)
{
	char text[SCOPE_LEN_MAX + 2];
	struct err err = { 0 };
	struct scope s;

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text, "users!user=", 11);
	text[SCOPE_LEN_MAX] = 0;
	test_ok(scope_parse(&arena, text, &s, &err), &err);
	text[SCOPE_LEN_MAX] = 'a';
	text[SCOPE_LEN_MAX + 1] = 0;
	assert_int_equal(scope_parse(&arena, text, &s, &err), -1);
}

static void test_json_lists(void **state)
{
	const char *const bad[] = { "{}", "\"users\"", "[1]", "[[]]",
		"[\"users\",null]", "[\"none\"]", "[", "[\"us\\u0000ers\"]" };
	struct err err = { 0 };
	struct scope_set s;

	(void)state;
	scope_set_init(&s, &arena);
	test_ok(
	    scope_set_add_json_text(&s, "[\"users\",\"self\",\"users\"]", &err),
	    &err);
	assert_words(&s, "self users");
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_int_equal(scope_set_add_json_text(&s, bad[i], &err), -1);
}

static void test_stored_scopes_that_are_unknown_are_left_out(void **state)
{
	struct err err = { 0 };
	struct scope_set s;

	(void)state;
	scope_set_init(&s, &arena);
	test_ok(scope_set_add_stored(
		    &s, "[\"users\",\"custom:gone\",\"self\"]", &err),
	    &err);
	assert_words(&s, "self users");
	assert_int_equal(scope_set_add_stored(&s, "[", &err), -1);
}

static void test_a_set_is_bounded(void **state)
{
	struct err err = { 0 };
	struct scope_set s;
	int rc = 0;

	(void)state;
	scope_set_init(&s, &arena);
	for (int i = 0; i <= SCOPE_SET_MAX; i++)
		rc = scope_set_add(
		    &s, arena_printf(&arena, "users!user=u%d", i), &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(s.n, SCOPE_SET_MAX);
}

/* ---- expansion ---- */

/* contract/hub.md 7.1, each recursive expansion written out. */
static void test_expansion(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "admin-ui", "admin-ui" },
		{ "users", "list:users read:users read:users:activity"
			   " read:users:groups read:users:name users"
			   " users:activity" },
		{ "admin:users",
		    "admin:auth_state admin:users delete:users list:users"
		    " read:roles:users read:users read:users:activity"
		    " read:users:groups read:users:name users"
		    " users:activity" },
		{ "list:users", "list:users read:users:name" },
		{ "users:activity", "read:users:activity users:activity" },
		{ "read:roles", "read:roles read:roles:groups"
				" read:roles:services read:roles:users" },
		{ "admin:servers",
		    "admin:server_state admin:servers delete:servers"
		    " read:servers read:users:name servers start:servers" },
		{ "servers", "delete:servers read:servers read:users:name"
			     " servers start:servers" },
		{ "tokens", "read:tokens tokens" },
		{ "admin:groups",
		    "admin:groups delete:groups groups list:groups read:groups"
		    " read:groups:name read:roles:groups" },
		{ "admin:services",
		    "admin:services list:services read:roles:services"
		    " read:services read:services:name" },
		{ "shares", "access:servers groups:shares read:groups:shares"
			    " read:shares read:users:shares shares"
			    " users:shares" },
		{ "read:hub proxy shutdown read:metrics",
		    "proxy read:hub read:metrics shutdown" },
		/* The filter goes along. */
		{ "tokens!user=bob", "read:tokens!user=bob tokens!user=bob" },
		{ "groups!group=g",
		    "groups!group=g list:groups!group=g read:groups!group=g"
		    " read:groups:name!group=g" },
		/* A server's scope does not tell about the person. */
		{ "servers!server=bob/lab",
		    "delete:servers!server=bob/lab"
		    " read:servers!server=bob/lab servers!server=bob/lab"
		    " start:servers!server=bob/lab" },
		{ "read:users!server=bob/lab read:users:name!server=bob/lab",
		    "" },
		/* What has no filter absorbs what has one, in any order. */
		{ "tokens!user=bob tokens", "read:tokens tokens" },
		{ "tokens tokens!user=bob", "read:tokens tokens" },
		{ "(no_scope) inherit", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct scope_set s = expand(rows[i].from, &nobody);

		assert_words(&s, rows[i].to);
	}
}

static void test_self_forms_mean_the_owner(void **state)
{
	const struct scope_context ctx = {
		.user = "alice", .server = "alice/lab", .service = "svc"
	};
	struct scope_set s = expand(
	    "tokens!user access:servers!server access:services!service", &ctx);

	(void)state;
	assert_words(&s,
	    "access:servers!server=alice/lab access:services!service=svc"
	    " read:tokens!user=alice tokens!user=alice");
	s = expand("tokens!user access:servers!server access:services!service",
	    &nobody);
	assert_words(&s, "");
}

/* The list observed with the reference, contract/hub.md 7.3. */
static void test_self_is_what_a_plain_user_has(void **state)
{
	struct scope_set s;
	struct err err = { 0 };

	(void)state;
	scope_set_init(&s, &arena);
	test_ok(scope_effective_user("u", false, &s, &err), &err);
	assert_words(&s,
	    "access:servers!user=u delete:servers!user=u"
	    " read:servers!user=u read:shares!user=u read:tokens!user=u"
	    " read:users!user=u read:users:activity!user=u"
	    " read:users:groups!user=u read:users:name!user=u"
	    " read:users:shares!user=u servers!user=u start:servers!user=u"
	    " tokens!user=u users:activity!user=u users:shares!user=u");
	s = expand("self", &nobody);
	assert_words(&s, "");
}

static void test_an_admin_has_every_scope_unfiltered(void **state)
{
	struct scope_set s;
	struct err err = { 0 };

	(void)state;
	scope_set_init(&s, &arena);
	test_ok(scope_effective_user("root", true, &s, &err), &err);
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(s.items[i].filter, FILTER_NONE);
	/* All but the metascopes and what only displays. */
	assert_int_equal(s.n, SCOPE_N_IDS - 3);
}

/* ---- two sets ---- */

static void test_intersection(void **state)
{
	static const struct {
		const char *a, *b, *both;
	} rows[] = {
		{ "tokens", "tokens", "tokens" },
		{ "tokens", "proxy", "" },
		{ "tokens", "tokens!user=bob", "tokens!user=bob" },
		{ "tokens!user=bob", "tokens!user=bob", "tokens!user=bob" },
		{ "tokens!user=bob", "tokens!user=eve", "" },
		{ "tokens!user=bob", "tokens!server=bob/x",
		    "tokens!server=bob/x" },
		{ "tokens!user=bob", "tokens!server=bobby/x", "" },
		{ "tokens!user=bob", "tokens!server=eve/bob", "" },
		{ "tokens!group=class", "tokens!user=alice",
		    "tokens!user=alice" },
		{ "tokens!group=class", "tokens!user=carol", "" },
		{ "tokens!group=class", "tokens!server=bob/",
		    "tokens!server=bob/" },
		{ "tokens!group=class", "tokens!server=carol/", "" },
		{ "tokens!group=class", "tokens!group=class",
		    "tokens!group=class" },
		{ "tokens!group=class", "tokens!group=other", "" },
		{ "tokens!service=s", "tokens!service=s", "tokens!service=s" },
		{ "tokens!service=s", "tokens!user=s", "" },
		{ "tokens!group=class", "tokens!service=alice", "" },
		{ "tokens!user=a tokens!user=b", "tokens!user=b tokens!user=c",
		    "tokens!user=b" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct scope_set a = raw(rows[i].a), b = raw(rows[i].b);
		struct err err = { 0 };
		struct scope_set out;

		scope_set_init(&out, &arena);
		test_ok(
		    scope_intersect(&a, &b, in_class, NULL, &out, &err), &err);
		assert_words(&out, rows[i].both);
		scope_set_init(&out, &arena);
		test_ok(
		    scope_intersect(&b, &a, in_class, NULL, &out, &err), &err);
		assert_words(&out, rows[i].both);
	}
}

static void test_coverage_names_what_is_missing(void **state)
{
	struct scope_set outer =
	    raw("tokens proxy!user=bob servers!group=class");
	struct scope_set inside =
	    raw("tokens!user=eve proxy!server=bob/x servers!user=alice");
	struct scope_set beyond = raw("tokens!user=eve servers!user=carol");
	struct scope_set wider = raw("proxy");
	const char *missing = NULL;

	(void)state;
	assert_true(scope_covers(&outer, &inside, in_class, NULL, &missing));
	assert_false(scope_covers(&outer, &beyond, in_class, NULL, &missing));
	assert_string_equal(missing, "servers!user=carol");
	assert_false(scope_covers(&outer, &wider, in_class, NULL, NULL));
	assert_false(scope_covers(&outer, &inside, NULL, NULL, NULL));
}

/* ---- tokens ---- */

static struct scope_set token(const char *words, bool admin)
{
	struct scope_set in = raw(words), owner, out;
	struct scope_context ctx = alice;
	struct err err = { 0 };

	scope_set_init(&owner, &arena);
	scope_set_init(&out, &arena);
	test_ok(scope_effective_user("alice", admin, &owner, &err), &err);
	test_ok(scope_effective_token(
		    &in, &ctx, &owner, in_class, NULL, &out, &err),
	    &err);
	return out;
}

static void test_a_token_that_inherits_is_its_owner(void **state)
{
	struct scope_set owner, t = token("inherit", false);
	struct err err = { 0 };

	(void)state;
	scope_set_init(&owner, &arena);
	test_ok(scope_effective_user("alice", false, &owner, &err), &err);
	assert_words(&t, scope_set_words(&owner, &arena));
}

static void test_a_token_is_cut_by_its_owner(void **state)
{
	struct scope_set t = token("admin:users proxy tokens", false);

	(void)state;
	assert_words(&t,
	    "read:tokens!user=alice read:users!user=alice"
	    " read:users:activity!user=alice read:users:groups!user=alice"
	    " read:users:name!user=alice tokens!user=alice"
	    " users:activity!user=alice");
	t = token("proxy", true);
	assert_words(&t, "proxy read:users:groups!user=alice"
			 " read:users:name!user=alice");
}

static void test_a_clients_token_may_be_used_at_the_client(void **state)
{
	const struct scope_context ctx = { .user = "alice",
		.server = "alice/" };
	struct scope_set in = raw(""), owner, out;
	struct err err = { 0 };

	(void)state;
	scope_set_init(&owner, &arena);
	scope_set_init(&out, &arena);
	test_ok(scope_effective_user("alice", false, &owner, &err), &err);
	test_ok(scope_effective_token(
		    &in, &ctx, &owner, in_class, NULL, &out, &err),
	    &err);
	assert_words(&out,
	    "access:servers!server=alice/ read:users:groups!user=alice"
	    " read:users:name!user=alice");
}

/* ---- the check ---- */

static void test_the_check(void **state)
{
	static const struct {
		const char *held;
		struct scope_resource res;
		enum scope_verdict want;
	} rows[] = {
		{ "", { .user = "bob" }, SCOPE_DENIED },
		{ "proxy", { .user = "bob" }, SCOPE_DENIED },
		{ "servers", { 0 }, SCOPE_GRANTED },
		{ "servers", { .user = "bob", .server = "" }, SCOPE_GRANTED },
		{ "servers!user=bob", { .user = "bob", .server = "x" },
		    SCOPE_GRANTED },
		{ "servers!user=bob", { .user = "bobby" }, SCOPE_OTHER },
		{ "servers!user=bob", { .user = "eve", .server = "bob" },
		    SCOPE_OTHER },
		/* Nothing is addressed: a filtered scope is none. */
		{ "servers!user=bob", { 0 }, SCOPE_DENIED },
		{ "servers!server=bob/", { .user = "bob", .server = "" },
		    SCOPE_GRANTED },
		{ "servers!server=bob/", { .user = "bob", .server = "x" },
		    SCOPE_OTHER },
		{ "servers!server=bob/x", { .user = "bob", .server = "x" },
		    SCOPE_GRANTED },
		{ "servers!server=bob/x", { .user = "bob" }, SCOPE_OTHER },
		{ "servers!server=bob/x", { .user = "bob", .server = "xy" },
		    SCOPE_OTHER },
		{ "servers!server=bobby/x", { .user = "bob", .server = "x" },
		    SCOPE_OTHER },
		{ "servers!server=bob/x", { .user = "bo", .server = "/x" },
		    SCOPE_OTHER },
		{ "servers!group=class", { .user = "alice", .server = "x" },
		    SCOPE_GRANTED },
		{ "servers!group=class", { .user = "carol" }, SCOPE_OTHER },
		{ "servers!group=class", { .group = "class" }, SCOPE_GRANTED },
		{ "servers!group=class", { .group = "other" }, SCOPE_OTHER },
		{ "servers!service=s", { .service = "s" }, SCOPE_GRANTED },
		{ "servers!service=s", { .service = "t" }, SCOPE_OTHER },
		{ "servers!service=s", { .user = "s" }, SCOPE_OTHER },
		{ "servers!user=a servers!user=b", { .user = "b" },
		    SCOPE_GRANTED },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct scope_set s = raw(rows[i].held);

		if (scope_check(&s, SCOPE_SERVERS, &rows[i].res, in_class,
			NULL) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].held);
	}
}

static void test_membership_is_asked_for_group_filters_only(void **state)
{
	const struct scope_resource res = { .user = "alice" };
	struct scope_set s = raw("servers!user=alice proxy!group=class");
	int asked = 0;

	(void)state;
	assert_int_equal(scope_check(&s, SCOPE_SERVERS, &res, in_class, &asked),
	    SCOPE_GRANTED);
	assert_int_equal(asked, 0);
	assert_int_equal(scope_check(&s, SCOPE_PROXY, &res, in_class, &asked),
	    SCOPE_GRANTED);
	assert_int_equal(asked, 1);
	assert_int_equal(
	    scope_check(&s, SCOPE_PROXY, &res, NULL, NULL), SCOPE_OTHER);
}

static void test_roles_and_texts(void **state)
{
	struct scope_set s;
	struct err err = { 0 };
	json_t *list;

	(void)state;
	scope_set_init(&s, &arena);
	test_ok(scope_set_add_role(&s, ROLE_SERVER, &err), &err);
	list = scope_set_json(&s);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_array_get(list, 0)),
	    "access:servers!server");
	assert_string_equal(
	    json_string_value(json_array_get(list, 1)), "users:activity!user");
	json_decref(list);
	assert_string_equal(role_name(ROLE_ADMIN), "admin");
	for (size_t i = 0; i < SCOPE_N_IDS; i++)
		assert_true(strlen(scope_doc((enum scope_id)i)) > 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_texts_that_are_scopes),
		TEST(test_texts_that_are_none),
		TEST(test_the_longest_scope_fits),
		TEST(test_json_lists),
		TEST(test_stored_scopes_that_are_unknown_are_left_out),
		TEST(test_a_set_is_bounded),
		TEST(test_expansion),
		TEST(test_self_forms_mean_the_owner),
		TEST(test_self_is_what_a_plain_user_has),
		TEST(test_an_admin_has_every_scope_unfiltered),
		TEST(test_intersection),
		TEST(test_coverage_names_what_is_missing),
		TEST(test_a_token_that_inherits_is_its_owner),
		TEST(test_a_token_is_cut_by_its_owner),
		TEST(test_a_clients_token_may_be_used_at_the_client),
		TEST(test_the_check),
		TEST(test_membership_is_asked_for_group_filters_only),
		TEST(test_roles_and_texts),
	};

	return cmocka_run_group_tests_name("auth/scope", tests, NULL, NULL);
}
