/*
 * Named servers on the home page: a new one under the name that the person
 * gives it, and the end of one (contract/hub.md 5.6).
 */
#include <string.h>

#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/page_form.h"
#include "hub/reply.h"
#include "hub/server_name.h"

/* ---- a new one ---------------------------------------------------- */

static void to_start(struct req *r, int status, json_t *take)
{
	(void)status;
	json_decref(take);
	reply_redirect(r, 303,
	    req_server_url(r, "spawn", r->who.user_name, r->server_param));
}

/* A name for the address that this person has not used. 0/-1 */
static int pick_name(struct req *r, const char *display, struct err *err)
{
	struct arena *a = &r->http->arena;
	char slug[SERVER_SLUG_MAX + 1];
	struct server_row row;
	int found;

	server_name_slug(display, false, slug);
	found = server_row_find(r->app->db, a, r->who.user_id, slug, &row, err);
	if (found < 0)
		return -1;
	if (found)
		server_name_slug(display, true, slug);
	r->server_param = arena_strdup(a, slug);
	return 0;
}

void page_servers_new(struct req *r)
{
	const char *display = page_form_text(r, "display_name");
	struct err err = { 0 };

	if (pick_name(r, display, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	r->user_param = r->who.user_name;
	if (!req_may(r, SCOPE_START_SERVERS, r->user_param, r->server_param)) {
		reply_no_access(r);
		return;
	}
	page_form_call(r, api_server_put,
	    json_pack("{s:s}", "display_name", display), to_start);
}

/* ---- the end of one ----------------------------------------------- */

static void to_home(struct req *r, int status, json_t *take)
{
	(void)status;
	json_decref(take);
	reply_redirect(r, 303, req_hub(r, "home"));
}

void page_servers_delete(struct req *r)
{
	r->user_param = r->who.user_name;
	page_form_call(
	    r, api_server_delete, json_pack("{s:b}", "remove", 1), to_home);
}
