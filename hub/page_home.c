/*
 * The home page: one's servers with what can be done about each, as plain forms
 * that work without scripts; and the form's target for stopping.
 */
#include "hub/audit.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/model_service.h"
#include "hub/redirect.h"
#include "hub/service.h"
#include "hub/web.h"

/* Which words and buttons a server gets. */
static const char *state_of(const struct server *s)
{
	const char *pending = s ? server_pending(s) : NULL;

	if (s && server_is_ready(s))
		return "running";
	if (str_eq(pending, "spawn"))
		return "starting";
	if (str_eq(pending, "stop"))
		return "stopping";
	if (pending)
		return "checking";
	return s && server_failure(s) ? "failed" : "stopped";
}

static json_t *card(
    struct req *r, const char *user, const char *name, const char *label)
{
	struct server *s = server_by_name(r->app, user, name);
	const char *state = state_of(s);
	json_t *c = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "label",
	    label ? label : name, "state", state, "open_url",
	    server_path(r->app, &r->http->arena, user, name), "start_url",
	    req_server_url(r, "spawn", user, name), "stop_url",
	    req_server_url(r, "stop", user, name), "pending_url",
	    req_server_url(r, "spawn-pending", user, name));

	json_object_set_new(c, state, json_true());
	if (s && server_is_ready(s)) {
		json_object_set_new(
		    c, "since", model_time(server_started_us(s)));
		json_object_set_new(
		    c, "active", model_time(server_last_activity_us(s)));
	}
	if (str_eq(state, "failed"))
		json_object_set_new(
		    c, "failure", json_string(server_failure(s)));
	return c;
}

static bool is_moving(const json_t *card)
{
	return json_object_get(card, "starting") ||
	       json_object_get(card, "stopping") ||
	       json_object_get(card, "checking");
}

struct listing {
	struct req *r;
	json_t *cards;
};

static int add_named(const struct server_row *row, void *arg, struct err *err)
{
	struct listing *l = arg;

	(void)err;
	if (!row->name[0])
		return 0;
	json_t *c = card(l->r, row->user_name, row->name, row->display_name);
	json_object_set_new(c, "delete_url",
	    json_string(arena_printf(&l->r->http->arena, "%s/%s/delete",
		req_hub(l->r, "named-servers"),
		url_escape_segment(&l->r->http->arena, row->name))));
	json_array_append_new(l->cards, c);
	return 0;
}

/* Services that this person may use; what does not run says so. */
static json_t *service_cards(struct req *r)
{
	json_t *list = model_services_shown(r), *c;
	size_t i;

	json_array_foreach (list, i, c) {
		const struct service *s = service_find(
		    r->app, json_string_value(json_object_get(c, "name")));
		const char *state =
		    s && service_is_usable(s) ? "running" : "stopped";

		json_object_set_new(c, "state", json_string(state));
		json_object_set_new(c, state, json_true());
	}
	return list;
}

void page_home(struct req *r)
{
	struct listing l = { r, json_array() };
	struct err err = { 0 };

	json_array_append_new(
	    l.cards, card(r, r->who.user_name, "", "Notebook server"));
	if (r->app->cfg.allow_named_servers &&
	    server_row_each_of_user(
		r->app->db, r->who.user_id, add_named, &l, &err) != 0) {
		json_decref(l.cards);
		reply_err(r, &err);
		return;
	}
	bool moving = false;
	for (size_t i = 0; i < json_array_size(l.cards); i++)
		moving = moving || is_moving(json_array_get(l.cards, i));
	json_t *data =
	    json_pack("{s:s, s:o}", "title", "Home", "servers", l.cards);
	if (r->app->cfg.profiles.n > 1)
		json_object_set_new(data, "choose", json_true());
	if (r->app->cfg.allow_named_servers)
		json_object_set_new(data, "named_servers", json_true());
	json_object_set_new(data, "shown_services", service_cards(r));
	if (moving)
		json_object_set_new(data, "refresh", json_true());
	reply_page(r, 200, "home", data);
}

void page_stop(struct req *r)
{
	const char *name = req_server_name(r);
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	struct server *s = server_by_name(r->app, user.name, name);
	if (s && server_stop(r->app, s, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	if (s)
		audit_server(r, AUDIT_SERVER_STOP, user.name, name);
	const char *next = redirect_req_next(r);
	reply_redirect(r, 303, next ? next : req_hub(r, "home"));
}
