/*
 * The client's side of the OAuth provider: a code becomes a token, once
 * (contract/hub.md 3.4, RFC 6749 4.1.3, 5.2).
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/token.h"
#include "hub/handlers.h"
#include "hub/oauth.h"
#include "hub/openid.h"

static void refuse(
    struct req *r, int status, const char *error, const char *description)
{
	http_set(r->http, "Pragma", "no-cache");
	reply_json(r, status,
	    json_pack("{s:s, s:s}", "error", error, "error_description",
		description));
}

/* ---- the request -------------------------------------------------- */

struct exchange {
	const char *code, *client_id, *secret, *redirect_uri, *verifier;
};

static bool has_twice(const struct req *r)
{
	static const char *const names[] = { "grant_type", "code",
		"redirect_uri", "client_id", "client_secret", "code_verifier" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (url_pair_count(&r->form, names[i]) > 1)
			return true;
	return false;
}

/* One half of the pair, form-encoded as RFC 6749 2.3.1 wants it. */
static const char *form_decoded(struct arena *a, struct slice s)
{
	char *text = arena_strndup(a, s.p, s.len);
	const char *out;
	struct err err;

	for (char *p = text; *p; p++)
		if (*p == '+')
			*p = ' ';
	return url_decode(a, slice_of(text), &out, &err) == 0 ? out : NULL;
}

/* base64 with its padding, as base64url without. */
static int decode_basic(struct arena *a, struct slice s, struct slice *out)
{
	char *text = arena_strndup(a, s.p, s.len);
	unsigned char *raw = arena_alloc(a, s.len + 1);
	size_t n;

	while (s.len > 0 && text[s.len - 1] == '=')
		text[--s.len] = '\0';
	for (char *p = text; *p; p++)
		*p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
	if (b64url_decode(slice_of(text), raw, s.len + 1, &n) != 0)
		return -1;
	*out = slice_make((const char *)raw, n);
	return 0;
}

/* client_secret_basic; other ways to authorize are not the client's. 0 when
 * there is nothing of the kind, or it was taken; -1: it is broken. */
static int read_basic(struct req *r, struct exchange *x)
{
	const char *header = http_header(r->http, "Authorization");
	struct slice rest = slice_of(header ? header : ""), word, pair, id;

	if (!slice_split(&rest, ' ', &word) || !slice_ieq(word, "basic"))
		return 0;
	if (x->secret ||
	    decode_basic(&r->http->arena, slice_trim(rest), &pair) != 0 ||
	    !slice_split(&pair, ':', &id))
		return -1;
	const char *name = form_decoded(&r->http->arena, id);
	if (x->client_id && !str_eq(x->client_id, name))
		return -1;
	x->client_id = name;
	x->secret = form_decoded(&r->http->arena, pair);
	return 0;
}

/* -1: answered. */
static int read_exchange(struct req *r, struct exchange *x)
{
	const char *grant = url_pair_get(&r->form, "grant_type");

	*x = (struct exchange){
		.code = url_pair_get(&r->form, "code"),
		.client_id = url_pair_get(&r->form, "client_id"),
		.secret = url_pair_get(&r->form, "client_secret"),
		.redirect_uri = url_pair_get(&r->form, "redirect_uri"),
		.verifier = url_pair_get(&r->form, "code_verifier"),
	};
	if (r->query.n > 0)
		refuse(r, 400, "invalid_request",
		    "parameters belong into the body, not into the address");
	else if (has_twice(r))
		refuse(r, 400, "invalid_request", "a parameter came twice");
	else if (!grant || strcmp(grant, "authorization_code") != 0)
		refuse(r, 400, "unsupported_grant_type",
		    "grant_type must be authorization_code");
	else if (read_basic(r, x) != 0)
		refuse(r, 400, "invalid_request",
		    "the Authorization header is malformed, or the body names "
		    "another client or a secret too");
	else
		return 0;
	return -1;
}

static int check_client(struct req *r, const struct exchange *x)
{
	struct err err = { 0 };
	int ok = x->client_id && x->secret ? oauth_client_check(r->app->db,
						 x->client_id, x->secret, &err)
					   : 0;

	if (ok == 1)
		return 0;
	if (ok < 0) {
		reply_err(r, &err);
		return -1;
	}
	http_set(r->http, "WWW-Authenticate",
	    http_header(r->http, "Authorization")
		? "Basic realm=\"oauth2\""
		: "Bearer error=\"invalid_client\"");
	refuse(r, 401, "invalid_client", "unknown client or wrong secret");
	return -1;
}

/* Somebody had the code before or has it now who should not: what came of it
 * ends (RFC 6749 4.1.2). */
static void refuse_again(struct req *r, const struct oauth_code *c)
{
	struct err err = { 0 };

	if (token_delete(r->app->db, c->token_id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_warn(NULL, "an OAuth code came a second time: its token is revoked",
	    "client=%s token=a%lld", c->client_id, (long long)c->token_id);
	refuse(r, 400, "invalid_grant", "the code is unknown, used or expired");
}

/* A failed proof leaves the code valid: it may be an attacker's try. */
static int check_code(
    struct req *r, const struct exchange *x, struct oauth_code *c)
{
	struct err err = { 0 };

	if (!x->code) {
		refuse(r, 400, "invalid_request", "code is missing");
		return -1;
	}
	int found = oauth_code_find(
	    r->app->db, &r->http->arena, x->code, clock_wall_us(), c, &err);
	if (found < 0)
		reply_err(r, &err);
	else if (!found || strcmp(c->client_id, x->client_id) != 0)
		refuse(r, 400, "invalid_grant",
		    "the code is unknown, used or expired");
	else if (c->token_id)
		refuse_again(r, c);
	else if (x->redirect_uri &&
		 strcmp(x->redirect_uri, c->redirect_uri) != 0)
		refuse(r, 400, "invalid_request",
		    "redirect_uri is not that of the authorization");
	else if (c->challenge && !x->verifier)
		refuse(r, 400, "invalid_request", "code_verifier is missing");
	else if (c->challenge &&
		 !oauth_pkce_ok(c->challenge, c->challenge_method, x->verifier))
		refuse(r, 400, "invalid_grant",
		    "code_verifier does not belong to the code_challenge");
	else
		return 0;
	return -1;
}

/* ---- the token ---------------------------------------------------- */

/* The code is gone and the token is there, or neither. 1/0/-1 */
static int change(struct req *r, const struct exchange *x,
    const struct oauth_code *c, char token[TOKEN_LEN + 1], struct err *err)
{
	struct db *db = r->app->db;
	int64_t id, now = clock_wall_us();
	const struct token t = {
		.user_id = c->user_id,
		.client_id = c->client_id,
		.session_id = c->session_id,
		.note = "",
		.scopes = c->scopes,
		.created_us = now,
		.expires_us = now + r->app->cfg.oauth_token_max_age_s * 1000000,
	};

	if (db_begin(db, err) != 0)
		return -1;
	int used = -1;
	if (token_create(db, &t, token, &id, err) == 0)
		used = oauth_code_use(db, x->code, id, err);
	if (used == 1 && db_commit(db, err) == 0)
		return 1;
	db_rollback(db);
	return used == 0 ? 0 : -1;
}

static const char *words_of(struct req *r, const char *json)
{
	const char *words = "";
	json_t *list, *item;
	size_t i;
	struct err err;

	if (json_parse(json, strlen(json), &list, &err) != 0)
		return words;
	json_array_foreach (list, i, item) {
		words = arena_printf(&r->http->arena, "%s%s%s", words,
		    i ? " " : "", openid_word_of(json_string_value(item)));
	}
	json_decref(list);
	return words;
}

static void send_token(struct req *r, const struct oauth_code *c,
    const char *token, const char *id_token)
{
	http_set(r->http, "Pragma", "no-cache");
	reply_json(r, 200,
	    json_pack("{s:s, s:I, s:s, s:s, s:s*}", "access_token", token,
		"expires_in", (json_int_t)r->app->cfg.oauth_token_max_age_s,
		"token_type", "Bearer", "scope", words_of(r, c->scopes),
		"id_token", id_token));
}

/* NULL where OpenID was not asked for. */
static int make_id_token(struct req *r, const struct oauth_code *c,
    const char *token, const char **out, struct err *err)
{
	struct openid_wish w;

	*out = NULL;
	openid_wish_read(c->scopes, &w);
	if (!w.asked || !r->app->openid)
		return 0;
	return openid_id_token(r, c, token, out, err);
}

void oauth_token(struct req *r)
{
	struct exchange x;
	struct oauth_code c;
	char token[TOKEN_LEN + 1];
	const char *id_token = NULL;
	struct err err = { 0 };

	if (read_exchange(r, &x) != 0 || check_client(r, &x) != 0 ||
	    check_code(r, &x, &c) != 0)
		return;
	int done = change(r, &x, &c, token, &err);
	if (done == 1 && make_id_token(r, &c, token, &id_token, &err) != 0)
		done = -1;
	if (done < 0)
		reply_err(r, &err);
	else if (done == 0)
		refuse(r, 400, "invalid_grant",
		    "the code is unknown, used or expired");
	else
		send_token(r, &c, token, id_token);
}
