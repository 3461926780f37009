/*
 * Carrel's own part of the API, below /api/explain: what a token may do and
 * why, and whether a request would be let through. The gate and principal.c
 * decide; this only tells.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "db/service.h"
#include "db/token.h"
#include "db/user.h"
#include "hub/body.h"
#include "hub/credential.h"
#include "hub/gate.h"
#include "hub/handlers.h"
#include "hub/match.h"
#include "hub/model.h"
#include "hub/web.h"

/* ---- which token --------------------------------------------------- */

/* "a12". 1, 0 no such token, -1. */
static int token_of_id(
    struct req *r, const char *text, struct token *out, struct err *err)
{
	int64_t id;

	if (*text != 'a' || num_range(text + 1, 1, INT64_MAX, &id, NULL) != 0)
		return 0;
	return token_find_id(
	    r->app->db, &r->http->arena, id, clock_wall_us(), out, err);
}

/* By its id or by its text. */
static int token_of(
    struct req *r, const char *text, struct token *out, struct err *err)
{
	int found = token_of_id(r, text, out, err);

	if (found != 0)
		return found;
	return token_find(
	    r->app->db, &r->http->arena, text, clock_wall_us(), out, err);
}

static void reply_found(struct req *r, int found, const struct err *err)
{
	if (found < 0)
		reply_err(r, err);
	else
		reply_error(r, 404,
		    "There is no such token: it was never given, was revoked, "
		    "has expired, or its server or login is over.");
}

/* ---- a token ------------------------------------------------------- */

/* Does the owner hold what this one of the token's scopes stands for? */
static int add_asked(struct req *r, const struct principal *p,
    const struct scope *one, const struct scope_set *owner, json_t *list,
    struct err *err)
{
	struct arena *a = &r->http->arena;
	struct scope_set raw, wide;
	const char *missing = NULL;
	bool held = true;

	scope_set_init(&raw, a);
	scope_set_init(&wide, a);
	if (one->id != SCOPE_INHERIT) {
		if (scope_set_add(&raw, scope_text(a, one), err) != 0 ||
		    scope_expand(&raw, &p->ctx, &wide, err) != 0)
			return -1;
		held = scope_covers(
		    owner, &wide, principal_is_member, r->app->db, &missing);
	}
	json_array_append_new(
	    list, json_pack("{s:s, s:b, s:o}", "scope", scope_text(a, one),
		      "held", (int)held, "missing",
		      held || !missing ? json_null() : json_string(missing)));
	return 0;
}

static int asked_json(struct req *r, const struct principal *p,
    const struct token *t, const struct scope_set *owner, json_t *list,
    struct err *err)
{
	struct scope_set raw;

	scope_set_init(&raw, &r->http->arena);
	if (scope_set_add_stored(&raw, t->scopes, err) != 0)
		return -1;
	for (size_t i = 0; i < raw.n; i++)
		if (add_asked(r, p, &raw.items[i], owner, list, err) != 0)
			return -1;
	return 0;
}

static void reply_token(
    struct req *r, const struct token *t, const struct principal *p)
{
	struct scope_set owner;
	struct err err = { 0 };
	json_t *asked = json_array();

	scope_set_init(&owner, &r->http->arena);
	if (principal_owner_scopes(r->app->db, p, &owner, &err) != 0 ||
	    asked_json(r, p, t, &owner, asked, &err) != 0) {
		json_decref(asked);
		reply_err(r, &err);
		return;
	}
	reply_json(r, 200,
	    json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, "
		      "s:o}",
		"id", json_sprintf("a%" PRId64, t->id), "owner",
		principal_name(p), "kind", p->service_name ? "service" : "user",
		"note", t->note, "created", model_time(t->created_us),
		"expires_at", model_time(t->expires_us), "last_activity",
		model_time(t->used_us), "session_id",
		t->session_id ? json_string(t->session_id) : json_null(),
		"oauth_client", t->client_id, "asked", asked, "scopes",
		scope_set_json(&p->scopes), "owner_scopes",
		scope_set_json(&owner)));
}

static void explain(
    struct req *r, int found, const struct token *t, struct err *err)
{
	struct principal p;

	if (found == 1)
		found =
		    principal_of_token(r->app->db, &r->http->arena, t, &p, err);
	if (found == 1) {
		credential_cut(r->app, &p);
		reply_token(r, t, &p);
	} else {
		reply_found(r, found, err);
	}
}

void explain_token_id(struct req *r)
{
	struct token t;
	struct err err = { 0 };

	explain(r, token_of_id(r, r->params[0], &t, &err), &t, &err);
}

/* -1: the request was answered. */
static int read_body(
    struct req *r, const char *model, const struct body_key *keys, json_t **out)
{
	int rc = body_object(r, model, keys, out);

	if (rc == 0)
		reply_error(r, 400, "%s: a JSON object is missing", model);
	return rc == 1 ? 0 : -1;
}

void explain_token(struct req *r)
{
	static const struct body_key keys[] = { { "token", BODY_STR }, { 0 } };
	const char *text;
	struct token t;
	struct err err = { 0 };
	json_t *body;

	if (read_body(r, "explain", keys, &body) != 0)
		return;
	text = json_string_value(json_object_get(body, "token"));
	if (!text) {
		reply_error(r, 400, "explain.token is missing");
		return;
	}
	explain(r, token_of(r, text, &t, &err), &t, &err);
}

/* ---- whose request ------------------------------------------------- */

static const char *member(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

static int find_user(
    struct req *r, const char *name, struct principal *out, struct err *err)
{
	struct user u;
	int found = user_find(r->app->db, &r->http->arena, name, &u, err);

	if (found != 1)
		return found;
	return principal_of_user(r->app->db, &r->http->arena, u.id, out, err);
}

static int find_service(
    struct req *r, const char *name, struct principal *out, struct err *err)
{
	struct service_row s;
	int found =
	    service_row_find(r->app->db, &r->http->arena, name, &s, err);

	if (found != 1)
		return found;
	return principal_of_service(
	    r->app->db, &r->http->arena, s.id, out, err);
}

static int find_token(
    struct req *r, const char *text, struct principal *out, struct err *err)
{
	struct token t;
	int found = token_of(r, text, &t, err);

	if (found != 1)
		return found;
	return principal_of_token(r->app->db, &r->http->arena, &t, out, err);
}

/* -1: the request was answered. */
static int find_who(struct req *r, const json_t *body, struct principal *out)
{
	const char *user = member(body, "user");
	const char *service = member(body, "service");
	const char *token = member(body, "token");
	struct err err = { 0 };
	int found = 1;

	*out = (struct principal){ .user_name = "" };
	if ((user != NULL) + (service != NULL) + (token != NULL) > 1) {
		reply_error(r, 400, "user, service, token: one of them only");
		return -1;
	}
	if (user)
		found = find_user(r, user, out, &err);
	else if (service)
		found = find_service(r, service, out, &err);
	else if (token)
		found = find_token(r, token, out, &err);
	if (found == 1) {
		credential_cut(r->app, out);
		return 0;
	}
	if (found < 0)
		reply_err(r, &err);
	else
		reply_error(r, 404, "There is no such %s",
		    user      ? "user"
		    : service ? "service"
			      : "token");
	return -1;
}

/* ---- which request ------------------------------------------------- */

/* The path below the hub's prefix, without its query; NULL: outside of it. */
static const char *below_hub(struct req *r, const char *path)
{
	const char *prefixes[] = { r->app->web->hub, "/hub/" };
	const char *bare =
	    arena_strndup(&r->http->arena, path, strcspn(path, "?#"));

	for (size_t i = 0; i < 2; i++)
		if (str_starts(bare, prefixes[i]))
			return bare + strlen(prefixes[i]) - 1;
	return str_starts(bare, "/api/") ? bare : NULL;
}

struct told {
	bool passes;
	int status; /* 0: the handler's own */
	const char *why;
};

static const char *missing_scopes(
    struct req *r, const struct req *probe, const struct gate_verdict *v)
{
	const char *list = "";

	for (size_t i = 0; i < v->n; i++)
		list = arena_printf(&r->http->arena, "%s%s%s", list,
		    i ? ", " : "", scope_name(probe->route->scopes[i]));
	return list;
}

static struct told tell_scopes(
    struct req *r, const struct req *probe, const struct gate_verdict *v)
{
	const char *who = principal_name(&probe->who);

	if (probe->route->scopes[0] == SCOPE_NO_SCOPE)
		return (struct told){ true, 0,
			"The route asks for no scope; what more is wanted, "
			"its handler decides." };
	if (v->best == SCOPE_GRANTED)
		return (
		    struct told){ true, 0, "A scope of the route is held." };
	if (v->is_listing)
		return (struct told){ true, 200,
			"A scope of the route is held for some: those are "
			"listed." };
	if (v->best == SCOPE_OTHER)
		return (struct told){ false, 404,
			"The scope is held, but not for what this path names: "
			"what one may not know of is answered like what does "
			"not exist." };
	return (struct told){ false, 403,
		arena_printf(&r->http->arena, "%s holds none of: %s", who,
		    missing_scopes(r, probe, v)) };
}

static bool wants_nobody(enum gate_kind gate)
{
	return gate == GATE_PUBLIC || gate == GATE_OPEN || gate == GATE_OAUTH;
}

static struct told tell(
    struct req *r, const struct req *probe, const struct gate_verdict *v)
{
	if (!probe->route && !probe->any)
		return (struct told){ false, 404,
			"No route has this path (docs/rest.md lists them)." };
	if (!probe->route)
		return (struct told){ false, 405,
			"The path exists, but not with this method." };
	if (wants_nobody(probe->gate))
		return (struct told){ true, 0,
			"This route asks nobody who they are." };
	if (v->best == SCOPE_GRANTED && v->n == 0 && probe->gate == GATE_SCRAPE)
		return (struct told){ true, 0,
			"The configuration shows this to everybody." };
	if (probe->who.kind == PRINCIPAL_NONE)
		return (struct told){ false, probe->is_api ? 403 : 302,
			"Nobody is logged in and no token is shown." };
	if (probe->gate == GATE_PAGE && probe->who.kind == PRINCIPAL_TOKEN)
		return (struct told){ false, 302,
			"A page takes a login, not a token." };
	return tell_scopes(r, probe, v);
}

/* For which resources it is held: "", or "user=alice". */
static json_t *held_for(const struct principal *p, enum scope_id id)
{
	static const char *const filters[] = {
		[FILTER_NONE] = "",
		[FILTER_USER] = "user=",
		[FILTER_GROUP] = "group=",
		[FILTER_SERVER] = "server=",
		[FILTER_SERVICE] = "service=",
	};
	json_t *list = json_array();

	for (size_t i = 0; i < p->scopes.n; i++) {
		const struct scope *s = &p->scopes.items[i];
		if (s->id == id)
			json_array_append_new(
			    list, s->filter == FILTER_NONE
				      ? json_string("everything")
				      : json_sprintf("%s%s", filters[s->filter],
					    s->value ? s->value : ""));
	}
	return list;
}

static json_t *weighed_json(
    const struct req *probe, const struct gate_verdict *v)
{
	static const char *const verdicts[] = {
		[SCOPE_DENIED] = "not held",
		[SCOPE_OTHER] = "held for others",
		[SCOPE_GRANTED] = "held",
	};
	json_t *list = json_array();

	for (size_t i = 0; i < v->n; i++) {
		enum scope_id id = probe->route->scopes[i];
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:o}", "scope", scope_name(id),
			"doc", scope_doc(id), "verdict", verdicts[v->each[i]],
			"held_for", held_for(&probe->who, id)));
	}
	return list;
}

static const char *gate_text(enum gate_kind gate)
{
	static const char *const texts[] = {
		[GATE_PUBLIC] = "public: nobody is asked",
		[GATE_OPEN] = "a page for everybody",
		[GATE_PAGE] = "a page: login cookie",
		[GATE_EITHER] = "login cookie or token",
		[GATE_API] = "API: token, or login cookie",
		[GATE_SCRAPE] = "metrics: token, or login cookie",
		[GATE_OAUTH] = "OAuth: the client proves itself in the body",
	};

	return texts[gate];
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static void reply_request(struct req *r, const struct req *probe,
    const char *method, const char *path)
{
	const struct route *route = probe->route;
	const char *who = principal_name(&probe->who);
	struct gate_verdict v = { 0 };

	if (route)
		gate_weigh(probe, &v);
	struct told t = tell(r, probe, &v);
	reply_json(r, 200,
	    json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:b, s:i, s:s, s:o}",
		"method", method, "path", path, "route",
		text_or_null(route ? route->pattern : NULL), "doc",
		text_or_null(route ? route->doc : NULL), "gate",
		text_or_null(route ? gate_text(route->gate) : NULL), "who",
		who && *who ? who : "nobody", "passes", (int)t.passes, "status",
		t.status, "why", t.why, "scopes", weighed_json(probe, &v)));
}

/* A request that is not made: what the gate reads of one, and no more. -1: the
 * request was answered. */
static int make_probe(struct req *r, const char *method, const char *path,
    const struct principal *who, struct req *out)
{
	const char *below = below_hub(r, path);
	struct match m = { 0 };
	struct err err = { 0 };

	if (!below) {
		reply_error(r, 400,
		    "path: wanted one of the hub's, like /hub/api/users");
		return -1;
	}
	if (match_path(&r->http->arena, method, below, &m, &err) != 0) {
		reply_error(r, 400, "path: %s", err.text);
		return -1;
	}
	*out = (struct req){ .app = r->app,
		.http = r->http,
		.route = m.route,
		.any = m.any,
		.gate = m.route ? m.route->gate : GATE_API,
		.is_api = str_starts(below, "/api"),
		.user_param = m.user,
		.server_param = m.server,
		.group_param = m.group,
		.service_param = m.service,
		.who = *who };
	return 0;
}

void explain_request(struct req *r)
{
	static const struct body_key keys[] = { { "method", BODY_STR },
		{ "path", BODY_STR }, { "user", BODY_STR },
		{ "service", BODY_STR }, { "token", BODY_STR }, { 0 } };
	const char *method, *path;
	struct principal who;
	struct req probe;
	json_t *body;

	if (read_body(r, "explain", keys, &body) != 0)
		return;
	method = member(body, "method");
	path = member(body, "path");
	if (!method || !path) {
		reply_error(r, 400, "explain.%s is missing",
		    method ? "path" : "method");
		return;
	}
	if (find_who(r, body, &who) != 0 ||
	    make_probe(r, method, path, &who, &probe) != 0)
		return;
	reply_request(r, &probe, method, path);
}
