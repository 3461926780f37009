/*
 * See server.h: what the rest of the hub asks of servers, and what the spawner
 * says of them, turned into events.
 */
#include "hub/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url.h"
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/server_name.h"
#include "hub/server_turn.h"
#include "spawner/client.h"

#define UNKNOWN_GRACE 5000

/* ---- start --------------------------------------------------------------- */

/* A start that never began. */
static int refuse(struct app *app, const char *status, const char *reason)
{
	metrics_took(app, METRIC_SERVER_SPAWN, 0, status, reason);
	return -1;
}

/* Who stands in it for a moment, though there is a turn free, is none of the
 * queue_limit that wait. */
static bool line_is_full(const struct app *app)
{
	const struct turn_pool *p = &app->servers->starts;
	const struct config *cfg = &app->cfg;

	return p->n_held + p->n_waiting >=
	       (size_t)(cfg->concurrent_spawn_limit + cfg->queue_limit);
}

/* What is true for every start that would really begin. */
static int check_limits(struct app *app, struct err *err)
{
	const struct servers *all = app->servers;
	const struct config *cfg = &app->cfg;

	if (app->stopping) {
		err_set(err, ERR_UNAVAILABLE,
		    "the hub is being restarted; try again in a moment");
		return refuse(app, "error", "error");
	}
	if (!spawner_is_up(app->spawner)) {
		err_set(err, ERR_UNAVAILABLE,
		    "the spawner cannot be reached, so no server can be "
		    "started now; try again in a moment");
		return refuse(app, "error", "error");
	}
	if (cfg->active_server_limit > 0 &&
	    all->n_active >= (size_t)cfg->active_server_limit) {
		err_set(err, ERR_LIMIT,
		    "Active user limit exceeded. Try again in a few minutes.");
		return refuse(app, "failure", "too-many-users");
	}
	if (line_is_full(app)) {
		err_set(err, ERR_LIMIT,
		    "Too many users trying to log in right now. Try again in a "
		    "minute.");
		return refuse(app, "failure", "throttled");
	}
	return 0;
}

/* The row's id; made when it is the first start. */
static int find_row(struct app *app, const struct server_start_args *a,
    int64_t *id_out, struct err *err)
{
	struct server_row row;
	struct arena arena;
	int found;

	arena_init(&arena);
	found =
	    server_row_find(app->db, &arena, a->user->id, a->name, &row, err);
	if (found == 1)
		*id_out = row.id;
	arena_fini(&arena);
	if (found < 0 || server_name_check(a->name, found == 0, err) != 0)
		return -1;
	if (found == 1)
		return 0;
	return server_row_create(
	    app->db, a->user->id, a->name, clock_wall_us(), id_out, err);
}

static int start_object(struct server *s, const struct server_start_args *a,
    struct server **out, struct err *err)
{
	struct server_cause c = { .start = a, .err = err };

	server_event(s, EV_START, &c);
	if (c.result == 0)
		*out = s;
	return c.result;
}

static int start_new(struct app *app, const struct server_start_args *a,
    struct server **out, struct err *err)
{
	struct server *s;
	int64_t id;

	if (check_limits(app, err) != 0 || find_row(app, a, &id, err) != 0)
		return -1;
	s = server_object_new(app, id, a->user, a->name);
	if (start_object(s, a, out, err) == 0)
		return 0;
	server_object_free(s);
	return -1;
}

int server_start(struct app *app, const struct server_start_args *a,
    struct server **out, struct err *err)
{
	struct server *s = server_by_name(app, a->user->name, a->name);

	*out = NULL;
	if (!s)
		return start_new(app, a, out, err);
	if (s->state == SERVER_FAILED && check_limits(app, err) != 0)
		return -1;
	return start_object(s, a, out, err);
}

int server_stop(struct app *app, struct server *s, struct err *err)
{
	struct server_cause c = { .err = err };

	(void)app;
	/* What is answered outlives the hub: a later one does not take it up.
	 */
	if (server_unwant_row(s, err) != 0)
		return -1;
	server_event(s, EV_STOP, &c);
	return c.result;
}

static size_t list_ids(const struct servers *all, int64_t *out, size_t max)
{
	size_t n = 0;

	for (struct list *it = all->all.next; it != &all->all && n < max;
	     it = it->next)
		out[n++] = LIST_ITEM(it, struct server, all)->id;
	return n;
}

/* What waits for one may act on others, so they are named by id. */
static void stop_each(struct app *app, const int64_t *ids, size_t n)
{
	struct err err;

	for (size_t i = 0; i < n; i++) {
		struct server *s = server_by_id(app, ids[i]);

		if (s && server_stop(app, s, &err) != 0)
			log_warn(NULL, "a server does not stop yet",
			    "why=\"%s\"", err.text);
	}
}

void servers_stop_all(struct app *app)
{
	size_t max = map_count(app->servers->by_id);
	int64_t *ids = xcalloc(max + 1, sizeof *ids);

	stop_each(app, ids, list_ids(app->servers, ids, max));
	free(ids);
}

/* A stop may take it off the list that is walked: first all, then each. */
static void stop_of(struct app *app, int64_t user_id, bool only_ready)
{
	int64_t *ids = xcalloc(map_count(app->servers->by_id) + 1, sizeof *ids);
	size_t pos = 0, n = 0;
	struct server *s;

	while ((s = server_next_of(app, user_id, &pos)))
		if (!only_ready || server_is_ready(s))
			ids[n++] = server_id(s);
	stop_each(app, ids, n);
	free(ids);
}

void servers_stop_of(struct app *app, int64_t user_id)
{
	stop_of(app, user_id, true);
}

void servers_stop_all_of(struct app *app, int64_t user_id)
{
	stop_of(app, user_id, false);
}

int server_adopt(struct app *app, const struct server_row *row)
{
	const struct user user = { .id = row->user_id, .name = row->user_name };
	struct server_cause c = { .row = row };

	if (server_by_id(app, row->id) || !row->key)
		return 0;
	server_event(
	    server_object_new(app, row->id, &user, row->name), EV_ADOPT, &c);
	return 1;
}

/* ---- what the spawner says ----------------------------------------------- */

void server_kill_unknown(struct app *app, const struct spawner_server *p)
{
	struct err err;
	bool is_sent =
	    spawner_stop(app->spawner, p->key, UNKNOWN_GRACE, &err) == 0;

	log_warn(NULL, "a server runs that nobody asked for: it is stopped",
	    "key=%s account=%.64s pid=%d%s%s", p->key, p->account, (int)p->pid,
	    is_sent ? "" : " why=", is_sent ? "" : err.text);
}

void server_on_started(struct app *app, const struct spawner_server *p)
{
	struct server *s = server_by_key(app, p->key);
	struct server_cause c = { .process = p };

	if (s)
		server_event(s, EV_STARTED, &c);
	else
		server_kill_unknown(app, p);
}

void server_on_ready(struct app *app, const char *key)
{
	struct server *s = server_by_key(app, key);
	struct server_cause c = { .result = 0 };

	if (s)
		server_event(s, EV_READY, &c);
	else
		log_debug(NULL, "a listener came late", "key=%s", key);
}

void server_on_refused(struct app *app, const struct spawner_failed *f)
{
	struct server *s = server_by_key(app, f->key);
	struct server_cause c = { .refused = f };

	if (s)
		server_event(s, EV_REFUSED, &c);
	else
		log_debug(NULL, "a refusal came late", "key=%s", f->key);
}

void server_on_exited(struct app *app, const struct spawner_exited *e)
{
	struct server *s = server_by_key(app, e->key);
	struct server_cause c = { .exited = e };
	struct err err;

	if (s) {
		server_event(s, EV_EXITED, &c);
		return;
	}
	log_debug(NULL, "an exit came late or again", "key=%s", e->key);
	if (spawner_ack(app->spawner, e->key, &err) != 0)
		log_debug(NULL, "an exit was not acknowledged", "why=\"%s\"",
		    err.text);
}

/* ---- questions ----------------------------------------------------------- */

enum server_state server_state(const struct server *s)
{
	return s->state;
}

const char *server_pending(const struct server *s)
{
	switch (s->state) {
	case SERVER_SAVING:
	case SERVER_QUEUED:
	case SERVER_ASKED:
	case SERVER_WAITING:
		return "spawn";
	case SERVER_ROUTING:
		return s->is_adopted ? "check" : "spawn";
	case SERVER_UNROUTING:
	case SERVER_STOPPING:
	case SERVER_CLEANING:
		return "stop";
	case SERVER_CHECKING:
		return "check";
	case SERVER_RUNNING:
	case SERVER_FAILED:
	case SERVER_GONE:
	case SERVER_N_STATES:
		break;
	}
	return NULL;
}

bool server_is_ready(const struct server *s)
{
	return s->state == SERVER_RUNNING;
}

int64_t server_id(const struct server *s)
{
	return s->id;
}

int64_t server_user_id(const struct server *s)
{
	return s->user_id;
}

const char *server_user(const struct server *s)
{
	return s->user;
}

const char *server_name(const struct server *s)
{
	return s->name;
}

int64_t server_started_us(const struct server *s)
{
	return s->started_us;
}

int64_t server_last_activity_us(const struct server *s)
{
	return s->activity_us;
}

const char *server_version(const struct server *s)
{
	return *s->version ? s->version : NULL;
}

const char *server_failure(const struct server *s)
{
	return s->state == SERVER_FAILED ? s->failure : NULL;
}

const char *server_failure_tail(const struct server *s)
{
	return s->state == SERVER_FAILED ? s->tail : NULL;
}

size_t server_count_active(const struct app *app)
{
	return app->servers->n_active;
}

const char *server_path(
    struct app *app, struct arena *a, const char *user, const char *name)
{
	const char *escaped = url_escape_segment(a, user);

	if (!*name)
		return arena_printf(
		    a, "%suser/%s/", app->cfg.base_url, escaped);
	return arena_printf(a, "%suser/%s/%s/", app->cfg.base_url, escaped,
	    url_escape_segment(a, name));
}

const char *server_url(
    struct app *app, struct arena *a, const char *user, const char *name)
{
	return arena_printf(a, "%s%s", domain_user_origin(a, &app->cfg, user),
	    server_path(app, a, user, name));
}

/* ---- activity ------------------------------------------------------------ */

void server_touch(struct app *app, struct server *s, int64_t activity_us)
{
	int64_t step_us = app->cfg.activity_resolution_s * 1000000;
	struct err err;

	if (activity_us <= s->activity_us)
		return;
	s->activity_us = activity_us;
	if (activity_us - s->written_activity_us < step_us)
		return;
	s->written_activity_us = activity_us;
	if (server_row_touch(app->db, s->id, activity_us, &err) != 0 ||
	    user_touch(app->db, s->user_id, activity_us, &err) != 0)
		log_error(NULL, "activity could not be written", "why=\"%s\"",
		    err.text);
}
