/*
 * Whose token, whose cookie? What services asked before OAuth
 * (contract/hub.md 1.14), and an endpoint that never does anything.
 */
#include <string.h>

#include "base/clock.h"
#include "hub/credential.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/model_service.h"

/* ---- whose -------------------------------------------------------- */

/* Only who shows a token of their own may ask. */
static bool refuse_caller(struct req *r)
{
	if (r->who.kind == PRINCIPAL_TOKEN)
		return false;
	reply_error(r, 403, "Only a request with a token may ask this.");
	return true;
}

static void reply_service(struct req *r, const char *name)
{
	struct err err = { 0 };
	json_t *model;

	if (scope_add_identify_service(&r->who.scopes, name, &err) != 0 ||
	    model_service(r, name, &model, &err) != 0)
		reply_err(r, &err);
	else
		reply_json(r, 200, model);
}

/* At least who it is, whatever else the caller may see. */
static void reply_person(struct req *r, const char *name)
{
	struct user user;
	struct err err = { 0 };
	int found = user_find(r->app->db, &r->http->arena, name, &user, &err);

	if (found == 0)
		reply_error(r, 404, "Not Found");
	else if (found < 0 ||
		 scope_add_identify(&r->who.scopes, user.name, &err) != 0)
		reply_err(r, &err);
	else
		model_reply_user(r, 200, &user, MODEL_ACTIVE_ONLY);
}

static void reply_found(
    struct req *r, int found, struct principal *p, const struct err *why)
{
	const struct principal_use use = {
		.now_us = clock_wall_us(),
		.step_us = r->app->cfg.activity_resolution_s * 1000000,
		.is_owners = true,
	};
	struct err err = { 0 };

	if (found < 0)
		reply_err(r, why);
	else if (found == 0)
		reply_error(r, 404, "Not Found");
	else if (principal_touch(r->app->db, p, &use, &err) != 0)
		reply_err(r, &err);
	else if (p->service_id)
		reply_service(r, p->service_name);
	else
		reply_person(r, p->user_name);
}

void api_authorizations_token(struct req *r)
{
	struct principal p;
	struct err err = { 0 };

	if (refuse_caller(r))
		return;
	int found = credential_by_token(
	    r->app, &r->http->arena, r->params[0], &p, &err);
	reply_found(r, found, &p, &err);
}

void api_authorizations_token_post(struct req *r)
{
	reply_error(r, 404,
	    "Tokens are not made here any more: POST to /users/{name}/tokens");
}

/* The value stands in the path or is the body. */
void api_authorizations_cookie(struct req *r)
{
	struct arena *a = &r->http->arena;
	const char *value = r->params[1];
	struct principal p;
	struct err err = { 0 };
	int found = 0;

	if (refuse_caller(r))
		return;
	if (!value)
		value = arena_strndup(a, r->http->body.p, r->http->body.len);
	if (!strcmp(r->params[0], COOKIE_LOGIN) ||
	    !strcmp(r->params[0], COOKIE_LOGIN_HOST))
		found = credential_by_session(r->app, a, value, &p, &err);
	reply_found(r, found, &p, &err);
}

/* ---- admin access ------------------------------------------------- */

/* Administrators enter servers by their scopes, which are asked each time. */
void api_admin_access_post(struct req *r)
{
	reply_error(r, 403,
	    "admin access to user servers is disabled; the scope "
	    "access:servers permits it");
}
