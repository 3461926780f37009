/*
 * How long starts and stops took: told by each change of a server's state.
 */
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/server_turn.h"

static int64_t since_us(const struct server *s, int64_t ms)
{
	return (loop_now_ms(s->app->loop) - ms) * 1000;
}

static bool is_at_rest(enum server_state st)
{
	return st == SERVER_FAILED || st == SERVER_GONE;
}

static bool is_stopping(enum server_state st)
{
	return st == SERVER_UNROUTING || st == SERVER_STOPPING;
}

/* The labels of the reference for each way in which a start can fail
 * (contract/hub.md 10). */
static void start_failed(
    struct server *s, enum server_state old, enum server_event ev)
{
	int64_t us = since_us(s, s->timing.start_ms);
	bool has_exited = ev == EV_EXITED && !is_stopping(old);

	if (s->is_cancelled)
		metrics_took(
		    s->app, METRIC_SERVER_SPAWN, us, "failure", "cancelled");
	else if (has_exited || old == SERVER_CLEANING)
		metrics_took(
		    s->app, METRIC_SERVER_SPAWN, us, "error", "exited");
	else if (ev == EV_REFUSED)
		metrics_took(s->app, METRIC_SERVER_SPAWN, us, "error", "error");
	else
		metrics_took(s->app, METRIC_SERVER_SPAWN, us, "error", "");
}

static void start_moved(
    struct server *s, enum server_state old, enum server_event ev)
{
	if (s->state == SERVER_SAVING) {
		s->timing.is_start = true;
		s->timing.start_ms = loop_now_ms(s->app->loop);
	}
	if (!s->timing.is_start)
		return;
	if (s->state == SERVER_RUNNING)
		metrics_took(s->app, METRIC_SERVER_SPAWN,
		    since_us(s, s->timing.start_ms), "success", "");
	else if (is_at_rest(s->state))
		start_failed(s, old, ev);
	else
		return;
	s->timing.is_start = false;
}

static void stop_moved(struct server *s, enum server_state old)
{
	if (is_stopping(s->state) && !is_stopping(old)) {
		s->timing.is_stop = true;
		s->timing.stop_ms = loop_now_ms(s->app->loop);
	}
	if (!s->timing.is_stop || !is_at_rest(s->state))
		return;
	metrics_took(s->app, METRIC_SERVER_STOP, since_us(s, s->timing.stop_ms),
	    "success", NULL);
	s->timing.is_stop = false;
}

void server_metrics_moved(
    struct server *s, enum server_state old, enum server_event ev)
{
	start_moved(s, old, ev);
	stop_moved(s, old);
}

void server_metrics_overdue(struct server *s)
{
	if (s->timing.is_stop)
		metrics_took(s->app, METRIC_SERVER_STOP,
		    since_us(s, s->timing.stop_ms), "failure", NULL);
}
