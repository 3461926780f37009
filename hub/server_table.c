/*
 * The life of a server: action[state][event]. server_event is the one function
 * that moves a server. An empty place in the drawing of docs/architecture.md is
 * `bug` here: it cannot happen; if it does, it is logged and changes nothing.
 */
#include <inttypes.h>

#include "base/log.h"
#include "hub/app.h"
#include "hub/server_turn.h"

#define UNROUTE_MS   5000
#define STOP_MORE_MS 15000

struct cell {
	server_action_fn *act;
	const char *name;
};

#define DO(action)                                                             \
	{                                                                      \
		.act = server_act_##action, .name = #action                    \
	}

static const struct cell table[SERVER_N_STATES][EV_N_EVENTS] = {
	[SERVER_SAVING] = {
		[EV_START] = DO(already),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(line_up),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(bug),
		[EV_READY] = DO(bug),
		[EV_REFUSED] = DO(bug),
		[EV_EXITED] = DO(bug),
		[EV_FOUND] = DO(bug),
		[EV_MISSING] = DO(bug),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(cancel),
		[EV_DEADLINE] = DO(bug),
	},
	[SERVER_QUEUED] = {
		[EV_START] = DO(already),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(ask),
		[EV_STARTED] = DO(bug),
		[EV_READY] = DO(bug),
		[EV_REFUSED] = DO(bug),
		[EV_EXITED] = DO(bug),
		[EV_FOUND] = DO(bug),
		[EV_MISSING] = DO(bug),
		[EV_SPAWNER_DOWN] = DO(no_spawner),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(cancel),
		[EV_DEADLINE] = DO(line_deadline),
	},
	[SERVER_ASKED] = {
		[EV_START] = DO(already),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(started),
		[EV_READY] = DO(listens),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_start),
		[EV_FOUND] = DO(started),
		[EV_MISSING] = DO(lost_start),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(cancel_process),
		[EV_DEADLINE] = DO(late_start),
	},
	[SERVER_WAITING] = {
		[EV_START] = DO(already),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(keep),
		[EV_READY] = DO(listens),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_start),
		[EV_FOUND] = DO(found_waiting),
		[EV_MISSING] = DO(lost_start),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(open_route),
		[EV_HTTP_TIMEOUT] = DO(unreachable),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(cancel_process),
		[EV_DEADLINE] = DO(late_listen),
	},
	[SERVER_ROUTING] = {
		[EV_START] = DO(already),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(keep),
		[EV_READY] = DO(keep),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_routed),
		[EV_FOUND] = DO(keep),
		[EV_MISSING] = DO(lost_routed),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(ready),
		[EV_ROUTE_FAILED] = DO(no_route),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(close_route),
		[EV_DEADLINE] = DO(bug),
	},
	[SERVER_RUNNING] = {
		[EV_START] = DO(busy),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(keep),
		[EV_READY] = DO(keep),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_routed),
		[EV_FOUND] = DO(found_running),
		[EV_MISSING] = DO(lost_routed),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		/* after a repair */
		[EV_ROUTED] = DO(keep),
		[EV_ROUTE_FAILED] = DO(keep),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(close_route),
		[EV_DEADLINE] = DO(bug),
	},
	[SERVER_UNROUTING] = {
		[EV_START] = DO(busy),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(keep),
		[EV_READY] = DO(keep),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_routed),
		[EV_FOUND] = DO(keep),
		[EV_MISSING] = DO(lost_routed),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(stop_process),
		[EV_STOP] = DO(already),
		[EV_DEADLINE] = DO(stop_process),
	},
	[SERVER_STOPPING] = {
		[EV_START] = DO(busy),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(stop_again),
		[EV_READY] = DO(keep),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_stopping),
		[EV_FOUND] = DO(stop_again),
		[EV_MISSING] = DO(lost_stopping),
		[EV_SPAWNER_DOWN] = DO(stop_unsent),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(already),
		[EV_DEADLINE] = DO(stop_again),
	},
	/* The process has gone and its key with it: the spawner has no more to
	 * say of it. */
	[SERVER_CLEANING] = {
		[EV_START] = DO(busy),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(bug),
		[EV_READY] = DO(bug),
		[EV_REFUSED] = DO(bug),
		[EV_EXITED] = DO(bug),
		[EV_FOUND] = DO(bug),
		[EV_MISSING] = DO(bug),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(rest),
		[EV_STOP] = DO(already),
		[EV_DEADLINE] = DO(rest),
	},
	[SERVER_CHECKING] = {
		[EV_START] = DO(busy),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(check),
		[EV_STARTED] = DO(found_check),
		[EV_READY] = DO(listens_check),
		[EV_REFUSED] = DO(refused),
		[EV_EXITED] = DO(exited_routed),
		[EV_FOUND] = DO(found_check),
		[EV_MISSING] = DO(lost_routed),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(checked),
		[EV_HTTP_TIMEOUT] = DO(check_failed),
		/* a route that led elsewhere was put right */
		[EV_ROUTED] = DO(keep),
		[EV_ROUTE_FAILED] = DO(keep),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(close_route),
		[EV_DEADLINE] = DO(late_check),
	},
	[SERVER_FAILED] = {
		[EV_START] = DO(save),
		[EV_ADOPT] = DO(bug),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(bug),
		[EV_READY] = DO(bug),
		[EV_REFUSED] = DO(bug),
		[EV_EXITED] = DO(bug),
		[EV_FOUND] = DO(bug),
		[EV_MISSING] = DO(bug),
		[EV_SPAWNER_DOWN] = DO(keep),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(forget),
		[EV_DEADLINE] = DO(forget),
	},
	/* A new object, or one that is about to be freed. */
	[SERVER_GONE] = {
		[EV_START] = DO(save),
		[EV_ADOPT] = DO(adopt),
		[EV_SAVED] = DO(bug),
		[EV_TURN] = DO(bug),
		[EV_STARTED] = DO(bug),
		[EV_READY] = DO(bug),
		[EV_REFUSED] = DO(bug),
		[EV_EXITED] = DO(bug),
		[EV_FOUND] = DO(bug),
		[EV_MISSING] = DO(bug),
		[EV_SPAWNER_DOWN] = DO(bug),
		[EV_HTTP_OK] = DO(bug),
		[EV_HTTP_TIMEOUT] = DO(bug),
		[EV_ROUTED] = DO(bug),
		[EV_ROUTE_FAILED] = DO(bug),
		[EV_UNROUTED] = DO(bug),
		[EV_STOP] = DO(already),
		[EV_DEADLINE] = DO(bug),
	},
};

const char *server_event_name(enum server_event ev)
{
	static const char *const names[EV_N_EVENTS] = {
		[EV_START] = "start",
		[EV_ADOPT] = "adopt",
		[EV_SAVED] = "saved",
		[EV_TURN] = "turn",
		[EV_STARTED] = "started",
		[EV_READY] = "ready",
		[EV_REFUSED] = "refused",
		[EV_EXITED] = "exited",
		[EV_FOUND] = "found",
		[EV_MISSING] = "missing",
		[EV_SPAWNER_DOWN] = "spawner-down",
		[EV_HTTP_OK] = "http-ok",
		[EV_HTTP_TIMEOUT] = "http-timeout",
		[EV_ROUTED] = "routed",
		[EV_ROUTE_FAILED] = "route-failed",
		[EV_UNROUTED] = "unrouted",
		[EV_STOP] = "stop",
		[EV_DEADLINE] = "deadline",
	};

	return names[ev];
}

const char *server_state_name(enum server_state st)
{
	static const char *const names[SERVER_N_STATES] = {
		[SERVER_SAVING] = "saving",
		[SERVER_QUEUED] = "queued",
		[SERVER_ASKED] = "asked",
		[SERVER_WAITING] = "waiting",
		[SERVER_ROUTING] = "routing",
		[SERVER_RUNNING] = "running",
		[SERVER_UNROUTING] = "unrouting",
		[SERVER_STOPPING] = "stopping",
		[SERVER_CLEANING] = "cleaning",
		[SERVER_CHECKING] = "checking",
		[SERVER_FAILED] = "failed",
		[SERVER_GONE] = "gone",
	};

	return names[st];
}

const char *server_table_action(enum server_state st, enum server_event ev)
{
	return table[st][ev].name;
}

/* ---- the borders of states ----------------------------------------------- */

static void on_deadline(struct timer *t, void *arg)
{
	struct server_cause c = { .result = 0 };

	(void)t;
	server_event(arg, EV_DEADLINE, &c);
}

/* How long a state may last; 0: something else ends it. */
static int64_t deadline_ms(const struct server *s, enum server_state st)
{
	const struct config *cfg = &s->app->cfg;

	switch (st) {
	case SERVER_QUEUED:
		/* Without a spawner a start may wait, but not for ever. */
		if (spawner_is_up(s->app->spawner))
			return 0;
		return cfg->start_timeout_s * 1000;
	case SERVER_ASKED:
		return cfg->start_timeout_s * 1000;
	case SERVER_CHECKING:
		/* Found, and not yet as far as to listen at an address. */
		if (s->seen_round == 0 || (s->address && s->is_listening))
			return 0;
		return cfg->start_timeout_s * 1000;
	case SERVER_WAITING:
		/* The probe has its own end. */
		return s->is_listening ? 0 : cfg->http_timeout_s * 1000;
	case SERVER_UNROUTING:
	case SERVER_CLEANING:
		return UNROUTE_MS;
	case SERVER_STOPPING:
		return 2 * cfg->stop_grace_s * 1000 + STOP_MORE_MS;
	case SERVER_FAILED:
		return cfg->failed_keep_s * 1000;
	case SERVER_SAVING:
	case SERVER_ROUTING:
	case SERVER_RUNNING:
	case SERVER_GONE:
	case SERVER_N_STATES:
		break;
	}
	return 0;
}

void server_deadline_start(struct server *s, enum server_state st)
{
	int64_t ms = deadline_ms(s, st);

	if (ms > 0)
		timer_start(s->app->loop, &s->deadline, ms, on_deadline, s);
}

static bool may_hold_turn(enum server_state st)
{
	return st == SERVER_QUEUED || st == SERVER_ASKED ||
	       st == SERVER_WAITING || st == SERVER_ROUTING ||
	       st == SERVER_CHECKING;
}

bool server_state_is_active(enum server_state st)
{
	return st != SERVER_FAILED && st != SERVER_GONE;
}

static void count(struct server *s, enum server_state next)
{
	struct servers *all = s->app->servers;

	if (server_state_is_active(next) && !server_state_is_active(s->state))
		all->n_active++;
	else if (!server_state_is_active(next) &&
		 server_state_is_active(s->state))
		all->n_active--;
}

static void enter(struct server *s, enum server_state next)
{
	timer_stop(&s->deadline);
	count(s, next);
	s->state = next;
	if (next != SERVER_WAITING && next != SERVER_CHECKING)
		server_probe_stop(s);
	if (!may_hold_turn(next))
		server_turn_end(s);
	server_deadline_start(s, next);
}

static bool is_end(enum server_state st)
{
	return st == SERVER_RUNNING || st == SERVER_FAILED || st == SERVER_GONE;
}

static void log_bug(
    const struct server *s, enum server_state st, enum server_event ev)
{
	const struct log_ctx ctx = { .user = s->user, .server = s->name };

	log_error(&ctx, "bug: an event that cannot be",
	    "state=%s event=%s id=%" PRId64, server_state_name(st),
	    server_event_name(ev), s->id);
}

void server_event(
    struct server *s, enum server_event ev, struct server_cause *c)
{
	const struct log_ctx ctx = { .user = s->user, .server = s->name };
	enum server_state old = s->state, next;
	bool was_new = old == SERVER_GONE;

	if (table[old][ev].act == server_act_bug)
		log_bug(s, old, ev);
	next = table[old][ev].act(s, c);
	log_debug(&ctx, "server event", "state=%s event=%s action=%s next=%s",
	    server_state_name(old), server_event_name(ev), table[old][ev].name,
	    server_state_name(next));
	if (next != old) {
		enter(s, next);
		server_metrics_moved(s, old, ev);
	}
	/* From here on a watcher may move it again: state is read afresh. */
	if (next == SERVER_GONE && !was_new)
		server_object_bury(s);
	server_watch_tell(s);
	if (next != old && is_end(next) && s->state == next)
		server_watch_settle(s);
}
