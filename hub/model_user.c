/*
 * Users as JSON, a page at a time: see model.h.
 */
#include <string.h>
#include <strings.h>

#include "db/group.h"
#include "db/role.h"
#include "hub/auth_state.h"
#include "hub/model.h"

/* One user of the page, with what was read for all of them at once. */
struct person {
	const struct user *user;
	json_t *groups;  /* names, sorted */
	json_t *roles;   /* the same */
	json_t *servers; /* models */
};

struct crowd {
	struct req *r;
	struct person *people;
	int64_t *ids;
	size_t n, last; /* last: where the walk was */
	enum model_stopped stopped;
};

enum model_stopped model_stopped(const struct req *r)
{
	const char *v = url_pair_get(&r->query, "include_stopped_servers");

	return v && strcasecmp(v, "0") != 0 && strcasecmp(v, "false") != 0
		   ? MODEL_STOPPED_TOO
		   : MODEL_ACTIVE_ONLY;
}

/* ---- what may be seen --------------------------------------------- */

/* Groups were read already: no question to the database for each. */
static bool is_in_group(const char *user, const char *group, void *arg)
{
	const struct person *p = arg;
	size_t i;
	json_t *name;

	(void)user;
	json_array_foreach (p->groups, i, name)
		if (!strcmp(json_string_value(name), group))
			return true;
	return false;
}

static bool may(const struct crowd *c, struct person *p, enum scope_id id,
    const char *server)
{
	const struct scope_resource res = { .user = p->user->name,
		.server = server };

	return scope_check(&c->r->who.scopes, id, &res, is_in_group, p) ==
	       SCOPE_GRANTED;
}

/* ---- reading the page --------------------------------------------- */

/* Rows come by user; usually it is the one of the row before. */
static struct person *person_of(struct crowd *c, int64_t user_id)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t at = (c->last + i) % c->n;
		if (c->ids[at] == user_id) {
			c->last = at;
			return &c->people[at];
		}
	}
	return NULL;
}

static int take_group(
    int64_t user_id, const char *group, void *arg, struct err *err)
{
	struct person *p = person_of(arg, user_id);

	(void)err;
	if (p)
		json_array_append_new(p->groups, json_string(group));
	return 0;
}

static int take_role(
    int64_t user_id, const char *role, void *arg, struct err *err)
{
	struct person *p = person_of(arg, user_id);

	(void)err;
	if (p && strcmp(role, "admin") != 0 && strcmp(role, "user") != 0)
		json_array_append_new(p->roles, json_string(role));
	return 0;
}

static bool is_active(const struct server *s)
{
	return s && (server_is_ready(s) || server_pending(s));
}

static void add_server(
    struct crowd *c, struct person *p, const struct server_row *row)
{
	const char *user = p->user->name;
	struct server *s = server_by_name(c->r->app, user, row->name);

	if (!is_active(s) && c->stopped == MODEL_ACTIVE_ONLY)
		return;
	if (!may(c, p, SCOPE_READ_SERVERS, row->name))
		return;
	json_object_set_new(p->servers, row->name,
	    model_server_seen(c->r, user, s, row,
		may(c, p, SCOPE_ADMIN_SERVER_STATE, row->name)));
}

static int take_server(const struct server_row *row, void *arg, struct err *err)
{
	struct person *p = person_of(arg, row->user_id);

	(void)err;
	if (p)
		add_server(arg, p, row);
	return 0;
}

/* Everybody has a default server, even if it never ran. */
static void add_default(struct crowd *c, struct person *p)
{
	const struct server_row never = { .name = "" };

	if (c->stopped == MODEL_STOPPED_TOO && !json_object_get(p->servers, ""))
		add_server(c, p, &never);
}

/* Who has rows that matter: what is at rest is read only when asked for. */
static int read_servers(struct crowd *c, struct err *err)
{
	int64_t *ids = arena_array(&c->r->http->arena, c->n, sizeof *ids);
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		size_t pos = 0;
		if (c->stopped == MODEL_STOPPED_TOO ||
		    server_next_of(c->r->app, c->ids[i], &pos))
			ids[n++] = c->ids[i];
	}
	if (server_row_each_of_users(
		c->r->app->db, ids, n, take_server, c, err) != 0)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		add_default(c, &c->people[i]);
	return 0;
}

static int crowd_read(struct crowd *c, struct err *err)
{
	if (group_each_of_users(
		c->r->app->db, c->ids, c->n, take_group, c, err) != 0)
		return -1;
	if (role_each_of_users(
		c->r->app->db, c->ids, c->n, take_role, c, err) != 0)
		return -1;
	return read_servers(c, err);
}

static void crowd_begin(struct crowd *c, const struct user *users, size_t n)
{
	struct arena *a = &c->r->http->arena;

	c->n = n;
	c->people = arena_array(a, n, sizeof *c->people);
	c->ids = arena_array(a, n, sizeof *c->ids);
	for (size_t i = 0; i < n; i++) {
		c->people[i].user = &users[i];
		c->people[i].groups = json_array();
		c->people[i].roles = users[i].admin
					 ? json_pack("[s, s]", "admin", "user")
					 : json_pack("[s]", "user");
		c->people[i].servers = json_object();
		c->ids[i] = users[i].id;
	}
}

static void crowd_end(struct crowd *c)
{
	for (size_t i = 0; i < c->n; i++) {
		json_decref(c->people[i].groups);
		json_decref(c->people[i].roles);
		json_decref(c->people[i].servers);
	}
}

/* ---- one model ---------------------------------------------------- */

static void set_default_server(
    const struct crowd *c, const struct user *u, json_t *m)
{
	struct app *app = c->r->app;
	struct server *s = server_by_name(app, u->name, "");
	const char *pending = s ? server_pending(s) : NULL;

	json_object_set_new(m, "server",
	    s && server_is_ready(s)
		? json_string(server_url(app, &c->r->http->arena, u->name, ""))
		: json_null());
	json_object_set_new(
	    m, "pending", pending ? json_string(pending) : json_null());
	json_object_set_new(m, "created", model_time(u->created_us));
}

/* What `read:users` gives, by parts. */
static void set_user(const struct crowd *c, struct person *p, json_t *m)
{
	const struct user *u = p->user;
	bool all = may(c, p, SCOPE_READ_USERS, NULL);
	bool name = all || may(c, p, SCOPE_READ_USERS_NAME, NULL);
	bool roles = all || may(c, p, SCOPE_READ_ROLES_USERS, NULL);

	if (name || roles)
		json_object_set_new(m, "admin", json_boolean(u->admin));
	if (name)
		json_object_set_new(m, "user_info", json_null());
	if (roles)
		json_object_set(m, "roles", p->roles);
	if (all || may(c, p, SCOPE_READ_USERS_GROUPS, NULL))
		json_object_set(m, "groups", p->groups);
	if (all)
		set_default_server(c, u, m);
	if (all || may(c, p, SCOPE_READ_USERS_ACTIVITY, NULL))
		json_object_set_new(
		    m, "last_activity", model_time(u->last_activity_us));
}

/* NULL: nothing of this user may be seen. */
static json_t *build(const struct crowd *c, struct person *p)
{
	json_t *m = json_object();

	set_user(c, p, m);
	if (may(c, p, SCOPE_READ_SERVERS, NULL) ||
	    json_object_size(p->servers) > 0)
		json_object_set(m, "servers", p->servers);
	if (may(c, p, SCOPE_ADMIN_AUTH_STATE, NULL))
		json_object_set_new(m, "auth_state", json_null());
	if (json_object_size(m) == 0) {
		json_decref(m);
		return NULL;
	}
	json_object_set_new(m, "kind", json_string("user"));
	json_object_set_new(m, "name", json_string(p->user->name));
	return m;
}

int model_users(struct req *r, const struct user *users, size_t n,
    enum model_stopped stopped, json_t **list_out, struct err *err)
{
	struct crowd c = { .r = r, .stopped = stopped };
	int rc;

	crowd_begin(&c, users, n);
	rc = crowd_read(&c, err);
	*list_out = rc == 0 ? json_array() : NULL;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		json_t *m = build(&c, &c.people[i]);
		if (m)
			json_array_append_new(*list_out, m);
	}
	crowd_end(&c);
	return rc;
}

/* Of one user alone; lists have null there (contract/hub.md 1.4). */
static int put_auth_state(
    struct req *r, const struct user *u, json_t *model, struct err *err)
{
	json_t *state;

	if (!json_object_get(model, "auth_state"))
		return 0;
	if (auth_state_get(r->app, u->id, &state, err) != 0)
		return -1;
	if (state)
		json_object_set_new(model, "auth_state", state);
	return 0;
}

int model_user(struct req *r, const struct user *u, enum model_stopped stopped,
    json_t **out, struct err *err)
{
	struct crowd c = { .r = r, .stopped = stopped };
	int rc;

	crowd_begin(&c, u, 1);
	rc = crowd_read(&c, err);
	*out = rc == 0 ? build(&c, &c.people[0]) : NULL;
	if (rc == 0 && !*out)
		*out = json_pack("{s:s, s:s}", "kind", "user", "name", u->name);
	if (rc == 0)
		rc = put_auth_state(r, u, *out, err);
	if (rc != 0)
		json_decref(*out);
	crowd_end(&c);
	return rc;
}
