/*
 * Creating, changing and deleting one user (contract/hub.md 1.6). Only
 * administrators make administrators, and only they touch them.
 */
#include <string.h>

#include "auth/rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "hub/auth_state.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/model.h"

static void log_deed(struct req *r, const char *deed, const char *name)
{
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "user administration", "deed=%s name=%s", deed, name);
}

static void reply_user(struct req *r, int status, const struct user *u)
{
	model_reply_user(r, status, u, MODEL_ACTIVE_ONLY);
}

static int refuse(struct req *r, int status, const char *text)
{
	reply_error(r, status, "%s", text);
	return -1;
}

/* ---- create ------------------------------------------------------- */

/* The name of the path, made normal as at a login. -1: answered. */
static int normal_name(struct req *r, struct user *out)
{
	char name[RULES_NAME_MAX + 1], shown[80];
	struct err err;

	if (rules_normalise(r->app->rules, r->user_param, name, &err) != 0) {
		str_printable(
		    shown, sizeof shown, r->user_param, strlen(r->user_param));
		reply_error(
		    r, 400, "Failed to create user: %s: %s", shown, err.text);
		return -1;
	}
	out->name = arena_strdup(&r->http->arena, name);
	return 0;
}

void api_user_post(struct req *r)
{
	static const struct body_key keys[] = { { "admin", BODY_BOOL }, { 0 } };
	struct user u = { .created_us = clock_wall_us() };
	json_t *body;
	struct err err = { 0 };
	int has = body_object(r, "user", keys, &body);

	if (has < 0)
		return;
	u.admin = has && json_is_true(json_object_get(body, "admin"));
	if (u.admin && !r->who.admin) {
		reply_error(r, 403, "Only admins can grant admin permissions");
		return;
	}
	if (normal_name(r, &u) != 0)
		return;
	if (user_create(
		r->app->db, u.name, u.admin, u.created_us, &u.id, &err) == 0) {
		log_deed(r, "create", u.name);
		reply_user(r, 201, &u);
	} else if (err.code == ERR_EXISTS) {
		reply_error(r, 409, "User %s already exists", u.name);
	} else {
		reply_err(r, &err);
	}
}

/* ---- change ------------------------------------------------------- */

struct change {
	const char *name; /* NULL: stays */
	bool sets_admin, admin;
	const json_t *auth_state; /* NULL: stays; null: none is kept */
};

static bool has_active_server(struct app *app, int64_t user_id)
{
	struct server *s;
	size_t pos = 0;

	while ((s = server_next_of(app, user_id, &pos)) != NULL)
		if (server_is_ready(s) || server_pending(s))
			return true;
	return false;
}

/* Servers that failed are remembered by the person's name: no longer. */
static int forget_failures(struct app *app, int64_t user_id, struct err *err)
{
	struct server *s;
	size_t pos = 0;

	while ((s = server_next_of(app, user_id, &pos)) != NULL) {
		if (server_is_ready(s) || server_pending(s))
			continue;
		if (server_stop(app, s, err) != 0)
			return -1;
		pos = 0;
	}
	return 0;
}

static int read_name(
    struct req *r, const struct user *u, const json_t *value, struct change *c)
{
	char name[RULES_NAME_MAX + 1];
	struct user other;
	struct err err = { 0 };

	if (rules_normalise(
		r->app->rules, json_string_value(value), name, &err) != 0) {
		reply_error(r, 400, "Invalid username: %s", err.text);
		return -1;
	}
	if (!strcmp(name, u->name))
		return 0;
	int found = user_find(r->app->db, &r->http->arena, name, &other, &err);
	if (found < 0) {
		reply_err(r, &err);
		return -1;
	}
	if (found) {
		reply_error(r, 400,
		    "User %s already exists, username must be unique", name);
		return -1;
	}
	if (has_active_server(r->app, u->id)) {
		reply_error(r, 400,
		    "%s has a server that runs. Please stop it before "
		    "renaming.",
		    u->name);
		return -1;
	}
	c->name = arena_strdup(&r->http->arena, name);
	return 0;
}

static int read_change(
    struct req *r, const struct user *u, const json_t *body, struct change *c)
{
	const json_t *name = json_object_get(body, "name");
	const json_t *admin = json_object_get(body, "admin");

	if (json_object_get(body, "groups"))
		return refuse(r, 400,
		    "user.groups cannot be changed here; use POST and DELETE "
		    "of /groups/{name}/users");
	if (json_object_get(body, "roles"))
		return refuse(r, 400,
		    "user.roles cannot be changed here; roles are assigned in "
		    "the configuration");
	c->auth_state = json_object_get(body, "auth_state");
	if (json_is_object(c->auth_state) && !r->app->cfg.enable_auth_state)
		return refuse(r, 400,
		    "user.auth_state cannot be stored: it is not enabled "
		    "(auth.enable_auth_state)");
	if (admin) {
		c->sets_admin = true;
		c->admin = json_is_true(admin);
	}
	if (!r->who.admin && u->admin)
		return refuse(r, 403, "Only admins can modify other admins");
	if (!r->who.admin && c->admin)
		return refuse(
		    r, 403, "Only admins can grant admin permissions");
	return name ? read_name(r, u, name, c) : 0;
}

static int write_change(
    struct req *r, struct user *u, const struct change *c, struct err *err)
{
	struct db *db = r->app->db;

	if (c->sets_admin && user_set_admin(db, u->id, c->admin, err) != 0)
		return -1;
	if (c->name && user_rename(db, u->id, c->name, err) != 0)
		return -1;
	if (!c->auth_state || !r->app->cfg.enable_auth_state)
		return 0;
	return login_state_set_sealed(db, u->id,
	    auth_state_seal(r->app, &r->http->arena, u->id,
		json_is_object(c->auth_state) ? c->auth_state : NULL),
	    err);
}

static int make_change(
    struct req *r, struct user *u, const struct change *c, struct err *err)
{
	if (c->name && forget_failures(r->app, u->id, err) != 0)
		return -1;
	if (db_begin(r->app->db, err) != 0)
		return -1;
	if (write_change(r, u, c, err) != 0) {
		db_rollback(r->app->db);
		return -1;
	}
	if (db_commit(r->app->db, err) != 0)
		return -1;
	log_deed(r, c->name ? "rename" : "change", u->name);
	if (c->name)
		u->name = c->name;
	if (c->sets_admin)
		u->admin = c->admin;
	return 0;
}

void api_user_patch(struct req *r)
{
	static const struct body_key keys[] = {
		{ "name", BODY_STR },
		{ "admin", BODY_BOOL },
		{ "groups", BODY_LIST },
		{ "roles", BODY_LIST },
		{ "auth_state", BODY_OBJECT },
		{ 0 },
	};
	struct change c = { 0 };
	struct user u;
	json_t *body;
	struct err err = { 0 };

	if (req_user(r, &u) != 0)
		return;
	int has = body_object(r, "user", keys, &body);
	if (has < 0)
		return;
	if (!has) {
		reply_error(
		    r, 400, "Invalid JSON data: the body must be an object");
		return;
	}
	if (read_change(r, &u, body, &c) != 0)
		return;
	if (make_change(r, &u, &c, &err) != 0)
		reply_err(r, &err);
	else
		reply_user(r, 200, &u);
}
