/*
 * A provider of the test's own around auth/oauth.c: its pages, an opened
 * authenticator and a sink that remembers. Beside oauth_fixture.c.
 */
#include "oauth_fixture.c"

#include "auth/oauth.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/url.h"

#define ISSUER "https://id.example.org"
#define META   ISSUER "/.well-known/openid-configuration"
#define NOW    1700000000

static struct {
	int n_done, n_redirects;
	uint64_t id;
	enum auth_result res;
	char url[4096], text[400], name[300], subject[300], source[300];
	char next[300];
	char groups[32768]; /* "a,b" */
	bool is_closed;     /* a call now is a failure */
} told;

static char logged[16384];
static struct arena arena;
static struct loop *loop;
static struct authenticator *au;

static struct auth_trip the_trip = {
	.state = "STATE",
	.nonce = "NONCE",
	.verifier = "VERIFIER",
};

static void on_redirect(uint64_t attempt, const char *url, void *arg)
{
	assert_ptr_equal(arg, &told);
	assert_false(told.is_closed);
	told.id = attempt;
	told.n_redirects++;
	snprintf(told.url, sizeof told.url, "%s", url);
}

static void on_done(uint64_t attempt, enum auth_result res,
    const struct auth_identity *identity, const char *text, void *arg)
{
	size_t len = 0;

	assert_ptr_equal(arg, &told);
	assert_false(told.is_closed);
	assert_true((res == AUTH_RES_OK) == (identity != NULL));
	told.id = attempt;
	told.n_done++;
	told.res = res;
	snprintf(told.text, sizeof told.text, "%s", text);
	told.name[0] = told.groups[0] = told.subject[0] = '\0';
	if (!identity)
		return;
	snprintf(told.name, sizeof told.name, "%s", identity->name);
	snprintf(told.source, sizeof told.source, "%s", identity->source);
	snprintf(told.subject, sizeof told.subject, "%s",
	    identity->subject ? identity->subject : "");
	snprintf(told.next, sizeof told.next, "%s",
	    identity->next ? identity->next : "");
	for (size_t i = 0; i < identity->n_groups; i++)
		len += (size_t)snprintf(told.groups + len,
		    sizeof told.groups - len, "%s%s", i > 0 ? "," : "",
		    identity->groups[i]);
}

static const struct auth_sink the_sink = {
	.done = on_done,
	.arg = &told,
};

static void keep_line(const char *line, void *arg)
{
	size_t len = strlen(logged);

	(void)arg;
	snprintf(logged + len, sizeof logged - len, "%s\n", line);
}

static inline struct authenticator *open_provider(
    const char *yaml, struct err *err)
{
	struct conf_node *options;

	test_ok(conf_parse(
		    &arena, yaml, strlen(yaml), "carrel.yaml", &options, err),
	    err);
	const struct auth_env env = {
		.loop = loop,
		.sink = &the_sink,
		.redirect = on_redirect,
		.options = options,
		.file = "carrel.yaml",
		.public_address = true,
		.fetcher = &the_fetcher,
		.callback_url = "https://hub.example.org/hub/oauth_callback",
	};
	return authenticator_oauth.open(&env, err);
}

/* Beyond the four lines that every provider has. */
static inline void open_with(const char *kind, const char *more)
{
	struct err err = { 0 };

	au = open_provider(arena_printf(&arena,
			       "name: campus\nkind: %s\nclient_id: hub\n"
			       "client_secret: s3cret\n%s",
			       kind, more),
	    &err);
	if (!au)
		fail_msg("%s", err.text);
}

#define OIDC_LINES "issuer: " ISSUER "\n"

static inline json_t *meta_page(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s,s]}", "issuer", ISSUER,
	    "authorization_endpoint", ISSUER "/auth", "token_endpoint",
	    ISSUER "/token", "userinfo_endpoint", ISSUER "/me", "jwks_uri",
	    ISSUER "/jwks", "id_token_signing_alg_values_supported", "RS256",
	    "HS256");
}

static inline json_t *id_claims(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "iss", ISSUER, "sub",
	    "u1", "aud", "hub", "nonce", "NONCE", "iat", NOW, "exp", NOW + 300);
}

static inline void put_tokens(char *id_token)
{
	web_put(ISSUER "/token", 200,
	    json_pack("{s:s, s:s, s:s}", "access_token", "at-1", "token_type",
		"Bearer", "id_token", id_token));
	free(id_token);
}

/* The claims are taken. */
static inline void put_id_token(json_t *claims)
{
	put_tokens(token_of(rsa_one, "RS256", "k1", claims));
}

/* A whole issuer at which alice of staff logs in. */
static inline void put_issuer(void)
{
	web_put(META, 200, meta_page());
	web_put(ISSUER "/jwks", 200, jwks_of(rsa_one, "k1"));
	web_put(ISSUER "/me", 200,
	    json_pack("{s:s, s:s, s:[s]}", "sub", "u1", "preferred_username",
		"alice", "groups", "staff"));
	put_id_token(id_claims());
}

static inline void settle(void)
{
	for (int i = 0; i < 6; i++) {
		loop_turn(loop, 0);
		web_answer();
	}
}

static inline void go_out(void)
{
	told.is_closed = true;
	au->kind->redirect(au, 7, &the_trip);
	told.is_closed = false;
	settle();
}

/* "code=..." as it came back, of the attempt `id`; its text does not last. */
static inline void come_back_as(uint64_t id, const char *query)
{
	char *text = xstrdup(query);
	struct url_pairs pairs;
	struct err err = { 0 };
	struct arena a;

	arena_init(&a);
	test_ok(url_parse_pairs(&a, slice_of(text), 20, &pairs, &err), &err);
	told.is_closed = true;
	au->kind->callback(au, id, &the_trip, &pairs);
	told.is_closed = false;
	arena_fini(&a);
	free(text);
}

static inline void come_back(const char *query)
{
	come_back_as(8, query);
	settle();
}

static inline void let_in(const char *name, const char *groups)
{
	if (told.n_done != 1 || told.res != AUTH_RES_OK)
		fail_msg(
		    "not let in (%d): %s\n%s", told.n_done, told.text, logged);
	assert_int_equal(told.id, 8);
	assert_string_equal(told.name, name);
	assert_string_equal(told.groups, groups);
}

static inline void kept_out(enum auth_result res, const char *why)
{
	if (told.n_done != 1 || told.res != res || !strstr(logged, why))
		fail_msg("wanted %d \"%s\", saw %d times %d as %s: %s\n%s",
		    (int)res, why, told.n_done, (int)told.res, told.name,
		    told.text, logged);
	assert_true(strlen(told.text) > 0);
}

static inline int provider_up(void **state)
{
	(void)state;
	memset(&told, 0, sizeof told);
	logged[0] = '\0';
	log_set_sink(keep_line, NULL);
	clock_sim_start((int64_t)NOW * 1000000);
	arena_init(&arena);
	loop = loop_new();
	web_begin();
	return 0;
}

/* Nothing secret was logged, whatever happened. */
static inline int provider_down(void **state)
{
	static const char *const secrets[] = { "s3cret", "at-1", "at-groups",
		"VERIFIER", "c0de" };

	(void)state;
	for (size_t i = 0; i < N_OF(secrets); i++)
		assert_null(strstr(logged, secrets[i]));
	if (au)
		au->kind->close(&au);
	assert_null(au);
	assert_true(list_empty(&web.waiting));
	web_end();
	loop_free(&loop);
	arena_fini(&arena);
	clock_set_source(NULL);
	log_set_sink(NULL, NULL);
	return 0;
}

#define PROVIDER_TEST(fn)                                                      \
	cmocka_unit_test_setup_teardown(fn, provider_up, provider_down)
