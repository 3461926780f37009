/*
 * The actions of a server that ran before this hub did: is it what its row
 * says, and does it listen at its own address?
 */
#include <assert.h>
#include <inttypes.h>

#include "base/log.h"
#include "hub/app.h"
#include "hub/server_turn.h"
#include "spawner/client.h"

static struct log_ctx ctx_of(const struct server *s)
{
	return (struct log_ctx){ .user = s->user, .server = s->name };
}

static void take_row(struct server *s, const struct server_row *row)
{
	server_object_set_key(s, row->key);
	server_object_set_text(&s->profile, row->profile);
	server_object_set_text(&s->account, row->account);
	server_object_set_text(&s->address, row->address);
	s->is_wanted = row->wanted;
	s->started_us = row->started_us;
	s->activity_us = s->written_activity_us = row->last_activity_us;
	s->was_ready = row->last_activity_us > row->started_us;
}

enum server_state server_act_adopt(struct server *s, struct server_cause *c)
{
	server_reset(s);
	take_row(s, c->row);
	s->is_adopted = true;
	s->asked_round = 0;
	server_step_add(s, 0, "Checking whether the server still runs");
	return SERVER_CHECKING;
}

enum server_state server_act_found_check(
    struct server *s, struct server_cause *c)
{
	server_take_address(s, c->process);
	if (!s->is_wanted)
		return server_act_close_route(s, c);
	s->is_listening = s->is_listening || c->process->ready;
	return server_act_listens_check(s, c);
}

/* The listener and its address are known by two messages. */
enum server_state server_act_listens_check(
    struct server *s, struct server_cause *c)
{
	s->is_listening = s->is_listening || !c->process;
	if (s->seen_round == 0)
		return SERVER_CHECKING;
	if (!s->address || !s->is_listening) {
		/* It was on its way up when the hub ended; not for ever. */
		if (!timer_running(&s->deadline))
			server_deadline_start(s, SERVER_CHECKING);
		return SERVER_CHECKING;
	}
	timer_stop(&s->deadline);
	/* A route that leads elsewhere may lead to somebody else's server. */
	if (s->listed_target && !server_route_is_listed(s))
		server_route_open(s);
	if (!s->is_in_line && !s->holds_turn)
		server_turn_wait(s, &s->app->servers->checks);
	return SERVER_CHECKING;
}

enum server_state server_act_late_check(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	(void)c;
	/* People worked in it: it waits until the spawner vouches for it. */
	if (s->was_ready || server_route_is_listed(s)) {
		log_warn(&ctx, "the server runs, but does not listen", "key=%s",
		    s->key);
		server_deadline_start(s, SERVER_CHECKING);
		return SERVER_CHECKING;
	}
	server_set_failure(s, NULL,
	    "the process did not come up within %" PRId64
	    " s (server.start_timeout), through a restart of the hub",
	    s->app->cfg.start_timeout_s);
	server_step_add(s, 90, "It did not start in time: ending it");
	server_unwant(s);
	server_route_close(s);
	return SERVER_UNROUTING;
}

enum server_state server_act_check(struct server *s, struct server_cause *c)
{
	(void)c;
	server_probe_start(s, s->app->cfg.http_timeout_s * 1000);
	return SERVER_CHECKING;
}

enum server_state server_act_checked(struct server *s, struct server_cause *c)
{
	(void)c;
	assert(s->is_listening);
	if (server_route_is_listed(s)) {
		server_route_hold(s);
		return server_become_ready(s);
	}
	server_step_add(s, 80, "The server answers; opening its address");
	server_route_open(s);
	return SERVER_ROUTING;
}

/*
 * The process lives and does not answer. If it was ready once, people have
 * worked in it and may only have a busy machine: it is kept. If not, its start
 * has failed.
 */
enum server_state server_act_check_failed(
    struct server *s, struct server_cause *c)
{
	const struct log_ctx ctx = ctx_of(s);

	if (s->was_ready || server_route_is_listed(s)) {
		log_warn(&ctx, "the server runs, but does not answer",
		    "key=%s last=\"%s\"", s->key, s->probe.last);
		return server_act_checked(s, c);
	}
	server_set_failure(s, NULL,
	    "the process ran through a restart of the hub, but its address "
	    "does not answer: %s",
	    s->probe.last);
	server_step_add(s, 90, "It does not answer: ending it");
	server_unwant(s);
	server_route_close(s);
	return SERVER_UNROUTING;
}
