/*
 * What is done when an event meets a state: one function for each entry of the
 * table in server_table.c. Each returns the next state and never calls
 * server_event itself; what it begins ends in a later event.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/app.h"
#include "hub/metrics.h"
#include "hub/reconcile.h"
#include "hub/routing.h"
#include "hub/server_failure.h"
#include "hub/server_turn.h"
#include "spawner/client.h"

/* A server that nobody has worked in needs no long goodbye. */
#define NEVER_READY_GRACE_MS 5000

static struct log_ctx ctx_of(const struct server *s)
{
	return (struct log_ctx){ .user = s->user, .server = s->name };
}

/* ---- the process --------------------------------------------------------- */

/* What cannot be sent now is sent after the spawner's next list. */
static void send_stop(struct server *s)
{
	const struct log_ctx ctx = ctx_of(s);
	int64_t grace_ms = s->app->cfg.stop_grace_s * 1000;
	struct err err;

	if (!s->was_ready && grace_ms > NEVER_READY_GRACE_MS)
		grace_ms = NEVER_READY_GRACE_MS;
	s->is_stop_sent =
	    spawner_stop(s->app->spawner, s->key, grace_ms, &err) == 0;
	if (!s->is_stop_sent)
		log_warn(&ctx, "the stop could not be sent yet", "why=\"%s\"",
		    err.text);
}

static void send_ack(struct server *s, const char *key)
{
	struct err err;

	/* Not acknowledged: it comes again after the next connection. */
	if (spawner_ack(s->app->spawner, key, &err) != 0)
		log_debug(NULL, "an exit was not acknowledged", "why=\"%s\"",
		    err.text);
}

static void log_db(
    const struct server *s, const char *doing, int rc, const struct err *err)
{
	const struct log_ctx ctx = ctx_of(s);

	if (rc != 0)
		log_error(&ctx, "the database refused",
		    "doing=\"%s\" why=\"%s\"", doing, err->text);
}

/* It runs no longer, or never did: row, tokens and client go. */
static void forget_process(struct server *s)
{
	struct err err;

	/* A row that stays is looked at again after the next list. */
	log_db(s, "note that the server stopped",
	    server_row_stopped(s->app->db, s->id, &err), &err);
	server_object_set_key(s, "");
	server_object_set_text(&s->address, NULL);
	server_object_set_text(&s->listed_target, NULL);
	mem_wipe(s->token, sizeof s->token);
	s->asked_round = UINT64_MAX;
	s->is_wanted = false;
	s->is_stop_sent = false;
}

int server_unwant_row(struct server *s, struct err *err)
{
	if (s->is_wanted && server_row_unwant(s->app->db, s->id, err) != 0)
		return -1;
	s->is_wanted = false;
	return 0;
}

void server_unwant(struct server *s)
{
	struct err err;

	log_db(s, "note that the server shall stop", server_unwant_row(s, &err),
	    &err);
}

/* The first reason is the real one. */
void server_set_failure(
    struct server *s, const char *tail, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	if (tail && *tail && !s->tail)
		server_object_set_text(&s->tail, tail);
	if (s->failure)
		return;
	buf_init(&text, 2048);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	s->failure = buf_steal(&text);
}

static void take_end(struct server *s, const struct spawner_exited *e)
{
	s->end = (struct server_end){
		.is_known = true,
		.oom = e->oom,
		.status = e->status,
		.signo = e->signo,
	};
}

static const char *exit_text(
    const struct spawner_exited *e, char *out, size_t cap)
{
	int fits;

	if (e->oom)
		fits = str_format(out, cap,
		    "the process ran out of memory and was ended by the "
		    "kernel");
	else if (e->signo > 0)
		fits = str_format(out, cap,
		    "the process was ended by signal %d"
		    " (%s)",
		    e->signo, strsignal(e->signo));
	else
		fits = str_format(
		    out, cap, "the process exited with status %d", e->status);
	return fits == 0 ? out : "the process ended";
}

/* Nothing is left of it but, perhaps, the reason. */
static enum server_state come_to_rest(struct server *s)
{
	const struct log_ctx ctx = ctx_of(s);
	char text[sizeof((struct err *)0)->text];

	if (s->is_cancelled) {
		server_step_failed(s, "Spawn cancelled");
		log_info(&ctx, "start cancelled", "state=%s",
		    server_state_name(s->state));
		return SERVER_GONE;
	}
	if (!s->failure) {
		log_info(&ctx, "server stopped", "id=%" PRId64, s->id);
		return SERVER_GONE;
	}
	if (str_format(text, sizeof text, "Spawn failed: %.400s", s->failure) !=
	    0)
		text[0] = '\0';
	server_step_failed(s, text);
	server_failure_note(s);
	log_warn(&ctx, "start failed", "why=\"%.400s\"", s->failure);
	return SERVER_FAILED;
}

/* ---- a start ------------------------------------------------------------- */

static void on_saved(const struct err *err, void *arg)
{
	struct server *s = arg;
	struct server_cause c = { .why = err };

	if (err->code != ERR_NONE)
		app_fail(s->app, err);
	else
		server_event(s, EV_SAVED, &c);
}

void server_reset(struct server *s)
{
	server_steps_clear(s);
	server_object_set_text(&s->failure, NULL);
	server_object_set_text(&s->tail, NULL);
	s->end = (struct server_end){ 0 };
	s->is_cancelled = s->is_adopted = s->was_ready = false;
	s->is_stop_sent = false;
	s->asked_round = UINT64_MAX;
	s->seen_round = 0;
	s->refused_since_ms = 0;
}

enum server_state server_act_save(struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	server_reset(s);
	c->result = server_start_save(s, c->start, c->err);
	if (c->result != 0) {
		server_object_set_key(s, "");
		return SERVER_GONE;
	}
	s->is_wanted = true;
	log_info(&ctx, "start asked", "key=%s profile=%s account=%s", s->key,
	    s->profile, s->account);
	server_step_add(s, 0, "Server requested");
	db_when_durable(s->app->db, &s->saved, on_saved, s);
	return SERVER_SAVING;
}

enum server_state server_act_already(struct server *s, struct server_cause *c)
{
	c->result = 0;
	return s->state;
}

static const char *busy_text(enum server_state st)
{
	switch (st) {
	case SERVER_RUNNING:
		return "is already running";
	case SERVER_CHECKING:
		return "is being checked after a restart of the hub";
	case SERVER_UNROUTING:
	case SERVER_STOPPING:
	case SERVER_CLEANING:
		return "is pending stop";
	case SERVER_SAVING:
	case SERVER_QUEUED:
	case SERVER_ASKED:
	case SERVER_WAITING:
	case SERVER_ROUTING:
		return "is pending spawn";
	case SERVER_FAILED:
	case SERVER_GONE:
	case SERVER_N_STATES:
		break;
	}
	return "is at rest";
}

enum server_state server_act_busy(struct server *s, struct server_cause *c)
{
	if (server_pending(s))
		metrics_took(s->app, METRIC_SERVER_SPAWN, 0, "failure",
		    "already-pending");
	c->result = err_set(c->err, ERR_BUSY, "%s%s%s %s", s->user,
	    *s->name ? ":" : "", s->name, busy_text(s->state));
	return s->state;
}

enum server_state server_act_keep(struct server *s, struct server_cause *c)
{
	(void)c;
	return s->state;
}

static void say_no_spawner(struct server *s)
{
	server_step_add(s, 5, "Waiting for the spawner to come back");
}

enum server_state server_act_line_up(struct server *s, struct server_cause *c)
{
	(void)c;
	if (!spawner_is_up(s->app->spawner))
		say_no_spawner(s);
	if (s->refused_since_ms > 0)
		server_turn_wait_first(s, &s->app->servers->starts);
	else
		server_turn_wait(s, &s->app->servers->starts);
	return SERVER_QUEUED;
}

enum server_state server_act_no_spawner(
    struct server *s, struct server_cause *c)
{
	(void)c;
	say_no_spawner(s);
	if (!timer_running(&s->deadline))
		server_deadline_start(s, SERVER_QUEUED);
	return SERVER_QUEUED;
}

enum server_state server_act_line_deadline(
    struct server *s, struct server_cause *c)
{
	(void)c;
	if (spawner_is_up(s->app->spawner))
		return SERVER_QUEUED;
	server_set_failure(s, NULL,
	    "the spawner has been away for %" PRId64
	    " s; the administrator can see why in its log",
	    s->app->cfg.start_timeout_s);
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_ask(struct server *s, struct server_cause *c)
{
	struct err err;

	(void)c;
	timer_stop(&s->deadline);
	if (server_start_send(s, &err) == 0) {
		s->asked_round = reconcile_round(s->app);
		server_step_add(s, 30,
		    "Starting the process of account %s (profile %s)",
		    s->account, s->profile);
		return SERVER_ASKED;
	}
	if (err.code == ERR_BUSY || err.code == ERR_UNAVAILABLE) {
		server_turn_return(s);
		return SERVER_QUEUED;
	}
	server_set_failure(s, NULL, "%s", err.text);
	forget_process(s);
	return come_to_rest(s);
}

void server_take_address(struct server *s, const struct spawner_server *p)
{
	struct err err;

	if (!*p->address || str_eq(s->address, p->address))
		return;
	server_object_set_text(&s->address, p->address);
	log_db(s, "note the server's address",
	    server_row_set_address(s->app->db, s->id, s->address, &err), &err);
}

static void listen_and_poll(struct server *s)
{
	s->is_listening = true;
	timer_stop(&s->deadline);
	server_step_add(
	    s, 60, "It listens on %s; waiting until it answers", s->address);
	server_probe_start(s, s->answer_by_ms - loop_now_ms(s->app->loop));
}

static enum server_state end_silent(struct server *s)
{
	server_step_add(s, 90, "It does not answer: ending it");
	server_unwant(s);
	send_stop(s);
	return SERVER_STOPPING;
}

enum server_state server_act_started(struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	server_take_address(s, c->process);
	if (!s->address)
		return SERVER_ASKED;
	mem_wipe(s->token, sizeof s->token);
	log_info(&ctx, "process runs", "key=%s pid=%d address=%s", s->key,
	    (int)c->process->pid, s->address);
	server_step_add(s, 50,
	    "The process runs (pid %d); waiting until it listens",
	    (int)c->process->pid);
	s->answer_by_ms =
	    loop_now_ms(s->app->loop) + s->app->cfg.http_timeout_s * 1000;
	if (c->process->ready || s->is_listening)
		listen_and_poll(s);
	return SERVER_WAITING;
}

/* What answers before this may be another account's program. */
enum server_state server_act_listens(struct server *s, struct server_cause *c)
{
	(void)c;
	if (s->state == SERVER_WAITING && !s->is_listening)
		listen_and_poll(s);
	s->is_listening = true;
	return s->state;
}

/* READY was said to a connection that is lost. */
enum server_state server_act_found_waiting(
    struct server *s, struct server_cause *c)
{
	return c->process->ready ? server_act_listens(s, c) : SERVER_WAITING;
}

enum server_state server_act_late_listen(
    struct server *s, struct server_cause *c)
{
	(void)c;
	server_set_failure(s, NULL,
	    "the process runs, but %s %s within %" PRId64
	    " s (server.http_timeout)",
	    spawner_is_up(s->app->spawner)
		? "does not listen on"
		: "the spawner is away and cannot say that it listens on",
	    s->address, s->app->cfg.http_timeout_s);
	return end_silent(s);
}

/* The spawner has its own limits: that is a longer line, not a failure, as long
 * as it is one that moves. */
static bool may_try_again(struct server *s, const struct spawner_failed *f)
{
	int64_t now = loop_now_ms(s->app->loop);

	if (s->state != SERVER_ASKED || f->code != FAIL_LIMIT)
		return false;
	if (s->refused_since_ms == 0)
		s->refused_since_ms = now;
	return now - s->refused_since_ms < s->app->cfg.start_timeout_s * 1000;
}

static enum server_state try_again(struct server *s)
{
	struct err err;

	s->asked_round = UINT64_MAX;
	if (server_start_rename(s, &err) != 0) {
		server_set_failure(s, NULL, "%s", err.text);
		forget_process(s);
		return come_to_rest(s);
	}
	server_step_place(s, 0);
	server_turn_pause(s->app);
	db_when_durable(s->app->db, &s->saved, on_saved, s);
	return SERVER_SAVING;
}

enum server_state server_act_refused(struct server *s, struct server_cause *c)
{
	bool has_route =
	    s->state == SERVER_ROUTING || s->state == SERVER_RUNNING ||
	    s->state == SERVER_UNROUTING || s->state == SERVER_CHECKING;

	if (may_try_again(s, c->refused))
		return try_again(s);
	server_set_failure(s, c->refused->tail, "%s", c->refused->text);
	forget_process(s);
	if (!has_route)
		return come_to_rest(s);
	server_route_close(s);
	return SERVER_CLEANING;
}

enum server_state server_act_exited_start(
    struct server *s, struct server_cause *c)
{
	char text[128];

	take_end(s, c->exited);
	server_set_failure(
	    s, c->exited->tail, "%s", exit_text(c->exited, text, sizeof text));
	send_ack(s, c->exited->key);
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_lost_start(
    struct server *s, struct server_cause *c)
{
	(void)c;
	server_set_failure(s, NULL,
	    "the spawner was restarted before the process ran; start it again");
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_late_start(
    struct server *s, struct server_cause *c)
{
	(void)c;
	server_set_failure(s, NULL,
	    "the process did not run within %" PRId64
	    " s (server.start_timeout)",
	    s->app->cfg.start_timeout_s);
	server_step_add(s, 90, "It did not start in time: ending it");
	server_unwant(s);
	send_stop(s);
	return SERVER_STOPPING;
}

enum server_state server_act_open_route(
    struct server *s, struct server_cause *c)
{
	(void)c;
	assert(s->is_listening);
	server_step_add(s, 80, "The server answers; opening its address");
	server_route_open(s);
	return SERVER_ROUTING;
}

enum server_state server_act_unreachable(
    struct server *s, struct server_cause *c)
{
	(void)c;
	server_set_failure(s, NULL,
	    "the process runs, but %s did not answer within %" PRId64
	    " s (server.http_timeout): %s",
	    s->address, s->app->cfg.http_timeout_s, s->probe.last);
	return end_silent(s);
}

/*
 * Activity after the start is how a later hub knows that the server was ready
 * once (take_row), so this one is written whatever the resolution.
 */
static void note_ready(struct server *s)
{
	struct err err;

	s->was_ready = true;
	s->activity_us = s->written_activity_us = clock_wall_us();
	log_db(s, "note that the server is ready",
	    server_row_touch(s->app->db, s->id, s->activity_us, &err), &err);
}

enum server_state server_become_ready(struct server *s)
{
	const struct log_ctx ctx = ctx_of(s);

	if (!s->was_ready)
		note_ready(s);
	log_info(&ctx, s->is_adopted ? "server kept" : "server ready",
	    "key=%s address=%s ms=%" PRId64, s->key, s->address,
	    (clock_wall_us() - s->started_us) / 1000);
	server_step_ready(s);
	return SERVER_RUNNING;
}

enum server_state server_act_ready(struct server *s, struct server_cause *c)
{
	(void)c;
	return server_become_ready(s);
}

enum server_state server_act_no_route(struct server *s, struct server_cause *c)
{
	/* People work in it: the route comes when the proxy does. */
	if (s->is_adopted)
		return server_become_ready(s);
	server_set_failure(s, NULL,
	    "the proxy did not take the route (%.300s); the administrator can "
	    "see why in its log",
	    c->why->text);
	server_unwant(s);
	/* It may have reached the proxy after all. */
	server_route_close(s);
	return SERVER_UNROUTING;
}

/* ---- a stop -------------------------------------------------------------- */

enum server_state server_act_cancel(struct server *s, struct server_cause *c)
{
	(void)c;
	s->is_cancelled = true;
	db_waiter_cancel(&s->saved);
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_cancel_process(
    struct server *s, struct server_cause *c)
{
	(void)c;
	s->is_cancelled = true;
	server_step_add(s, 90, "The start was cancelled: ending the process");
	server_unwant(s);
	send_stop(s);
	return SERVER_STOPPING;
}

enum server_state server_act_close_route(
    struct server *s, struct server_cause *c)
{
	(void)c;
	if (s->state == SERVER_ROUTING && !s->is_adopted)
		s->is_cancelled = true;
	else
		server_steps_clear(s);
	server_step_add(s, 10, "Stopping the server");
	server_unwant(s);
	server_route_close(s);
	return SERVER_UNROUTING;
}

enum server_state server_act_stop_process(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	if (c->why && c->why->code != ERR_NONE)
		log_warn(&ctx, "stopping with the route still there",
		    "why=\"%s\"", c->why->text);
	routing_forget(s->app, s->route);
	send_stop(s);
	return SERVER_STOPPING;
}

/* The spawner has it still: after a new connection, or after too long. */
enum server_state server_act_stop_again(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	if (c->process && s->is_stop_sent)
		return SERVER_STOPPING;
	if (!c->process) {
		log_warn(
		    &ctx, "the server has not stopped yet", "key=%s", s->key);
		server_metrics_overdue(s);
		server_deadline_start(s, SERVER_STOPPING);
	}
	send_stop(s);
	return SERVER_STOPPING;
}

enum server_state server_act_stop_unsent(
    struct server *s, struct server_cause *c)
{
	(void)c;
	s->is_stop_sent = false;
	return SERVER_STOPPING;
}

enum server_state server_act_exited_stopping(
    struct server *s, struct server_cause *c)
{
	if (s->failure && !s->tail && *c->exited->tail)
		server_object_set_text(&s->tail, c->exited->tail);
	send_ack(s, c->exited->key);
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_lost_stopping(
    struct server *s, struct server_cause *c)
{
	(void)c;
	forget_process(s);
	return come_to_rest(s);
}

enum server_state server_act_rest(struct server *s, struct server_cause *c)
{
	(void)c;
	routing_forget(s->app, s->route);
	return come_to_rest(s);
}

/* ---- running ------------------------------------------------------------- */

enum server_state server_act_found_running(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	if (!*c->process->address || !c->process->ready ||
	    str_eq(s->address, c->process->address))
		return SERVER_RUNNING;
	log_warn(&ctx, "the server has another address", "old=%s new=%s",
	    s->address, c->process->address);
	server_take_address(s, c->process);
	server_route_open(s);
	return SERVER_RUNNING;
}

/* Its own end, out of the blue. */
enum server_state server_act_exited_routed(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);
	char text[128];

	take_end(s, c->exited);
	exit_text(c->exited, text, sizeof text);
	if (!s->was_ready && !s->is_adopted)
		server_set_failure(s, c->exited->tail, "%s", text);
	else
		server_steps_clear(s);
	log_info(&ctx, "the server ended", "how=\"%s\" asked=%d", text,
	    c->exited->asked);
	server_step_add(s, 90, "The server has ended: %s", text);
	send_ack(s, c->exited->key);
	forget_process(s);
	server_route_close(s);
	return SERVER_CLEANING;
}

enum server_state server_act_lost_routed(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	(void)c;
	log_warn(&ctx, "the spawner does not know the server any more",
	    "key=%s hint=\"it ended while nobody looked\"", s->key);
	if (!s->was_ready && !s->is_adopted)
		server_set_failure(s, NULL,
		    "the process ended while the spawner was "
		    "away");
	else
		server_steps_clear(s);
	server_step_add(s, 90, "The server has ended");
	forget_process(s);
	server_route_close(s);
	return SERVER_CLEANING;
}

/* ---- at rest ------------------------------------------------------------- */

enum server_state server_act_forget(struct server *s, struct server_cause *c)
{
	(void)s;
	(void)c;
	return SERVER_GONE;
}

/* Cannot happen; server_event has logged it. Nothing is left unanswered. */
enum server_state server_act_bug(struct server *s, struct server_cause *c)
{
	if (c->exited)
		send_ack(s, c->exited->key);
	if (c->start)
		return server_act_busy(s, c);
	return s->state;
}
