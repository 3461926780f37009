/*
 * Helpers of a server's actions: turns, probes, progress, the start's
 * transaction. Private to hub/server*.c.
 */
#ifndef CARREL_HUB_SERVER_TURN_H
#define CARREL_HUB_SERVER_TURN_H

#include "hub/server_priv.h"

/* server_turn.c: who may go on now. */
void turn_pool_init(struct turn_pool *p, bool needs_spawner);
void server_turn_wait(struct server *s, struct turn_pool *p);
/* It was refused once already: first in line. */
void server_turn_wait_first(struct server *s, struct turn_pool *p);
/* The spawner has no room: no turns for a moment. */
void server_turn_pause(struct app *app);
/* Its turn did not work out: first in line again, tried later. */
void server_turn_return(struct server *s);
/* Out of the line, or the turn is over. */
void server_turn_end(struct server *s);
/* Give turns away soon: something became free. */
void server_turn_pump(struct app *app);
void server_turn_stop(struct servers *all);

/* server_probe.c: EV_HTTP_OK or EV_HTTP_TIMEOUT, once. */
void server_probe_start(struct server *s, int64_t timeout_ms);
void server_probe_stop(struct server *s);

/* server_watch.c: progress. */
void server_step_add(struct server *s, int percent, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void server_step_place(struct server *s, size_t n_before);
void server_step_ready(struct server *s);
void server_step_failed(struct server *s, const char *text);
void server_steps_clear(struct server *s);
/* Tell the watchers what they do not know yet. */
void server_watch_tell(struct server *s);
void server_watch_settle(struct server *s);
/* Nobody is told. */
void server_watch_drop(struct server *s);

/* server_start.c: the start's transaction, and START. */
int server_start_save(struct server *s, const struct server_start_args *a,
    struct err *err) MUST_CHECK;
/* The same start under a new key: an answer to the old one is late. */
int server_start_rename(struct server *s, struct err *err) MUST_CHECK;
int server_start_send(struct server *s, struct err *err) MUST_CHECK;

/* server_metrics.c: after each change of state. */
void server_metrics_moved(
    struct server *s, enum server_state old, enum server_event ev);
/* A stop takes longer than it may. */
void server_metrics_overdue(struct server *s);

/* server_route.c: the proxy's table. */
void server_route_open(struct server *s);
void server_route_close(struct server *s);
/* The proxy has the right one already: just remember the wish. */
void server_route_hold(struct server *s);
bool server_route_is_listed(const struct server *s);
/* "http://", or "" when the address has its scheme already: goes before it. */
const char *server_scheme(const struct server *s);

#endif
