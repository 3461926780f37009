/*
 * One's own tokens: the list, a new one, the end of one (contract/hub.md 5.1).
 */
#include <string.h>

#include "base/num.h"
#include "hub/handlers.h"
#include "hub/page_form.h"

/* ---- the list ----------------------------------------------------- */

static const struct life {
	int64_t seconds;
	const char *label;
} lives[] = {
	{ 3600, "one hour" },
	{ 86400, "one day" },
	{ 604800, "one week" },
	{ 2592000, "30 days" },
	{ 31536000, "one year" },
};

/* How long a new one may live: what the configuration permits. */
static json_t *choices(const struct req *r)
{
	int64_t max_s = r->app->cfg.max_token_age_s;
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++)
		if (max_s == 0 || lives[i].seconds <= max_s)
			json_array_append_new(
			    list, json_pack("{s:I, s:s}", "seconds",
				      (json_int_t)lives[i].seconds, "label",
				      lives[i].label));
	return list;
}

static const char *revoke_url(struct req *r, const json_t *token)
{
	const char *id = json_string_value(json_object_get(token, "id"));

	return arena_printf(&r->http->arena, "%s/%s/revoke",
	    req_hub(r, "token"), url_escape_segment(&r->http->arena, id));
}

static void show(struct req *r, int status, json_t *take)
{
	json_t *list = json_object_get(take, "api_tokens"), *token;
	json_t *data = json_pack("{s:s, s:O, s:o}", "title", "Tokens", "tokens",
	    list, "lives", choices(r));
	size_t i;

	(void)status;
	json_array_foreach (list, i, token)
		json_object_set_new(
		    token, "revoke_url", json_string(revoke_url(r, token)));
	if (json_array_size(list) > 0)
		json_object_set_new(data, "any", json_true());
	json_object_set_new(
	    data, "never", json_boolean(r->app->cfg.max_token_age_s == 0));
	if (r->state)
		json_object_set_new(data, "made", json_string(r->state));
	json_decref(take);
	reply_page(r, 200, "token", data);
}

void page_token(struct req *r)
{
	r->user_param = r->who.user_name;
	page_form_call(r, api_tokens_get, NULL, show);
}

/* ---- a new one ---------------------------------------------------- */

/* This page is the only one that shows it. */
static void show_made(struct req *r, int status, json_t *take)
{
	(void)status;
	r->state = arena_strdup(
	    &r->http->arena, json_string_value(json_object_get(take, "token")));
	json_decref(take);
	page_token(r);
}

void page_token_post(struct req *r)
{
	json_t *body = json_pack("{s:s, s:o}", "note",
	    page_form_text(r, "note"), "scopes", page_form_words(r, "scopes"));
	const char *life = page_form_text(r, "expires_in");
	int64_t seconds;
	struct err err;

	if (*life && num_i64(life, &seconds, &err) == 0)
		json_object_set_new(
		    body, "expires_in", json_integer((json_int_t)seconds));
	else if (*life)
		json_object_set_new(body, "expires_in", json_string(life));
	r->user_param = r->who.user_name;
	page_form_call(r, api_tokens_post, body, show_made);
}

/* ---- the end of one ----------------------------------------------- */

static void to_list(struct req *r, int status, json_t *take)
{
	(void)status;
	json_decref(take);
	reply_redirect(r, 303, req_hub(r, "token"));
}

void page_token_revoke(struct req *r)
{
	/* The API's path is /users/:user/tokens/:token. */
	r->params[1] = r->params[0];
	r->params[0] = r->user_param = r->who.user_name;
	page_form_call(r, api_token_delete, NULL, to_list);
}
