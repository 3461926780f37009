/*
 * What the OpenID provider says about a person: in the ID token, and at the
 * userinfo endpoint (OpenID Connect Core 5.1, 5.3). See openid.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mac.h"
#include "db/group.h"
#include "db/token.h"
#include "db/user.h"
#include "hub/credential.h"
#include "hub/handlers.h"
#include "hub/openid.h"
#include "hub/openid_priv.h"

#define ID_TOKEN_LIFE_S 3600

/* ---- a person ------------------------------------------------------------ */

/*
 * Never used for somebody else: neither after a user was deleted, nor after the
 * database was lost and numbers begin again. A new name keeps it.
 */
static json_t *subject(const struct user *u)
{
	unsigned char digest[MAC_SHA256_LEN];
	char text[64], out[32];

	if (str_format(text, sizeof text, "user %lld of %lld", (long long)u->id,
		(long long)u->created_us) != 0)
		return NULL;
	mac_sha256(text, strlen(text), digest);
	if (b64url_encode(digest, 16, out, sizeof out) != 0)
		return NULL;
	return json_string(out);
}

static int take_group(int64_t id, const char *name, void *arg, struct err *err)
{
	(void)id;
	(void)err;
	json_array_append_new(arg, json_string(name));
	return 0;
}

static int add_groups(
    struct req *r, const struct user *u, json_t *claims, struct err *err)
{
	json_t *list = json_array();

	json_object_set_new(claims, "groups", list);
	return group_each_of_users(
	    r->app->db, &u->id, 1, take_group, list, err);
}

static void add_email(struct req *r, const struct user *u, json_t *claims)
{
	const char *domain = r->app->cfg.openid_email_domain;

	if (!*domain)
		return;
	json_object_set_new(
	    claims, "email", json_sprintf("%s@%s", u->name, domain));
	json_object_set_new(claims, "email_verified", json_true());
}

/* A new reference, or NULL with err. */
static json_t *describe(struct req *r, const struct user *u,
    const struct openid_wish *w, struct err *err)
{
	json_t *claims = json_object();

	json_object_set_new(claims, "sub", subject(u));
	if (w->profile) {
		json_object_set_new(claims, "name", json_string(u->name));
		json_object_set_new(
		    claims, "preferred_username", json_string(u->name));
	}
	if (w->email)
		add_email(r, u, claims);
	if (w->groups && add_groups(r, u, claims, err) != 0) {
		json_decref(claims);
		return NULL;
	}
	return claims;
}

/* ---- the ID token -------------------------------------------------------- */

/* Core 3.1.3.6: the left half of the digest of the access token. */
static json_t *half_digest(const char *token)
{
	unsigned char digest[MAC_SHA256_LEN];
	char out[32];

	mac_sha256(token, strlen(token), digest);
	if (b64url_encode(digest, sizeof digest / 2, out, sizeof out) != 0)
		return NULL;
	return json_string(out);
}

static void add_frame(const struct openid *o, const struct oauth_code *c,
    const char *token, int64_t now_s, json_t *claims)
{
	json_object_update_new(
	    claims, json_pack("{s:s, s:s, s:I, s:I, s:o}", "iss", o->issuer,
			"aud", c->client_id, "iat", (json_int_t)now_s, "exp",
			(json_int_t)(now_s + ID_TOKEN_LIFE_S), "at_hash",
			half_digest(token)));
	if (c->login_us)
		json_object_set_new(claims, "auth_time",
		    json_integer((json_int_t)(c->login_us / 1000000)));
	if (c->nonce)
		json_object_set_new(claims, "nonce", json_string(c->nonce));
}

int openid_id_token(struct req *r, const struct oauth_code *c,
    const char *access_token, const char **out, struct err *err)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct openid_wish w;
	struct user u;
	char *text = NULL;
	int rc = user_get(r->app->db, &r->http->arena, c->user_id, &u, err);

	if (rc <= 0)
		return rc < 0 ? -1
			      : err_set(err, ERR_NOT_FOUND, "no such user");
	openid_wish_read(c->scopes, &w);
	json_t *claims = describe(r, &u, &w, err);
	if (!claims)
		return -1;
	add_frame(r->app->openid, c, access_token, now_s, claims);
	rc = openid_keys_sign(r->app->openid->keys, claims, now_s, &text, err);
	if (rc == 0)
		*out = arena_strdup(&r->http->arena, text);
	free(text);
	json_decref(claims);
	return rc;
}

/* ---- userinfo ------------------------------------------------------------ */

/* RFC 6750 section 3. */
static void refuse(
    struct req *r, int status, const char *error, const char *description)
{
	http_set(r->http, "WWW-Authenticate",
	    error ? arena_printf(&r->http->arena,
			"Bearer error=\"%s\", error_description=\"%s\"", error,
			description)
		  : "Bearer");
	reply_json(r, status,
	    json_pack("{s:s, s:s}", "error", error ? error : "invalid_request",
		"error_description", description));
}

/* Who asks, and what their token may be told; -1: answered. */
static int read_bearer(struct req *r, struct openid_wish *w)
{
	const char *header = http_header(r->http, "Authorization");
	struct arena *a = &r->http->arena;
	struct slice text;
	struct token t;
	struct err err = { 0 };

	if (!header || !principal_bearer(header, &text)) {
		refuse(r, 401, NULL,
		    "the access token belongs into the Authorization header");
		return -1;
	}
	const char *plain = arena_strndup(a, text.p, text.len);
	int rc = credential_by_token(r->app, a, plain, &r->who, &err);
	if (rc == 1)
		rc =
		    token_find(r->app->db, a, plain, clock_wall_us(), &t, &err);
	if (rc == 1) {
		openid_wish_read(t.scopes, w);
		return 0;
	}
	if (rc < 0)
		reply_err(r, &err);
	else
		refuse(r, 401, "invalid_token",
		    "the access token is unknown, revoked or expired");
	return -1;
}

void openid_userinfo(struct req *r)
{
	struct openid_wish w;
	struct user u;
	struct err err = { 0 };

	if (read_bearer(r, &w) != 0)
		return;
	if (!w.asked) {
		refuse(r, 403, "insufficient_scope",
		    "the access token was not made for OpenID Connect");
		return;
	}
	int rc =
	    user_get(r->app->db, &r->http->arena, r->who.user_id, &u, &err);
	json_t *claims = rc == 1 ? describe(r, &u, &w, &err) : NULL;
	if (claims)
		reply_json(r, 200, claims);
	else if (rc == 0)
		refuse(r, 401, "invalid_token", "there is no such user");
	else
		reply_err(r, &err);
}
