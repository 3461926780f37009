/*
 * See model.h.
 */
#include "hub/model.h"

#include <string.h>

#include "base/clock.h"
#include "hub/reply.h"
#include "hub/web.h"

/* ---- from the request --------------------------------------------- */

int req_user(struct req *r, struct user *out)
{
	const char *name = r->user_param ? r->user_param : r->who.user_name;
	struct err err = { 0 };
	int found = user_find(r->app->db, &r->http->arena, name, out, &err);

	if (found == 1)
		return 0;
	if (found < 0)
		reply_err(r, &err);
	else
		reply_no_access(r);
	return -1;
}

int req_group(struct req *r, struct group *out)
{
	char shown[80];
	struct err err = { 0 };
	int found =
	    group_find(r->app->db, &r->http->arena, r->group_param, out, &err);

	if (found == 1)
		return 0;
	if (found < 0) {
		reply_err(r, &err);
		return -1;
	}
	str_printable(
	    shown, sizeof shown, r->group_param, strlen(r->group_param));
	reply_error(r, 404, "No such group: %s", shown);
	return -1;
}

const char *req_server_name(const struct req *r)
{
	return r->server_param ? r->server_param : "";
}

const char *req_server_url(
    struct req *r, const char *prefix, const char *user, const char *server)
{
	struct arena *a = &r->http->arena;

	return arena_printf(a, "%s%s/%s%s%s", r->app->web->hub, prefix,
	    url_escape_segment(a, user), server[0] ? "/" : "",
	    url_escape_segment(a, server));
}

const char *req_own_origin(struct req *r)
{
	const char *host = http_header(r->http, "Host");

	if (!host)
		return "";
	return arena_printf(&r->http->arena, "%s://%s",
	    r->from_proxy && r->is_https ? "https" : "http", host);
}

bool req_may(
    struct req *r, enum scope_id id, const char *user, const char *server)
{
	const struct scope_resource res = { .user = user, .server = server };

	return principal_check(&r->who, r->app->db, id, &res) == SCOPE_GRANTED;
}

/* ---- servers ------------------------------------------------------ */

json_t *model_time(int64_t wall_us)
{
	char text[CLOCK_ISO_MAX];

	if (wall_us == 0)
		return json_null();
	clock_format_iso(wall_us, text);
	return json_string(text);
}

static json_t *maybe_string(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *options_of(const struct server_row *row)
{
	json_t *options = NULL;
	struct err err;

	if (!row || !row->options ||
	    json_parse(row->options, strlen(row->options), &options, &err) != 0)
		return json_object();
	return options;
}

static const char *progress_url(
    struct req *r, const char *user, const char *server)
{
	struct arena *a = &r->http->arena;
	const char *users = arena_printf(
	    a, "%sapi/users/%s", r->app->web->hub, url_escape_segment(a, user));

	if (!server[0])
		return arena_printf(a, "%s/server/progress", users);
	return arena_printf(
	    a, "%s/servers/%s/progress", users, url_escape_segment(a, server));
}

/* With public_url set, links are absolute too. */
static json_t *full_url(struct req *r, const char *path)
{
	const char *origin = r->app->web->public_origin;

	if (!origin)
		return json_null();
	return json_string(arena_printf(&r->http->arena, "%s%s", origin, path));
}

static int64_t activity_of(const struct server *s, const struct server_row *row)
{
	if (s)
		return server_last_activity_us(s);
	return row ? row->last_activity_us : 0;
}

static void set_state(json_t *m, const struct server *s)
{
	const char *pending = s ? server_pending(s) : NULL;
	bool ready = s && server_is_ready(s);

	json_object_set_new(
	    m, "started", model_time(s ? server_started_us(s) : 0));
	json_object_set_new(m, "pending", maybe_string(pending));
	json_object_set_new(m, "ready", json_boolean(ready));
	json_object_set_new(m, "stopped", json_boolean(!ready && !pending));
}

json_t *model_server_seen(struct req *r, const char *user,
    const struct server *s, const struct server_row *row, bool with_state)
{
	struct arena *a = &r->http->arena;
	const char *name = s ? server_name(s) : row->name;
	const char *path = server_path(r->app, a, user, name);
	const char *url = server_url(r->app, a, user, name);
	const char *progress = progress_url(r, user, name);
	json_t *m = json_object();

	json_object_set_new(m, "name", json_string(name));
	json_object_set_new(
	    m, "display_name", maybe_string(row ? row->display_name : NULL));
	json_object_set_new(
	    m, "full_name", json_string(arena_printf(a, "%s/%s", user, name)));
	json_object_set_new(
	    m, "last_activity", model_time(activity_of(s, row)));
	set_state(m, s);
	json_object_set_new(m, "url", json_string(url));
	json_object_set_new(m, "user_options", options_of(row));
	json_object_set_new(m, "progress_url", json_string(progress));
	json_object_set_new(m, "full_url",
	    domain_is_used(&r->app->cfg) ? json_string(url)
					 : full_url(r, path));
	json_object_set_new(m, "full_progress_url", full_url(r, progress));
	if (with_state)
		json_object_set_new(m, "state", json_object());
	return m;
}

json_t *model_server(struct req *r, const char *user, const struct server *s,
    const struct server_row *row)
{
	const char *name = s ? server_name(s) : row->name;

	return model_server_seen(
	    r, user, s, row, req_may(r, SCOPE_ADMIN_SERVER_STATE, user, name));
}
