/*
 * See share.h.
 */
#include "hub/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub/body.h"
#include "hub/model.h"
#include "hub/reply.h"
#include "hub/web.h"

/* ---- the server --------------------------------------------------- */

static int no_server(struct req *r, const char *owner, const char *name)
{
	char shown[160];
	const char *full = arena_printf(&r->http->arena, "%s/%s", owner, name);

	str_printable(shown, sizeof shown, full, strlen(full));
	reply_refusal(r, 404, "No such server: %s", shown);
	return -1;
}

int shared_server_find(struct req *r, const char *owner, const char *name,
    struct shared_server *out)
{
	struct arena *a = &r->http->arena;
	struct server_row row = { 0 };
	struct err err = { 0 };
	int found = user_find(r->app->db, a, owner, &out->owner, &err);

	if (found == 1) {
		found = server_row_find(
		    r->app->db, a, out->owner.id, name, &row, &err);
		/* Everybody has a default server, even if it never ran. */
		if (found == 0 && !*name)
			found = 1;
	}
	out->name = name;
	out->id = row.id;
	if (found == 1)
		return 0;
	if (found == 0)
		return no_server(r, owner, name);
	reply_err(r, &err);
	return -1;
}

int shared_server_make(struct req *r, struct shared_server *s)
{
	struct err err = { 0 };

	if (s->id != 0 || server_row_create(r->app->db, s->owner.id, s->name,
			      clock_wall_us(), &s->id, &err) == 0)
		return 0;
	reply_err(r, &err);
	return -1;
}

json_t *shared_server_model(struct req *r, const char *owner, const char *name)
{
	const char *origin = r->app->web->public_origin;
	const char *url = server_path(r->app, &r->http->arena, owner, name);
	const struct server *s = server_by_name(r->app, owner, name);

	return json_pack("{s:{s:s}, s:s, s:s, s:o, s:b}", "user", "name", owner,
	    "name", name, "url", url, "full_url",
	    origin ? json_string(
			 arena_printf(&r->http->arena, "%s%s", origin, url))
		   : json_null(),
	    "ready", s && server_is_ready(s));
}

/* ---- scopes ------------------------------------------------------- */

static int refuse_scope(struct req *r, const char *text, const char *why)
{
	char shown[SCOPE_LEN_MAX + 1];

	str_printable(shown, sizeof shown, text, strlen(text));
	reply_error(r, 400, "scopes: %s: %s", shown, why);
	return -1;
}

/* One scope, for this server and no other. */
static int read_scope(struct req *r, const char *text,
    const struct shared_server *s, struct scope_set *out)
{
	struct arena *a = &r->http->arena;
	const char *server = arena_printf(a, "%s/%s", s->owner.name, s->name);
	struct scope item;
	struct err err = { 0 };

	if (scope_parse(a, text, &item, &err) != 0)
		return refuse_scope(r, text, err.text);
	if (item.id == SCOPE_SELF || item.id == SCOPE_INHERIT ||
	    item.id == SCOPE_NO_SCOPE)
		return refuse_scope(r, text, "cannot be shared");
	if (item.filter != FILTER_NONE &&
	    (item.filter != FILTER_SERVER || !str_eq(item.value, server)))
		return refuse_scope(r, text,
		    arena_printf(
			a, "only the filter !server=%s is possible", server));
	item.filter = FILTER_NONE;
	if (scope_set_add(out, scope_text(a, &item), &err) != 0)
		return refuse_scope(r, text, err.text);
	return 0;
}

int share_scopes_read(struct req *r, const json_t *list,
    const struct shared_server *s, struct scope_set *out)
{
	const json_t *item;
	size_t i;

	scope_set_init(out, &r->http->arena);
	if (json_array_size(list) == 0)
		return read_scope(r, scope_name(SCOPE_ACCESS_SERVERS), s, out);
	if (body_strings(r, "scopes", list) != 0)
		return -1;
	json_array_foreach (list, i, item)
		if (read_scope(r, json_string_value(item), s, out) != 0)
			return -1;
	return 0;
}

int share_scopes_check(struct req *r, const struct shared_server *s,
    const struct scope_set *scopes)
{
	for (size_t i = 0; i < scopes->n; i++) {
		if (req_may(r, scopes->items[i].id, s->owner.name, s->name))
			continue;
		reply_error(r, 403,
		    "Do not have permission to grant share with scope "
		    "%s!server=%s/%s",
		    scope_text(&r->http->arena, &scopes->items[i]),
		    s->owner.name, s->name);
		return -1;
	}
	return 0;
}

const char *share_scopes_text(struct req *r, const struct scope_set *scopes)
{
	json_t *list = scope_set_json(scopes);
	char *text = json_text(list, NULL);
	const char *out = arena_strdup(&r->http->arena, text);

	free(text);
	json_decref(list);
	return out;
}

int share_scopes_parse(
    struct req *r, const char *text, struct scope_set *out, struct err *err)
{
	scope_set_init(out, &r->http->arena);
	return scope_set_add_stored(out, text, err);
}

json_t *share_scopes_model(
    struct req *r, const char *text, const char *owner, const char *name)
{
	struct arena *a = &r->http->arena;
	const char *const *names;
	struct scope_set set;
	json_t *list = json_array();
	size_t n;
	struct err err;

	if (share_scopes_parse(r, text, &set, &err) != 0)
		return list;
	scope_set_list(&set, a, &names, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		    list, json_string(arena_printf(
			      a, "%s!server=%s/%s", names[i], owner, name)));
	return list;
}

/* ---- shares ------------------------------------------------------- */

static json_t *named(const char *name)
{
	return name ? json_pack("{s:s}", "name", name) : json_null();
}

json_t *share_model(struct req *r, const struct share *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o}", "server",
	    shared_server_model(r, s->owner, s->server), "scopes",
	    share_scopes_model(r, s->scopes, s->owner, s->server), "user",
	    named(s->user), "group", named(s->group), "kind",
	    s->group ? "group" : "user", "created_at",
	    model_time(s->created_us));
}

int share_extend(struct req *r, int64_t server_id, struct share_with with,
    const struct scope_set *scopes, struct err *err)
{
	struct scope_set all;
	struct share old;
	int found =
	    share_find(r->app->db, &r->http->arena, server_id, with, &old, err);

	if (found < 0 ||
	    share_scopes_parse(r, found ? old.scopes : "[]", &all, err) != 0 ||
	    scope_set_join(&all, scopes, err) != 0)
		return -1;
	return share_put(r->app->db, server_id, with,
	    share_scopes_text(r, &all), clock_wall_us(), err);
}
