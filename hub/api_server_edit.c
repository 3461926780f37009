/*
 * Named servers: made, changed, renamed (contract/hub.md 1.8). See
 * server_wish.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/body.h"
#include "hub/handlers.h"
#include "hub/server_name.h"
#include "hub/server_wish.h"

#define OPTIONS_MAX 32768

static int refuse(struct req *r, int status, const char *text)
{
	reply_error(r, status, "%s", text);
	return -1;
}

bool server_refuse_named(struct req *r)
{
	if (!*req_server_name(r) || r->app->cfg.allow_named_servers)
		return false;
	reply_error(r, 400, "Named servers are not enabled.");
	return true;
}

void server_reply_unknown(struct req *r, const struct user *user)
{
	const char *name = req_server_name(r);
	char shown[80];

	str_printable(shown, sizeof shown, name, strlen(name));
	reply_error(r, 404, "%s has no server named '%s'", user->name, shown);
}

static int find_row(struct req *r, const struct user *user, const char *name,
    struct server_row *out, struct err *err)
{
	return server_row_find(
	    r->app->db, &r->http->arena, user->id, name, out, err);
}

/* ---- bodies ------------------------------------------------------- */

static int read_display(struct req *r, const json_t *name, const char **out)
{
	struct err err;

	if (!json_is_string(name))
		return refuse(r, 400, "display_name must be a string");
	if (server_display_normal(
		&r->http->arena, json_string_value(name), out, &err) != 0)
		return refuse(r, 400, err.text);
	return 0;
}

/* With neither key present the whole body is the options, as clients before 6.0
 * sent them. */
int server_wish_read(struct req *r, struct server_wish *out)
{
	json_t *body;
	int has = req_json(r, &body);

	*out = (struct server_wish){ 0 };
	if (has <= 0 || json_is_null(body))
		return has < 0 ? -1 : 0;
	if (!json_is_object(body))
		return refuse(r, 400, "Body must be a JSON object");
	const json_t *name = json_object_get(body, "display_name");
	const json_t *options = json_object_get(body, "user_options");
	if (!name && !options) {
		out->options = body;
		return 0;
	}
	if (name && read_display(r, name, &out->display_name) != 0)
		return -1;
	if (options && !json_is_object(options) && !json_is_null(options))
		return refuse(r, 400, "user_options must be an object or null");
	out->options = json_is_object(options) ? options : NULL;
	return 0;
}

/* NULL: none. ERR_INVALID: too long. */
static int options_text(
    struct req *r, const json_t *options, const char **out, struct err *err)
{
	size_t len;

	*out = NULL;
	if (!options)
		return 0;
	char *text = json_text(options, &len);
	*out = arena_strdup(&r->http->arena, text);
	free(text);
	if (len <= OPTIONS_MAX)
		return 0;
	return err_set(err, ERR_INVALID,
	    "user_options have %zu bytes; at most %d are kept", len,
	    OPTIONS_MAX);
}

/* ---- may it come to be -------------------------------------------- */

static int check_new(
    struct req *r, const struct user *user, const char *name, struct err *err)
{
	int64_t limit = r->app->cfg.named_server_limit, n = 0;

	if (server_name_check(name, true, err) != 0)
		return -1;
	if (!*name || limit == 0)
		return 0;
	if (server_count_named(r->app->db, user->id, &n, err) != 0)
		return -1;
	if (n < limit)
		return 0;
	return err_set(err, ERR_INVALID,
	    "User %s already has the maximum of %" PRId64 " named servers.  "
	    "One must be deleted before a new server can be created",
	    user->name, limit);
}

static int create(struct req *r, const struct user *user, const char *name,
    const struct server_change *c, struct err *err)
{
	struct db *db = r->app->db;
	int64_t id;

	if (db_begin(db, err) != 0)
		return -1;
	if (server_row_create(db, user->id, name, clock_wall_us(), &id, err) ==
		0 &&
	    server_row_change(db, id, c, err) == 0)
		return db_commit(db, err);
	db_rollback(db);
	return -1;
}

int server_wish_prepare(struct req *r, const struct user *user,
    const struct server_wish *w, struct err *err)
{
	const struct server_change c = { .display_name = w->display_name };
	const char *name = req_server_name(r);
	struct server_row row;
	int found = find_row(r, user, name, &row, err);

	if (found < 0 || (!found && check_new(r, user, name, err) != 0))
		return -1;
	if (!w->display_name)
		return 0;
	if (!found)
		return create(r, user, name, &c, err);
	return server_row_change(r->app->db, row.id, &c, err);
}

/* ---- PUT ---------------------------------------------------------- */

static void reply_row(
    struct req *r, int status, const struct user *user, const char *name)
{
	struct server_row row;
	struct err err = { 0 };

	if (find_row(r, user, name, &row, &err) == 1)
		reply_json(r, status, model_server(r, user->name, NULL, &row));
	else
		reply_err(r, &err);
}

static void put(
    struct req *r, const struct user *user, const struct server_wish *w)
{
	struct server_change c = { .display_name = w->display_name };
	const char *name = req_server_name(r);
	struct err err = { 0 };

	if (options_text(r, w->options, &c.options, &err) != 0 ||
	    check_new(r, user, name, &err) != 0 ||
	    create(r, user, name, &c, &err) != 0) {
		reply_err(r, &err);
		return;
	}
	log_info(&(struct log_ctx){ .user = user->name, .server = name },
	    "server made", "by=%s", principal_name(&r->who));
	reply_row(r, 201, user, name);
}

void api_server_put(struct req *r)
{
	struct server_row row;
	struct server_wish w;
	struct user user;
	struct err err = { 0 };
	int found;

	if (req_user(r, &user) != 0 || server_refuse_named(r) ||
	    server_wish_read(r, &w) != 0)
		return;
	if (!*req_server_name(r)) {
		reply_error(
		    r, 409, "User %s already has a default server", user.name);
		return;
	}
	found = find_row(r, &user, req_server_name(r), &row, &err);
	if (found < 0)
		reply_err(r, &err);
	else if (found)
		reply_error(r, 409, "User %s already has a server named %s",
		    user.name, row.name);
	else
		put(r, &user, &w);
}

/* ---- PATCH -------------------------------------------------------- */

static int read_name(struct req *r, const struct user *user,
    const json_t *value, struct server_change *c)
{
	const char *name = json_string_value(value);
	struct server_row other;
	struct err err = { 0 };
	int found;

	if (!value || !strcmp(name, req_server_name(r)))
		return 0;
	if (!*req_server_name(r) || !*name)
		return refuse(r, 400,
		    "The default server keeps its empty name, and no other "
		    "has it");
	if (server_name_check(name, true, &err) != 0)
		return refuse(r, 400, err.text);
	found = find_row(r, user, name, &other, &err);
	if (found < 0) {
		reply_err(r, &err);
		return -1;
	}
	c->name = name;
	if (!found)
		return 0;
	reply_error(
	    r, 409, "User %s already has a server named %s", user->name, name);
	return -1;
}

static int read_change(
    struct req *r, const struct user *user, struct server_change *c)
{
	static const struct body_key keys[] = {
		{ "name", BODY_STR },
		{ "display_name", BODY_STR },
		{ "user_options", BODY_OBJECT },
		{ 0 },
	};
	json_t *body;
	struct err err;
	int has = body_object(r, "server", keys, &body);

	if (has < 0)
		return -1;
	if (!has || json_object_size(body) == 0)
		return refuse(r, 400,
		    "Must specify at least one of name, display_name, "
		    "user_options");
	const json_t *display = json_object_get(body, "display_name");
	const json_t *options = json_object_get(body, "user_options");
	if (json_is_null(options))
		return refuse(
		    r, 400, "server.user_options must be an object, not: null");
	if (options_text(r, options, &c->options, &err) != 0)
		return refuse(r, 400, err.text);
	if (display && read_display(r, display, &c->display_name) != 0)
		return -1;
	return read_name(r, user, json_object_get(body, "name"), c);
}

/* Its last failure is remembered under the old name: no longer. */
static int change(struct req *r, const struct user *user, int64_t id,
    const struct server_change *c, struct err *err)
{
	struct server *s = id ? server_by_id(r->app, id) : NULL;

	if (s && server_stop(r->app, s, err) != 0)
		return -1;
	if (id)
		return server_row_change(r->app->db, id, c, err);
	return create(r, user, "", c, err);
}

void api_server_patch(struct req *r)
{
	struct server_change c = { 0 };
	const char *name = req_server_name(r);
	struct server_row row = { 0 };
	struct user user;
	struct err err = { 0 };

	if (req_user(r, &user) != 0 || server_refuse_named(r) ||
	    read_change(r, &user, &c) != 0)
		return;
	int found = find_row(r, &user, name, &row, &err);
	struct server *s = server_by_name(r->app, user.name, name);
	if (found < 0)
		reply_err(r, &err);
	else if (!found && *name)
		server_reply_unknown(r, &user);
	else if (s && (server_is_ready(s) || server_pending(s)))
		reply_error(r, 400,
		    "%s is active. Please stop it before modifying it.",
		    req_server_log_name(r, user.name, name));
	else if (change(r, &user, found ? row.id : 0, &c, &err) != 0)
		reply_err(r, &err);
	else
		reply_row(r, 200, &user, c.name ? c.name : name);
}
