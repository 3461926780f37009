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

	if (req_user(r, &user) == 0)
		model_reply_user(r, 200, &user, model_stopped(r));
}

/* "a12", or null for a cookie. */
static const char *token_id(struct req *r)
{
	if (!r->who.token_id)
		return NULL;
	return arena_printf(
	    &r->http->arena, "a%lld", (long long)r->who.token_id);
}

/* A minimum for whoever asks, even by a token that permits nothing. */
static int put_person(struct req *r, struct jsonw *w)
{
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return -1;
	if (scope_add_identify(&r->who.scopes, user.name, &err) == 0 &&
	    model_user(r, &user, MODEL_ACTIVE_ONLY, w, &err) == 0)
		return 0;
	reply_err(r, &err);
	return -1;
}

static int put_service(struct req *r, struct jsonw *w)
{
	const char *name = r->who.service_name, *key;
	json_t *model, *value;
	struct err err = { 0 };

	if (scope_add_identify_service(&r->who.scopes, name, &err) != 0 ||
	    model_service(r, name, &model, &err) != 0) {
		reply_err(r, &err);
		return -1;
	}
	json_object_foreach (model, key, value) {
		jsonw_key(w, key);
		jsonw_value(w, value);
	}
	json_decref(model);
	return 0;
}

/* That of a browser stays in its cookie, which scripts do not see. */
static const char *session_of_token(const struct req *r)
{
	return r->who.token_id ? r->who.session_id : NULL;
}

/* `scopes` tells what the request may do (contract/hub.md 1.5). */
void api_user_self(struct req *r)
{
	json_t *scopes = scope_set_json(&r->who.scopes);
	struct jsonw w;

	jsonw_init(&w);
	jsonw_open(&w, '{');
	if ((r->who.service_id ? put_service(r, &w) : put_person(r, &w)) == 0) {
		jsonw_key(&w, "token_id");
		jsonw_str(&w, token_id(r));
		jsonw_key(&w, "session_id");
		jsonw_str(&w, session_of_token(r));
		jsonw_key(&w, "scopes");
		jsonw_value(&w, scopes);
		jsonw_close(&w, '}');
		reply_jsonw(r, 200, &w);
	}
	jsonw_fini(&w);
	json_decref(scopes);
}
