/*
 * Services over REST (contract/hub.md 1.10).
 */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model_service.h"
#include "hub/service.h"

#define TOKEN_MIN 16
#define TOKEN_MAX 255

void api_services_get(struct req *r)
{
	const struct services *all = r->app->services;
	json_t *dict = json_object(), *m;
	struct err err = { 0 };

	for (size_t i = 0; all && i < all->n; i++) {
		const char *name = all->items[i]->conf.name;

		if (!req_may_service(r, SCOPE_LIST_SERVICES, name))
			continue;
		if (model_service(r, name, &m, &err) != 0) {
			json_decref(dict);
			reply_err(r, &err);
			return;
		}
		json_object_set_new(dict, name, m);
	}
	reply_json(r, 200, dict);
}

/* As messages show it. */
static const char *shown_name(struct req *r)
{
	char *out = arena_alloc(&r->http->arena, 128);

	str_printable(out, 128, r->service_param, strlen(r->service_param));
	return out;
}

static void reply_service(struct req *r, int status)
{
	struct err err = { 0 };
	json_t *m;

	if (model_service(r, r->service_param, &m, &err) != 0)
		reply_err(r, &err);
	else
		reply_json(r, status, m);
}

void api_service_get(struct req *r)
{
	if (service_find(r->app, r->service_param))
		reply_service(r, 200);
	else
		reply_error(r, 404, "No such service: %s", shown_name(r));
}

/* ---- making and deleting ------------------------------------------ */

static const struct body_key keys[] = {
	{ "name", BODY_STR },
	{ "admin", BODY_BOOL },
	{ "url", BODY_STR },
	{ "oauth_client_allowed_scopes", BODY_LIST },
	{ "api_token", BODY_STR },
	{ "info", BODY_OBJECT },
	{ "display", BODY_BOOL },
	{ "oauth_no_confirm", BODY_BOOL },
	{ "command", BODY_LIST },
	{ "cwd", BODY_STR },
	{ "environment", BODY_OBJECT },
	{ "user", BODY_STR },
	{ "oauth_client_id", BODY_STR },
	{ "oauth_redirect_uri", BODY_STR },
	{ 0 },
};

static int refuse_scope(struct req *r, const char *missing)
{
	reply_error(r, 400,
	    "Not assigning requested scopes %s not held by %s %s", missing,
	    r->who.service_id ? "service" : "user", principal_name(&r->who));
	return -1;
}

/* All that the service could do or ask for is the requester's. -1: answered */
static int check_scopes(struct req *r, const json_t *body, bool admin)
{
	const json_t *list =
	    json_object_get(body, "oauth_client_allowed_scopes");
	const struct scope_context ctx = { .service = r->service_param };
	struct arena *a = &r->http->arena;
	struct scope_set raw, wanted;
	const char *missing = "";
	struct err err = { 0 };

	scope_set_init(&raw, a);
	scope_set_init(&wanted, a);
	if (list && scope_set_add_json(&raw, list, &err) != 0) {
		(void)err_wrap(&err, "oauth_client_allowed_scopes");
		reply_err(r, &err);
		return -1;
	}
	/* A client that inherits could do all that its people can. */
	for (size_t i = 0; i < raw.n; i++)
		admin = admin || raw.items[i].id == SCOPE_INHERIT;
	if ((admin && scope_set_add_role(&raw, ROLE_ADMIN, &err) != 0) ||
	    scope_expand(&raw, &ctx, &wanted, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	if (!scope_covers(&r->who.scopes, &wanted, principal_is_member,
		r->app->db, &missing))
		return refuse_scope(r, missing);
	return 0;
}

static int read_token(struct req *r, const json_t *body, const char **out)
{
	const char *t = json_string_value(json_object_get(body, "api_token"));
	size_t len = t ? strlen(t) : 0;

	*out = t ? t : "";
	if (len == 0 || (len >= TOKEN_MIN && len <= TOKEN_MAX &&
			    !strchr(t, ' ') && !str_has_control(t, len)))
		return 0;
	reply_error(r, 400,
	    "api_token must have %d to %d characters and no blanks", TOKEN_MIN,
	    TOKEN_MAX);
	return -1;
}

/* -1: answered. */
static int read_body(struct req *r, json_t **body, const char **token)
{
	int has = body_object(r, "service", keys, body);

	if (has < 0)
		return -1;
	if (service_find(r->app, r->service_param)) {
		reply_error(r, 409, "Service %s already exists", shown_name(r));
		return -1;
	}
	if (has == 0) {
		reply_error(r, 400, "Body must be a JSON object");
		return -1;
	}
	if (json_array_size(json_object_get(*body, "command")) > 0) {
		reply_error(r, 400,
		    "Can not create managed service %s at runtime: the "
		    "command stands in root's spawner.yaml",
		    shown_name(r));
		return -1;
	}
	return read_token(r, *body, token);
}

/* What is kept: no secret, nothing of a managed one. */
static json_t *spec_of(const json_t *body, bool has_token)
{
	static const char *const drop[] = { "name", "admin", "api_token",
		"command", "cwd", "environment", "user" };
	json_t *spec = json_copy((json_t *)(uintptr_t)body);

	for (size_t i = 0; i < sizeof drop / sizeof *drop; i++)
		json_object_del(spec, drop[i]);
	json_object_set_new(spec, "has_token", json_boolean(has_token));
	return spec;
}

void api_service_post(struct req *r)
{
	struct service *s;
	const char *token;
	json_t *body, *spec;
	struct err err = { 0 };
	bool admin;

	if (read_body(r, &body, &token) != 0)
		return;
	admin = json_is_true(json_object_get(body, "admin"));
	if (check_scopes(r, body, admin) != 0)
		return;
	spec = spec_of(body, *token);
	if (service_add(
		r->app, r->service_param, admin, spec, token, &s, &err) != 0) {
		reply_err(r, &err);
	} else {
		log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
		    "service made", "name=%s", s->conf.name);
		reply_service(r, 201);
	}
	json_decref(spec);
}

void api_service_delete(struct req *r)
{
	struct service *s = service_find(r->app, r->service_param);
	struct err err = { 0 };
	json_t *body;

	if (req_json(r, &body) < 0)
		return;
	if (!s) {
		reply_error(r, 404, "No such service: %s", shown_name(r));
	} else if (!s->is_runtime) {
		reply_error(r, 405,
		    "Service %s is not modifiable at runtime: it stands in "
		    "carrel.yaml",
		    shown_name(r));
	} else if (service_remove(r->app, s, &err) != 0) {
		reply_err(r, &err);
	} else {
		log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
		    "service deleted", "name=%s", shown_name(r));
		reply_empty(r, 200);
	}
}
