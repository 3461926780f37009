/*
 * What moves a server: the events, the table action[state][event] and the
 * object behind hub/server.h. Private to hub/server*.c, hub/reconcile.c and
 * their tests.
 */
#ifndef CARREL_HUB_SERVER_EVENT_H
#define CARREL_HUB_SERVER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "db/db.h"
#include "db/token.h"
#include "hub/server.h"
#include "spawner/client.h"

enum server_event {
	EV_START,        /* somebody wants it */
	EV_ADOPT,        /* its row says that it may run (start of the hub) */
	EV_SAVED,        /* the start is on disk */
	EV_TURN,         /* a place among the starts (or checks) is free */
	EV_STARTED,      /* spawner: the process runs */
	EV_READY,        /* spawner: its own socket listens at its address */
	EV_REFUSED,      /* spawner: it cannot be started */
	EV_EXITED,       /* spawner: the process has gone */
	EV_FOUND,        /* spawner's list has it */
	EV_MISSING,      /* spawner's whole list does not have it */
	EV_SPAWNER_DOWN, /* the spawner is lost */
	EV_HTTP_OK,      /* its address answers */
	EV_HTTP_TIMEOUT, /* it did not answer in time */
	EV_ROUTED,       /* the proxy has the route */
	EV_ROUTE_FAILED, /* the proxy does not take it */
	EV_UNROUTED,     /* the proxy has it no longer (or was told for long) */
	EV_STOP,         /* nobody wants it any more */
	EV_DEADLINE,     /* the state's time is over */
	EV_N_EVENTS
};

/* Why an event came. Members as the event needs them. */
struct server_cause {
	const struct server_start_args *start; /* EV_START */
	const struct server_row *row;          /* EV_ADOPT */
	const struct spawner_server *process;  /* EV_STARTED, EV_FOUND */
	const struct spawner_failed *refused;
	const struct spawner_exited *exited;
	const struct err *why; /* EV_SPAWNER_DOWN, EV_ROUTE_FAILED, ... */
	struct err *err;       /* out: EV_START, EV_STOP refused */
	int result;            /* out: 0, or -1 with err */
};

/* server_table.c: the one function that moves a server. */
void server_event(
    struct server *s, enum server_event ev, struct server_cause *c);
const char *server_event_name(enum server_event ev);
/* The name of the action in a cell (tests). */
const char *server_table_action(enum server_state st, enum server_event ev);
bool server_state_is_active(enum server_state st);
void server_deadline_start(struct server *s, enum server_state st);

/* server_action.c, for server_check.c too. The first failure is the one that
 * is told. */
void server_reset(struct server *s);
void server_set_failure(
    struct server *s, const char *tail, const char *fmt, ...) PRINTF_LIKE(3, 4);
int server_unwant_row(struct server *s, struct err *err) MUST_CHECK;
void server_unwant(struct server *s); /* a refusal is logged */
void server_take_address(struct server *s, const struct spawner_server *p);
enum server_state server_become_ready(struct server *s);

/* A start, a stop is being timed for the metrics; since when (loop). */
struct server_timing {
	bool is_start, is_stop;
	int64_t start_ms, stop_ms;
};

/* The object of a row with a key, when there is none yet: 1 made, 0 not. */
int server_adopt(struct app *app, const struct server_row *row);
/* It runs under a key that no row has. */
void server_kill_unknown(struct app *app, const struct spawner_server *p);
/* From the spawner's callbacks; keys that nobody owns are acknowledged. */
void server_on_started(struct app *app, const struct spawner_server *s);
void server_on_ready(struct app *app, const char *key);
void server_on_refused(struct app *app, const struct spawner_failed *f);
void server_on_exited(struct app *app, const struct spawner_exited *e);

#endif
