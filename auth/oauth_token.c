/*
 * Tokens for a code, or for a refresh token (RFC 6749 4.1.3, 6): the question
 * to the token endpoint and its answer.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/oauth_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

#define FORM_MAX  16384
#define TOKEN_MAX 16384
#define SHOWN_MAX 64

/* ---- the token ----------------------------------------------------------- */

static bool is_granted(const char *granted, const char *scope)
{
	struct slice rest = slice_of(granted), word;

	/* GitHub puts commas between them. */
	while (rest.len > 0) {
		size_t n = 0;

		while (n < rest.len && rest.p[n] != ' ' && rest.p[n] != ',')
			n++;
		word = slice_make(rest.p, n);
		if (slice_eq(word, scope))
			return true;
		n += n < rest.len;
		rest = slice_make(rest.p + n, rest.len - n);
	}
	return false;
}

/* An answer without `scope` grants what was asked for (RFC 6749 5.1). */
static bool has_scopes(const struct oauth_attempt *at, const json_t *answer)
{
	const struct oauth_options *opt = &at->owner->opt;
	const json_t *scope = json_object_get(answer, "scope");

	for (size_t i = 0; i < opt->allowed_scopes.n; i++) {
		const char *wanted = opt->allowed_scopes.items[i];
		bool asked = false;

		for (size_t j = 0; j < opt->scope.n; j++)
			asked |= str_eq(opt->scope.items[j], wanted);
		if (scope ? !json_is_string(scope) ||
				!is_granted(json_string_value(scope), wanted)
			  : !asked)
			return false;
	}
	return true;
}

static int take_token(struct oauth_attempt *at, const json_t *answer,
    const char *key, const char **out, struct err *err)
{
	const char *text = NULL;
	int found = json_get_str(answer, key, TOKEN_MAX, &text, err);

	if (found < 0)
		return -1;
	if (!found || !*text || str_has_control(text, strlen(text)))
		return err_set(err, ERR_PROTOCOL, "there is no \"%s\"", key);
	*out = arena_strdup(&at->arena, text);
	return 0;
}

/* Absent ones leave *out as it is. */
static int take_optional(struct oauth_attempt *at, const json_t *answer,
    const char *key, const char **out, struct err *err)
{
	const json_t *value = json_object_get(answer, key);

	if (!value || json_is_null(value))
		return 0;
	return take_token(at, answer, key, out, err);
}

/*
 * Globus answers with a token for each resource server that a scope is of:
 * "other_tokens": [{"resource_server", "access_token", ...}]. Only those that a
 * row shows are kept.
 */
static int take_others(
    struct oauth_attempt *at, const json_t *answer, struct err *err)
{
	const json_t *list = json_object_get(answer, "other_tokens");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *server =
		    json_string_value(json_object_get(item, "resource_server"));
		const char *token = NULL;

		if (!server || !oauth_shows_to(at, server))
			continue;
		if (take_token(at, item, "access_token", &token, err) != 0)
			return -1;
		if (!at->other_tokens)
			at->other_tokens = json_object();
		json_object_set_new(at->other_tokens, server,
		    json_pack("{s:s}", "access_token", token));
	}
	return 0;
}

static int read_tokens(
    struct oauth_attempt *at, const json_t *answer, struct err *err)
{
	const char *type =
	    json_string_value(json_object_get(answer, "token_type"));

	if (type && strcasecmp(type, "bearer") != 0)
		return err_set(
		    err, ERR_PROTOCOL, "the token is no bearer token");
	if (take_token(at, answer, "access_token", &at->access_token, err) !=
		0 ||
	    take_optional(
		at, answer, "refresh_token", &at->refresh_token, err) != 0 ||
	    take_others(at, answer, err) != 0)
		return -1;
	if (!oauth_is_oidc(at))
		return 0;
	/* A refresh need not bring one (OpenID Connect Core 12.2). */
	if (at->is_refresh)
		return take_optional(
		    at, answer, "id_token", &at->id_token, err);
	return take_token(at, answer, "id_token", &at->id_token, err);
}

/* "invalid_grant": the words of RFC 6749 5.2, not free text. */
const char *oauth_error_word(struct oauth_attempt *at, const char *word)
{
	char shown[SHOWN_MAX];

	str_printable(
	    shown, sizeof shown, word ? word : "", word ? strlen(word) : 0);
	return arena_strdup(&at->arena, shown);
}

static const char *error_of(
    struct oauth_attempt *at, const struct fetch_result *res)
{
	const char *word = NULL;
	json_t *body = NULL;

	if (json_parse(res->body.p, res->body.len, &body, NULL) == 0)
		word = json_string_value(json_object_get(body, "error"));
	word = word ? oauth_error_word(at, word) : NULL;
	json_decref(body);
	return word;
}

/* A code that was used, is too old or somebody else's: start again. */
static bool is_stale_code(
    struct oauth_attempt *at, const struct fetch_result *res)
{
	const char *word = error_of(at, res);

	if (!word || (!str_eq(word, "invalid_grant") &&
			 !str_eq(word, "bad_verification_code") &&
			 !str_eq(word, "bad_refresh_token")))
		return false;
	at->fetch = 0;
	oauth_refuse(at,
	    "This login was used already, or it took too long. Please start "
	    "again.",
	    arena_printf(&at->arena, "the token endpoint says %s", word));
	return true;
}

static void on_token(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	const char *word = res->status ? error_of(at, res) : NULL;
	struct err err = { 0 };
	json_t *answer = NULL;

	if (res->status && is_stale_code(at, res))
		return;
	if (word) {
		at->fetch = 0;
		oauth_unavailable(at, arena_printf(&at->arena,
					  "the token endpoint says %s", word));
		return;
	}
	if (oauth_answer(at, res, "the token endpoint", &answer) != 0)
		return;
	if (read_tokens(at, answer, &err) != 0)
		oauth_unavailable(at, arena_printf(&at->arena,
					  "the token endpoint: %s", err.text));
	else if (!has_scopes(at, answer))
		oauth_refuse(at,
		    "You did not allow all that this hub needs to know. "
		    "Please log in again and agree to it.",
		    "not all of allowed_scopes were granted");
	else
		oauth_have_tokens(at);
	json_decref(answer);
}

/* RFC 6749 2.3.1: both are form-encoded first. */
static char *basic(const struct oauth_options *opt)
{
	struct buf pair;
	size_t cap;
	char *out;
	int rc;

	buf_init(&pair, FORM_MAX);
	url_pair_append(&pair, opt->client_id, opt->client_secret);
	for (size_t i = 0; i < pair.len; i++) {
		if (pair.data[i] == '=') {
			pair.data[i] = ':';
			break;
		}
	}
	cap = pair.len * 4 / 3 + 16;
	out = xcalloc(1, cap);
	rc = str_copy(out, cap, "Basic ");
	assert(rc == 0);
	rc = b64url_encode(pair.data, pair.len, out + 6, cap - 6);
	assert(rc == 0);
	for (char *p = out + 6; *p; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	for (size_t len = strlen(out); (len - 6) % 4 != 0; len++)
		out[len] = '=';
	mem_wipe(pair.data, pair.len);
	buf_fini(&pair);
	return out;
}

static bool wants_post(const struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;

	if (!str_eq(o->opt.token_auth, "auto"))
		return str_eq(o->opt.token_auth, "post");
	return oauth_is_oidc(at) && oidc_endpoints(o->oidc)->wants_post;
}

static void put_grant(struct buf *b, const struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;

	if (at->is_refresh) {
		url_pair_append(b, "grant_type", "refresh_token");
		url_pair_append(b, "refresh_token", at->refresh_token);
		return;
	}
	url_pair_append(b, "grant_type", "authorization_code");
	url_pair_append(b, "code", at->code);
	url_pair_append(b, "redirect_uri", o->callback_url);
	if (o->opt.enable_pkce)
		url_pair_append(b, "code_verifier", at->verifier);
}

void oauth_post_grant(struct oauth_attempt *at)
{
	const struct oauth *o = at->owner;
	struct fetch_req req = { .method = "POST" };
	char *header = wants_post(at) ? NULL : basic(&o->opt);
	struct buf b;

	buf_init(&b, FORM_MAX);
	put_grant(&b, at);
	if (!header) {
		url_pair_append(&b, "client_id", o->opt.client_id);
		url_pair_append(&b, "client_secret", o->opt.client_secret);
	}
	req.url = oauth_is_oidc(at) ? oidc_endpoints(o->oidc)->token
				    : o->opt.token_url;
	req.body = buf_view(&b);
	req.body_len = b.len;
	if (b.overflow)
		oauth_refuse(at, NULL, "the code is too long");
	else
		oauth_ask(at, &req, header, on_token);
	if (header)
		mem_wipe(header, strlen(header));
	free(header);
	mem_wipe(b.data, b.len);
	buf_fini(&b);
}
