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

json_t *model_server(struct req *r, const char *user, const struct server *s,
    const struct server_row *row)
{
	const char *name = s ? server_name(s) : row->name;
	const char *pending = s ? server_pending(s) : NULL;
	bool ready = s && server_is_ready(s);
	const char *url = server_path(r->app, &r->http->arena, user, name);
	const char *progress = progress_url(r, user, name);
	json_t *m = json_object();

	json_object_set_new(m, "name", json_string(name));
	json_object_set_new(m, "display_name", json_null());
	json_object_set_new(m, "full_name",
	    json_string(arena_printf(&r->http->arena, "%s/%s", user, name)));
	json_object_set_new(
	    m, "last_activity", model_time(activity_of(s, row)));
	json_object_set_new(
	    m, "started", model_time(s ? server_started_us(s) : 0));
	json_object_set_new(m, "pending", maybe_string(pending));
	json_object_set_new(m, "ready", json_boolean(ready));
	json_object_set_new(m, "stopped", json_boolean(!ready && !pending));
	json_object_set_new(m, "url", json_string(url));
	json_object_set_new(m, "user_options", options_of(row));
	json_object_set_new(m, "progress_url", json_string(progress));
	json_object_set_new(m, "full_url", full_url(r, url));
	json_object_set_new(m, "full_progress_url", full_url(r, progress));
	if (req_may(r, SCOPE_ADMIN_SERVER_STATE, user, name))
		json_object_set_new(m, "state", json_object());
	return m;
}

struct collect {
	struct req *r;
	const struct user *user;
	json_t *servers;
	bool with_stopped;
};

static bool is_active(const struct server *s)
{
	return s && (server_is_ready(s) || server_pending(s));
}

static int collect_row(const struct server_row *row, void *arg, struct err *err)
{
	struct collect *c = arg;
	const char *user = c->user->name;
	struct server *s = server_by_name(c->r->app, user, row->name);

	(void)err;
	if (!is_active(s) && !c->with_stopped)
		return 0;
	if (req_may(c->r, SCOPE_READ_SERVERS, user, row->name))
		json_object_set_new(
		    c->servers, row->name, model_server(c->r, user, s, row));
	return 0;
}

/* ---- users -------------------------------------------------------- */

static json_t *roles_of(const struct user *u)
{
	return u->admin ? json_pack("[s, s]", "admin", "user")
			: json_pack("[s]", "user");
}

static int set_groups(
    struct req *r, const struct user *u, json_t *m, struct err *err)
{
	const char *const *groups;
	size_t n;
	json_t *list = json_array();

	if (user_groups(r->app->db, &r->http->arena, u->id, &groups, &n, err) !=
	    0) {
		json_decref(list);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(groups[i]));
	json_object_set_new(m, "groups", list);
	return 0;
}

static void set_default_server(struct req *r, const struct user *u, json_t *m)
{
	struct server *s = server_by_name(r->app, u->name, "");
	bool ready = s && server_is_ready(s);

	json_object_set_new(m, "server",
	    ready
		? json_string(server_path(r->app, &r->http->arena, u->name, ""))
		: json_null());
	json_object_set_new(
	    m, "pending", maybe_string(s ? server_pending(s) : NULL));
	json_object_set_new(m, "created", model_time(u->created_us));
}

static int set_servers(struct req *r, const struct user *u, bool with_stopped,
    json_t *m, struct err *err)
{
	struct collect c = { r, u, json_object(), with_stopped };

	if (server_row_each_of_user(r->app->db, u->id, collect_row, &c, err) !=
	    0) {
		json_decref(c.servers);
		return -1;
	}
	if (req_may(r, SCOPE_READ_SERVERS, u->name, NULL) ||
	    json_object_size(c.servers) > 0)
		json_object_set_new(m, "servers", c.servers);
	else
		json_decref(c.servers);
	return 0;
}

static int set_fields(struct req *r, const struct user *u, bool with_stopped,
    json_t *m, struct err *err)
{
	bool all = req_may(r, SCOPE_READ_USERS, u->name, NULL);
	bool name = all || req_may(r, SCOPE_READ_USERS_NAME, u->name, NULL);
	bool roles = all || req_may(r, SCOPE_READ_ROLES_USERS, u->name, NULL);

	if (name || roles)
		json_object_set_new(m, "admin", json_boolean(u->admin));
	if (name)
		json_object_set_new(m, "user_info", json_null());
	if (roles)
		json_object_set_new(m, "roles", roles_of(u));
	if ((all || req_may(r, SCOPE_READ_USERS_GROUPS, u->name, NULL)) &&
	    set_groups(r, u, m, err) != 0)
		return -1;
	if (all)
		set_default_server(r, u, m);
	if (all || req_may(r, SCOPE_READ_USERS_ACTIVITY, u->name, NULL))
		json_object_set_new(
		    m, "last_activity", model_time(u->last_activity_us));
	if (req_may(r, SCOPE_ADMIN_AUTH_STATE, u->name, NULL))
		json_object_set_new(m, "auth_state", json_null());
	return set_servers(r, u, with_stopped, m, err);
}

int model_user(struct req *r, const struct user *u, bool with_stopped,
    json_t **out, struct err *err)
{
	json_t *m = json_pack("{s:s, s:s}", "kind", "user", "name", u->name);

	if (set_fields(r, u, with_stopped, m, err) != 0) {
		json_decref(m);
		return -1;
	}
	*out = m;
	return 0;
}
