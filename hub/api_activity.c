/*
 * Activity that notebook servers report (contract/hub.md 1.7): all is checked
 * before anything is written; times never move backwards.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/reply.h"

#define AHEAD_MAX_US ((int64_t)59 * 60 * 1000000)
#define SERVERS_MAX  256

struct report {
	int64_t user_us; /* 0: not reported */
	struct {
		int64_t row_id, activity_us;
		const char *name;
	} servers[SERVERS_MAX];
	size_t n;
};

static int bad(struct req *r, const char *why, const char *what)
{
	char shown[120];

	str_printable(shown, sizeof shown, what, strlen(what));
	reply_error(r, 400, "%s: %s", why, shown);
	return -1;
}

static int read_time(struct req *r, const json_t *value, int64_t *out)
{
	struct err err = { 0 };

	if (!json_is_string(value)) {
		reply_error(r, 400, "last_activity must be a timestamp");
		return -1;
	}
	const char *text = json_string_value(value);
	if (clock_parse_iso(text, out, &err) != 0)
		return bad(r, "Not a valid timestamp", text);
	if (*out > clock_wall_us() + AHEAD_MAX_US)
		return bad(r,
		    "Rejecting activity from more than an hour in the future",
		    text);
	return 0;
}

static int read_server(struct req *r, const struct user *user, const char *name,
    const json_t *value, struct report *out)
{
	const json_t *when = json_object_get(value, "last_activity");
	struct server_row row;
	struct err err = { 0 };
	int found = server_row_find(
	    r->app->db, &r->http->arena, user->id, name, &row, &err);

	if (found < 0) {
		reply_err(r, &err);
		return -1;
	}
	if (!found) {
		reply_error(r, 400, "No such server '%s' for user %s",
		    arena_strndup(&r->http->arena, name, 64), user->name);
		return -1;
	}
	if (!when) {
		reply_error(r, 400,
		    "servers must be {name: {\"last_activity\": timestamp}}");
		return -1;
	}
	if (out->n == SERVERS_MAX) {
		reply_error(
		    r, 400, "too many servers: at most %d", SERVERS_MAX);
		return -1;
	}
	out->servers[out->n].row_id = row.id;
	out->servers[out->n].name = arena_strdup(&r->http->arena, name);
	return read_time(r, when, &out->servers[out->n++].activity_us);
}

static int read_report(struct req *r, const struct user *user,
    const json_t *body, struct report *out)
{
	const json_t *when = json_object_get(body, "last_activity");
	json_t *servers = json_object_get(body, "servers");
	const char *name;
	json_t *value;

	if (!when && !servers) {
		reply_error(r, 400,
		    "body must contain at least one of `last_activity` or "
		    "`servers`");
		return -1;
	}
	if (when && read_time(r, when, &out->user_us) != 0)
		return -1;
	if (servers && !json_is_object(servers)) {
		reply_error(r, 400,
		    "servers must be {name: {\"last_activity\": timestamp}}");
		return -1;
	}
	json_object_foreach (servers, name, value) {
		if (read_server(r, user, name, value, out) != 0)
			return -1;
	}
	return 0;
}

static int write_report(struct req *r, const struct user *user,
    const struct report *rep, struct err *err)
{
	struct db *db = r->app->db;

	if (db_begin(db, err) != 0)
		return -1;
	if (rep->user_us && user_touch(db, user->id, rep->user_us, err) != 0)
		goto fail;
	for (size_t i = 0; i < rep->n; i++) {
		struct server *s =
		    server_by_name(r->app, user->name, rep->servers[i].name);
		if (s)
			server_touch(r->app, s, rep->servers[i].activity_us);
		else if (server_row_touch(db, rep->servers[i].row_id,
			     rep->servers[i].activity_us, err) != 0)
			goto fail;
	}
	if (db_commit(db, err) == 0)
		return 0;
fail:
	db_rollback(db);
	return -1;
}

void api_activity_post(struct req *r)
{
	struct report *rep = arena_alloc(&r->http->arena, sizeof *rep);
	struct user user;
	json_t *body;
	struct err err = { 0 };

	if (req_user(r, &user) != 0)
		return;
	int has = req_json(r, &body);
	if (has < 0)
		return;
	if (!has || !json_is_object(body)) {
		reply_error(r, 400, "body must be a json dict");
		return;
	}
	if (read_report(r, &user, body, rep) != 0)
		return;
	if (write_report(r, &user, rep, &err) != 0)
		reply_err(r, &err);
	else
		reply_text(r, 200, "application/json", "");
}
