/*
 * Notebook servers as they are: one object per server that is not at rest, one
 * state, and one table action[state][event] that moves it (server_table.c).
 * The database row says what should be; spawner and proxy say what is.
 *
 * Objects live in app->servers from the start of a start until the server is at
 * rest again; a failed start stays a while (cfg.failed_keep_s), so that the
 * person can read why. Across an asynchronous border pass the row id and look
 * it up again with server_by_id.
 */
#ifndef CARREL_HUB_SERVER_H
#define CARREL_HUB_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/list.h"
#include "db/server.h"
#include "db/user.h"

struct app;
struct server;
struct servers;

enum server_state {
	SERVER_SAVING,    /* a start is being written to disk */
	SERVER_QUEUED,    /* waits for its turn, or for the spawner */
	SERVER_ASKED,     /* START sent: the spawner has not answered yet */
	SERVER_WAITING,   /* the process runs: its URL does not answer yet */
	SERVER_ROUTING,   /* it answers: the proxy's route is being made */
	SERVER_RUNNING,   /* ready */
	SERVER_UNROUTING, /* stop asked: the route is being deleted */
	SERVER_STOPPING,  /* STOP sent: the process has not gone yet */
	SERVER_CLEANING,  /* the process has gone: the route is being deleted */
	SERVER_CHECKING,  /* after a restart: is it what the row says? */
	SERVER_FAILED,    /* at rest; kept to tell the reason */
	SERVER_GONE,      /* at rest; the object is about to be freed */
	SERVER_N_STATES
};

/* What a person or an API client may see of one step. */
struct server_progress {
	int percent;
	const char *message; /* text, not HTML */
	bool ready, failed;  /* the last one of a start */
	const char *tail;    /* with failed: last log lines; may be NULL */
};

/* Told of each progress step, and of the end: ready, failed or stopped. */
struct server_watch {
	struct list link;
	void (*fn)(struct server_watch *w, struct server *s,
	    const struct server_progress *p, void *arg);
	/* The server is at rest (stopped, failed) or ready; one call. */
	void (*settled)(struct server_watch *w, struct server *s, void *arg);
	void *arg;
};

struct server_start_args {
	const struct user *user;
	const char *name;      /* "" is the default server */
	const char *profile;   /* NULL: cfg.default_profile */
	const json_t *options; /* NULL: those of the last time */
};

struct servers *servers_new(struct app *app);
/* What runs runs on; watchers are told nothing. */
void servers_free(struct servers **s);

/*
 * Row, hashed token and OAuth client are written in one transaction, START is
 * sent once they are on disk and it is this server's turn. Returns 0 with *out
 * (borrowed) when the start is on its way or was already; -1 with err: BUSY
 * (stopping, checking: the text says which; or it runs already), LIMIT (too
 * many starts), INVALID (name), UNAVAILABLE (no spawner). Source:
 * contract/hub.md 1.8, 4.1, 4.6.
 */
int server_start(struct app *app, const struct server_start_args *a,
    struct server **out, struct err *err) MUST_CHECK;
/* 0: stopping or at rest already. A pending start is cancelled. -1: the
 * database refused, and it goes on. */
int server_stop(struct app *app, struct server *s, struct err *err) MUST_CHECK;
/* Ask each one to stop. */
void servers_stop_all(struct app *app);
/* Those of a user that are ready. */
void servers_stop_of(struct app *app, int64_t user_id);
/* Those of a user, whatever they are at. */
void servers_stop_all_of(struct app *app, int64_t user_id);
/* Replays the steps so far into w at once, then tells the new ones. */
void server_watch_start(struct server *s, struct server_watch *w);
void server_watch_stop(struct server_watch *w); /* safe when not watching */

/* NULL: at rest (or unknown). */
struct server *server_by_id(struct app *app, int64_t id);
struct server *server_by_name(
    struct app *app, const char *user, const char *name);
/* Walk over a user's servers that are not at rest; *pos = 0 at first. */
struct server *server_next_of(struct app *app, int64_t user_id, size_t *pos);

enum server_state server_state(const struct server *s);
const char *server_state_name(enum server_state st);
/* "spawn", "stop", "check" or NULL (contract/hub.md 4.6). */
const char *server_pending(const struct server *s);
bool server_is_ready(const struct server *s);
int64_t server_id(const struct server *s);
int64_t server_user_id(const struct server *s);
const char *server_user(const struct server *s);
const char *server_name(const struct server *s);
int64_t server_started_us(const struct server *s);
int64_t server_last_activity_us(const struct server *s);
void server_touch(struct app *app, struct server *s, int64_t activity_us);
/* What its X-JupyterHub-Version said when it became ready; NULL: nothing. */
const char *server_version(const struct server *s);
/* Why the last start failed: a text for the person; NULL: it did not. */
const char *server_failure(const struct server *s);
const char *server_failure_tail(const struct server *s);
size_t server_count_active(const struct app *app);

/* "/user/alice/" or "/user/alice/name/", with base_url, escaped. */
const char *server_path(
    struct app *app, struct arena *a, const char *user, const char *name);
/* Where a browser finds it: the same, absolute when the user has a host. */
const char *server_url(
    struct app *app, struct arena *a, const char *user, const char *name);

#endif
