/*
 * Tokens over REST (contract/hub.md 1.9, D): what a new one may do lies within
 * what its owner may do, and within what the asking token may do when it is the
 * same person's.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "db/token_list.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/role_scopes.h"
#include "hub/token_login.h"

#define NOTE_MAX      1023
#define EXPIRES_MAX_S INT64_C(315360000000) /* ten thousand years */

/* ---- models ------------------------------------------------------- */

/* What a token of that user may do now. */
static int effective(struct req *r, const struct user *u,
    const struct token_shown *t, const struct scope_set *owner,
    struct scope_set *out, struct err *err)
{
	struct arena *a = &r->http->arena;
	struct scope_context ctx = { .user = u->name };
	struct scope_set raw;

	if (t->server)
		ctx.server = arena_printf(a, "%s/%s", u->name, t->server);
	scope_set_init(&raw, a);
	scope_set_init(out, a);
	if (scope_set_add_stored(&raw, t->token.scopes, err) != 0)
		return -1;
	return scope_effective_token(
	    &raw, &ctx, owner, principal_is_member, r->app->db, out, err);
}

static json_t *model(const struct user *u, const struct token_shown *t,
    const struct scope_set *scopes)
{
	const struct token *k = &t->token;

	return json_pack("{s:s, s:o, s:s, s:[], s:o, s:o, s:o, s:o, s:s, s:o, "
			 "s:s}",
	    "user", u->name, "id", json_sprintf("a%" PRId64, k->id), "kind",
	    "api_token", "roles", "scopes", scope_set_json(scopes), "created",
	    model_time(k->created_us), "last_activity", model_time(k->used_us),
	    "expires_at", model_time(k->expires_us), "note", k->note,
	    "session_id",
	    k->session_id ? json_string(k->session_id) : json_null(),
	    "oauth_client", *t->client ? t->client : k->client_id);
}

static int build(struct req *r, const struct user *u,
    const struct token_shown *t, const struct scope_set *owner, json_t **out,
    struct err *err)
{
	struct scope_set scopes;

	if (effective(r, u, t, owner, &scopes, err) != 0)
		return -1;
	*out = model(u, t, &scopes);
	return 0;
}

static int owner_scopes(
    struct req *r, const struct user *u, struct scope_set *out, struct err *err)
{
	scope_set_init(out, &r->http->arena);
	return principal_scopes_of(r->app->db, u, out, err);
}

/* ---- reading ------------------------------------------------------ */

static int build_list(
    struct req *r, const struct user *u, json_t *list, struct err *err)
{
	struct token_shown *tokens;
	struct scope_set owner;
	size_t n;

	if (owner_scopes(r, u, &owner, err) != 0 ||
	    token_list(r->app->db, &r->http->arena, u->id, clock_wall_us(),
		&tokens, &n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *one;
		if (build(r, u, &tokens[i], &owner, &one, err) != 0)
			return -1;
		json_array_append_new(list, one);
	}
	return 0;
}

void api_tokens_get(struct req *r)
{
	struct user u;
	struct err err = { 0 };

	if (req_user(r, &u) != 0)
		return;
	json_t *list = json_array();
	if (build_list(r, &u, list, &err) == 0) {
		reply_json(r, 200, json_pack("{s:o}", "api_tokens", list));
		return;
	}
	json_decref(list);
	reply_err(r, &err);
}

/* "a12" of the path. -1: the request was answered. */
static int find_token(
    struct req *r, const struct user *u, struct token_shown *out)
{
	const char *name = r->params[1];
	struct err err = { 0 };
	int64_t id;
	int found = 0;

	if (*name == 'a' && num_range(name + 1, 1, INT64_MAX, &id, &err) == 0)
		found = token_get(r->app->db, &r->http->arena, u->id, id,
		    clock_wall_us(), out, &err);
	if (found == 1)
		return 0;
	if (found < 0)
		reply_err(r, &err);
	else
		reply_error(r, 404, "No such token of user %s", u->name);
	return -1;
}

static void reply_token(struct req *r, int status, const struct user *u,
    const struct token_shown *t, const char *plain)
{
	struct scope_set owner;
	json_t *m;
	struct err err = { 0 };

	if (owner_scopes(r, u, &owner, &err) != 0 ||
	    build(r, u, t, &owner, &m, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (plain)
		json_object_set_new(m, "token", json_string(plain));
	reply_json(r, status, m);
}

void api_token_get(struct req *r)
{
	struct token_shown t;
	struct user u;

	if (req_user(r, &u) == 0 && find_token(r, &u, &t) == 0)
		reply_token(r, 200, &u, &t, NULL);
}

/* Whoever makes or takes an administrator's tokens must be one. */
static bool refuse_admin(struct req *r, const struct user *u)
{
	if (!u->admin || r->who.admin || u->id == r->who.user_id)
		return false;
	reply_error(r, 403, "Only admins can change tokens of other admins");
	return true;
}

void api_token_delete(struct req *r)
{
	struct token_shown t;
	struct user u;
	struct err err = { 0 };
	int rc;

	if (req_user(r, &u) != 0 || refuse_admin(r, &u) ||
	    find_token(r, &u, &t) != 0)
		return;
	if (!strcmp(t.token.client_id, "jupyterhub"))
		rc = token_delete(r->app->db, t.token.id, &err);
	else
		rc = token_delete_client(
		    r->app->db, u.id, t.token.client_id, &err);
	if (rc != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "token revoked", "owner=%s id=a%" PRId64, u.name, t.token.id);
	reply_empty(r, 204);
}

/* ---- what is asked for -------------------------------------------- */

struct wish {
	const char *note;
	int64_t expires_us; /* 0: never */
	const char *scopes; /* JSON, as stored */
};

static int refuse(struct req *r, const char *text)
{
	reply_error(r, 400, "%s", text);
	return -1;
}

static int read_note(struct req *r, const json_t *body, struct wish *w)
{
	const json_t *note = json_object_get(body, "note");

	if (json_is_string(note) && *json_string_value(note)) {
		w->note = json_string_value(note);
		if (strlen(w->note) <= NOTE_MAX)
			return 0;
		return refuse(r, "note must have at most 1023 bytes");
	}
	if (note && !json_is_string(note) && !json_is_null(note))
		return refuse(r, "note must be a string");
	w->note = "Requested via api";
	if (strcmp(r->who.user_name, r->user_param) != 0)
		w->note =
		    arena_printf(&r->http->arena, "Requested via api by %s %s",
			r->who.service_id ? "service" : "user",
			principal_name(&r->who));
	return 0;
}

static int read_expiry(
    struct req *r, const json_t *body, int64_t now_us, struct wish *w)
{
	const json_t *value = json_object_get(body, "expires_in");
	int64_t max_s = r->app->cfg.max_token_age_s, s = max_s;

	if (value && !json_is_null(value)) {
		if (!json_is_integer(value))
			return refuse(r, "expires_in must be an integer");
		s = json_integer_value(value);
		if (s < 1)
			return refuse(
			    r, "expires_in must be a positive integer");
		if (s > EXPIRES_MAX_S)
			return refuse(r, "expires_in is too large");
	}
	if (max_s > 0 && s > max_s) {
		reply_error(r, 400,
		    "expires_in: %" PRId64 " exceeds the limit of %" PRId64
		    " seconds (session.max_token_age)",
		    s, max_s);
		return -1;
	}
	w->expires_us = s > 0 ? now_us + s * 1000000 : 0;
	return 0;
}

/* ---- what it may do ----------------------------------------------- */

static bool inherits(const struct scope_set *raw)
{
	for (size_t i = 0; i < raw->n; i++)
		if (raw->items[i].id == SCOPE_INHERIT)
			return true;
	return false;
}

/* Did the token that asks promise all that its owner may do, later too? */
static int asker_inherits(struct req *r, bool *out, struct err *err)
{
	struct token_shown own;
	struct scope_set raw;
	int found = token_get(r->app->db, &r->http->arena, r->who.user_id,
	    r->who.token_id, clock_wall_us(), &own, err);

	*out = false;
	scope_set_init(&raw, &r->http->arena);
	if (found != 1)
		return found;
	if (scope_set_add_stored(&raw, own.token.scopes, err) != 0)
		return -1;
	*out = inherits(&raw);
	return 0;
}

static int not_held(
    struct req *r, const char *missing, const char *kind, const char *whose)
{
	reply_error(r, 400,
	    "Not assigning requested scopes %s not held by %s %s", missing,
	    kind, whose);
	return -1;
}

/* A narrow token makes no wider one for the same person. */
static int check_asker(struct req *r, const struct user *u,
    const struct scope_set *raw, const struct scope_set *wanted)
{
	const char *missing = "inherit";
	const char *id;
	bool may_all = false;
	struct err err = { 0 };

	if (!r->who.token_id || u->id != r->who.user_id)
		return 0;
	if (asker_inherits(r, &may_all, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	if (may_all)
		return 0;
	id = arena_printf(&r->http->arena, "a%" PRId64, r->who.token_id);
	if (inherits(raw) || !scope_covers(&r->who.scopes, wanted,
				 principal_is_member, r->app->db, &missing))
		return not_held(r, missing, "token", id);
	return 0;
}

static int check_scopes(
    struct req *r, const struct user *u, const struct scope_set *raw)
{
	const struct scope_context ctx = { .user = u->name };
	struct scope_set owner, wanted;
	const char *missing;
	struct err err = { 0 };

	scope_set_init(&wanted, &r->http->arena);
	if (owner_scopes(r, u, &owner, &err) != 0 ||
	    scope_expand(raw, &ctx, &wanted, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	if (!scope_covers(
		&owner, &wanted, principal_is_member, r->app->db, &missing))
		return not_held(r, missing, "User", u->name);
	return check_asker(r, u, raw, &wanted);
}

static int add_list(struct req *r, const json_t *list, struct scope_set *out)
{
	struct err err = { 0 };

	if (!json_is_array(list))
		return refuse(r, "scopes must be a list of strings");
	if (body_strings(r, "scopes", list) != 0)
		return -1;
	if (scope_set_add_json(out, list, &err) == 0)
		return 0;
	return refuse(r, err.text);
}

static int add_role(struct req *r, const char *name, struct scope_set *out)
{
	char shown[80];
	struct err err = { 0 };
	int found = role_scopes_add(r->app->db, name, out, &err);

	if (found == 1)
		return 0;
	str_printable(shown, sizeof shown, name, strlen(name));
	if (found == 0)
		reply_error(r, 400, "Role %s does not exist", shown);
	else
		reply_err(r, &err);
	return -1;
}

static int add_roles(struct req *r, const json_t *list, struct scope_set *out)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(list))
		return refuse(r, "roles must be a list of strings");
	if (body_strings(r, "roles", list) != 0)
		return -1;
	json_array_foreach (list, i, item)
		if (add_role(r, json_string_value(item), out) != 0)
			return -1;
	return 0;
}

static bool is_given(const json_t *list)
{
	return list && !json_is_null(list) &&
	       !(json_is_array(list) && json_array_size(list) == 0);
}

/* As raw scopes; self forms keep their meaning, so they are stored as asked.
 * Without any, the token may do what its owner may. */
static int read_scopes(
    struct req *r, const struct user *u, const json_t *body, struct wish *w)
{
	const json_t *scopes = json_object_get(body, "scopes");
	const json_t *roles = json_object_get(body, "roles");
	struct scope_set raw;
	int rc;

	scope_set_init(&raw, &r->http->arena);
	if (is_given(scopes) && is_given(roles))
		return refuse(r, "Only one of roles and scopes may be given");
	if (is_given(scopes))
		rc = add_list(r, scopes, &raw);
	else if (is_given(roles))
		rc = add_roles(r, roles, &raw);
	else
		rc = add_role(r, role_name(ROLE_TOKEN), &raw);
	if (rc != 0 || check_scopes(r, u, &raw) != 0)
		return -1;
	json_t *list = scope_set_json(&raw);
	size_t len;
	char *text = json_text(list, &len);
	w->scopes = arena_strdup(&r->http->arena, text);
	free(text);
	json_decref(list);
	return 0;
}

/* ---- making ------------------------------------------------------- */

/* Who has no business with that person is not told whether there is one. */
static int find_owner(struct req *r, struct user *out)
{
	struct err err = { 0 };
	int found = 0;

	if (req_may(r, SCOPE_TOKENS, r->user_param, NULL))
		found = user_find(
		    r->app->db, &r->http->arena, r->user_param, out, &err);
	if (found == 1)
		return 0;
	if (found < 0)
		reply_err(r, &err);
	else
		reply_error(r, 403,
		    "%s %s not found or no permissions to generate tokens",
		    r->who.service_id ? "Service" : "User",
		    arena_strndup(&r->http->arena, r->user_param, 64));
	return -1;
}

static int read_wish(
    struct req *r, const struct user *u, int64_t now_us, struct wish *w)
{
	json_t *body;
	int has = req_json(r, &body);

	if (has < 0)
		return -1;
	if (has && !json_is_object(body) && !json_is_null(body))
		return refuse(r, "Body must be a JSON object");
	const json_t *auth = json_object_get(body, "auth");
	if (auth && !json_is_object(auth) && !json_is_null(auth))
		return refuse(r, "auth must be an object");
	if (read_note(r, body, w) != 0 || read_expiry(r, body, now_us, w) != 0)
		return -1;
	return read_scopes(r, u, body, w);
}

static void make_token(struct req *r)
{
	struct token_shown t = { .client = "JupyterHub" };
	char plain[TOKEN_LEN + 1];
	int64_t now = clock_wall_us();
	struct wish w = { 0 };
	struct user u;
	struct err err = { 0 };

	if (find_owner(r, &u) != 0 || refuse_admin(r, &u) ||
	    read_wish(r, &u, now, &w) != 0)
		return;
	t.token = (struct token){ .user_id = u.id,
		.client_id = "jupyterhub",
		.note = w.note,
		.scopes = w.scopes,
		.created_us = now,
		.expires_us = w.expires_us };
	if (token_create(r->app->db, &t.token, plain, &t.token.id, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "token made", "owner=%s id=a%" PRId64, u.name, t.token.id);
	reply_token(r, 201, &u, &t, plain);
	mem_wipe(plain, sizeof plain);
}

void api_tokens_post(struct req *r)
{
	if (r->who.kind == PRINCIPAL_NONE)
		token_login(r, make_token);
	else
		make_token(r);
}
