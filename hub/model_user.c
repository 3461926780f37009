/*
 * Users as JSON, a page at a time: see model.h.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "db/group.h"
#include "db/role.h"
#include "hub/auth_state.h"
#include "hub/model.h"

struct names {
	const char **items;
	size_t n, cap;
};

/* One user of the page, with what was read for all of them at once. */
struct person {
	const struct user *user;
	struct names groups, roles; /* sorted */
	json_t *servers;            /* models by name; NULL: none */
};

struct crowd {
	struct req *r;
	struct person *people;
	int64_t *ids;
	size_t n, last; /* last: where the walk was */
	enum model_stopped stopped;
	bool of_all[SCOPE_N_IDS]; /* scopes held without a filter */
	/* Of one user alone; lists have null there (contract/hub.md 1.4). */
	json_t *auth_state;
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

	(void)user;
	for (size_t i = 0; i < p->groups.n; i++)
		if (!strcmp(p->groups.items[i], group))
			return true;
	return false;
}

static bool may(const struct crowd *c, struct person *p, enum scope_id id,
    const char *server)
{
	const struct scope_resource res = { .user = p->user->name,
		.server = server };

	return c->of_all[id] || scope_check(&c->r->who.scopes, id, &res,
				    is_in_group, p) == SCOPE_GRANTED;
}

/* ---- reading the page --------------------------------------------- */

static void names_add(struct crowd *c, struct names *list, const char *name)
{
	struct arena *a = &c->r->http->arena;

	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 4;
		const char **items = arena_array(a, cap, sizeof *items);

		for (size_t i = 0; i < list->n; i++)
			items[i] = list->items[i];
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = arena_strdup(a, name);
}

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
		names_add(arg, &p->groups, group);
	return 0;
}

static int take_role(
    int64_t user_id, const char *role, void *arg, struct err *err)
{
	struct person *p = person_of(arg, user_id);

	(void)err;
	if (p && strcmp(role, "admin") != 0 && strcmp(role, "user") != 0)
		names_add(arg, &p->roles, role);
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
	if (!p->servers)
		p->servers = json_object();
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
	static const char *default_roles[] = { "admin", "user" };
	const struct scope_set *held = &c->r->who.scopes;
	struct arena *a = &c->r->http->arena;

	c->n = n;
	c->people = arena_array(a, n, sizeof *c->people);
	c->ids = arena_array(a, n, sizeof *c->ids);
	for (size_t i = 0; i < held->n; i++)
		if (held->items[i].filter == FILTER_NONE)
			c->of_all[held->items[i].id] = true;
	for (size_t i = 0; i < n; i++) {
		struct names *roles = &c->people[i].roles;

		c->people[i].user = &users[i];
		roles->n = roles->cap = users[i].admin ? 2 : 1;
		roles->items = default_roles + 2 - roles->n;
		c->ids[i] = users[i].id;
	}
}

static void crowd_end(struct crowd *c)
{
	for (size_t i = 0; i < c->n; i++)
		json_decref(c->people[i].servers);
}

/* ---- one model ---------------------------------------------------- */

static void put_names(
    struct jsonw *w, const char *key, const struct names *list)
{
	jsonw_key(w, key);
	jsonw_open(w, '[');
	for (size_t i = 0; i < list->n; i++)
		jsonw_str(w, list->items[i]);
	jsonw_close(w, ']');
}

static void put_time(struct jsonw *w, const char *key, int64_t wall_us)
{
	char text[CLOCK_ISO_MAX];

	jsonw_key(w, key);
	if (wall_us == 0) {
		jsonw_null(w);
		return;
	}
	clock_format_iso(wall_us, text);
	jsonw_str(w, text);
}

static void put_default_server(
    const struct crowd *c, const struct user *u, struct jsonw *w)
{
	struct app *app = c->r->app;
	struct server *s = server_by_name(app, u->name, "");

	jsonw_key(w, "server");
	jsonw_str(w, s && server_is_ready(s)
			 ? server_path(app, &c->r->http->arena, u->name, "")
			 : NULL);
	jsonw_key(w, "pending");
	jsonw_str(w, s ? server_pending(s) : NULL);
	put_time(w, "created", u->created_us);
}

/* What `read:users` gives, by parts. */
static void put_parts(const struct crowd *c, struct person *p, struct jsonw *w)
{
	const struct user *u = p->user;
	bool all = may(c, p, SCOPE_READ_USERS, NULL);
	bool name = all || may(c, p, SCOPE_READ_USERS_NAME, NULL);
	bool roles = all || may(c, p, SCOPE_READ_ROLES_USERS, NULL);

	if (name || roles) {
		jsonw_key(w, "admin");
		jsonw_bool(w, u->admin);
	}
	if (name) {
		jsonw_key(w, "user_info");
		jsonw_null(w);
	}
	if (roles)
		put_names(w, "roles", &p->roles);
	if (all || may(c, p, SCOPE_READ_USERS_GROUPS, NULL))
		put_names(w, "groups", &p->groups);
	if (all)
		put_default_server(c, u, w);
	if (all || may(c, p, SCOPE_READ_USERS_ACTIVITY, NULL))
		put_time(w, "last_activity", u->last_activity_us);
}

static void put_servers(const struct person *p, struct jsonw *w)
{
	jsonw_key(w, "servers");
	if (p->servers) {
		jsonw_value(w, p->servers);
		return;
	}
	jsonw_open(w, '{');
	jsonw_close(w, '}');
}

/* All but kind and name; false: there is nothing that may be seen. */
static bool put_seen(const struct crowd *c, struct person *p, struct jsonw *w)
{
	size_t before = w->buf.len;

	put_parts(c, p, w);
	if (p->servers || may(c, p, SCOPE_READ_SERVERS, NULL))
		put_servers(p, w);
	if (may(c, p, SCOPE_ADMIN_AUTH_STATE, NULL)) {
		jsonw_key(w, "auth_state");
		if (c->auth_state)
			jsonw_value(w, c->auth_state);
		else
			jsonw_null(w);
	}
	return w->buf.len > before;
}

static void put_identity(const struct user *u, struct jsonw *w)
{
	jsonw_key(w, "kind");
	jsonw_str(w, "user");
	jsonw_key(w, "name");
	jsonw_str(w, u->name);
}

int model_users(struct req *r, const struct user *users, size_t n,
    enum model_stopped stopped, struct jsonw *out, struct err *err)
{
	struct crowd c = { .r = r, .stopped = stopped };
	int rc;

	crowd_begin(&c, users, n);
	rc = crowd_read(&c, err);
	jsonw_open(out, '[');
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct jsonw_mark before = jsonw_mark(out);

		jsonw_open(out, '{');
		if (put_seen(&c, &c.people[i], out)) {
			put_identity(&users[i], out);
			jsonw_close(out, '}');
		} else {
			jsonw_undo(out, before);
		}
	}
	jsonw_close(out, ']');
	crowd_end(&c);
	return rc;
}

int model_user(struct req *r, const struct user *u, enum model_stopped stopped,
    struct jsonw *out, struct err *err)
{
	struct crowd c = { .r = r, .stopped = stopped };
	int rc;

	crowd_begin(&c, u, 1);
	rc = crowd_read(&c, err);
	if (rc == 0 && may(&c, &c.people[0], SCOPE_ADMIN_AUTH_STATE, NULL))
		rc = auth_state_get(r->app, u->id, &c.auth_state, err);
	if (rc == 0) {
		(void)put_seen(&c, &c.people[0], out);
		put_identity(u, out);
	}
	json_decref(c.auth_state);
	crowd_end(&c);
	return rc;
}

void model_reply_user(
    struct req *r, int status, const struct user *u, enum model_stopped stopped)
{
	struct jsonw w;
	struct err err = { 0 };

	jsonw_init(&w);
	jsonw_open(&w, '{');
	if (model_user(r, u, stopped, &w, &err) == 0) {
		jsonw_close(&w, '}');
		reply_jsonw(r, status, &w);
	} else {
		reply_err(r, &err);
	}
	jsonw_fini(&w);
}
