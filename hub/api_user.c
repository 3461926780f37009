/*
 * One user over REST (contract/hub.md 1.5, 1.6). GET /user is what notebook
 * servers and services ask to learn whose token they were shown.
 */
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/model_service.h"

void api_user_get(struct req *r)
{
	struct user user;
	json_t *model;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	if (model_user(r, &user, model_stopped(r), &model, &err) != 0)
		reply_err(r, &err);
	else
		reply_json(r, 200, model);
}

/* "a12", or null for a cookie. */
static json_t *token_id(const struct req *r)
{
	if (!r->who.token_id)
		return json_null();
	return json_sprintf("a%lld", (long long)r->who.token_id);
}

/* A minimum for whoever asks, even by a token that permits nothing. */
static int self_model(struct req *r, json_t **out)
{
	struct user user;
	struct err err = { 0 };

	if (r->who.service_id) {
		if (scope_add_identify_service(
			&r->who.scopes, r->who.service_name, &err) == 0 &&
		    model_service(r, r->who.service_name, out, &err) == 0)
			return 0;
	} else {
		if (req_user(r, &user) != 0)
			return -1;
		if (scope_add_identify(&r->who.scopes, user.name, &err) == 0 &&
		    model_user(r, &user, MODEL_ACTIVE_ONLY, out, &err) == 0)
			return 0;
	}
	reply_err(r, &err);
	return -1;
}

/* `scopes` tells what the request may do (contract/hub.md 1.5). */
void api_user_self(struct req *r)
{
	json_t *scopes = scope_set_json(&r->who.scopes), *model;

	if (self_model(r, &model) != 0) {
		json_decref(scopes);
		return;
	}
	json_object_set_new(model, "token_id", token_id(r));
	json_object_set_new(model, "session_id",
	    r->who.session_id ? json_string(r->who.session_id) : json_null());
	json_object_set_new(model, "scopes", scopes);
	reply_json(r, 200, model);
}
