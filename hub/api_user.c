/*
 * One user over REST (contract/hub.md 1.5, 1.6). GET /user is what notebook
 * servers and services ask to learn whose token they were shown.
 */
#include "hub/handlers.h"
#include "hub/model.h"

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

static int put_self(
    struct req *r, const struct user *user, struct jsonw *w, struct err *err)
{
	json_t *scopes = scope_set_json(&r->who.scopes);
	int rc = scope_add_identify(&r->who.scopes, user->name, err);

	jsonw_open(w, '{');
	if (rc == 0)
		rc = model_user(r, user, MODEL_ACTIVE_ONLY, w, err);
	jsonw_key(w, "token_id");
	jsonw_str(w, token_id(r));
	jsonw_key(w, "session_id");
	jsonw_str(w, r->who.session_id);
	jsonw_key(w, "scopes");
	jsonw_value(w, scopes);
	jsonw_close(w, '}');
	json_decref(scopes);
	return rc;
}

/* `scopes` tells what the request may do; the model tells at least who it is,
 * even for a token that permits nothing (contract/hub.md 1.5). */
void api_user_self(struct req *r)
{
	struct user user;
	struct jsonw w;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	jsonw_init(&w);
	if (put_self(r, &user, &w, &err) == 0)
		reply_jsonw(r, 200, &w);
	else
		reply_err(r, &err);
	jsonw_fini(&w);
}
