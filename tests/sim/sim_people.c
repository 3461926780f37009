/*
 * The people of the simulation: they start and stop their servers and watch the
 * progress.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "db/user.h"
#include "hub/server.h"
#include "tests/sim/world.h"

void people_init(void)
{
	static const char *const names[N_PEOPLE] = { "ada", "bob", "cleo",
		"dan@x", "eve" };
	struct err err;

	for (size_t i = 0; i < N_PEOPLE; i++) {
		struct person *p = &world.people[i];

		*p = (struct person){ .n_settled = 0 };
		snprintf(p->name, sizeof p->name, "%s", names[i]);
		if (user_create(world.app->db, p->name, false, clock_wall_us(),
			&p->user_id, &err) != 0)
			world_broken("people can be made", "%s", err.text);
	}
}

static void note_ready(const struct server *s)
{
	struct proc *p = proc_by_key(s->key);

	if (p)
		p->was_ready = true;
}

static void on_progress(struct server_watch *w, struct server *s,
    const struct server_progress *p, void *arg)
{
	struct person *who = arg;

	(void)w;
	if (p->percent < who->last_percent && p->percent > 10)
		world_broken("progress goes forward", "%s: %d after %d",
		    who->name, p->percent, who->last_percent);
	who->last_percent = p->percent;
	if (p->ready && server_state(s) == SERVER_RUNNING)
		note_ready(s);
	if (p->failed && !*p->message)
		world_broken("a failure has a reason", "%s", who->name);
}

static void on_settled(struct server_watch *w, struct server *s, void *arg)
{
	struct person *who = arg;
	enum server_state st = server_state(s);

	(void)w;
	who->is_watching = false;
	who->n_settled++;
	world_trace("%s sees the end: %s", who->name, server_state_name(st));
	if ((st == SERVER_RUNNING || st == SERVER_FAILED) &&
	    who->last_percent != 100)
		world_broken("the last step is 100 %", "%s: %d", who->name,
		    who->last_percent);
	if (st != SERVER_RUNNING && st != SERVER_FAILED && st != SERVER_GONE)
		world_broken("a watcher is told the end at the end", "%s: %s",
		    who->name, server_state_name(st));
}

static void watch(struct person *who, struct server *s)
{
	if (who->is_watching)
		return;
	who->is_watching = true;
	who->last_percent = 0;
	who->watch = (struct server_watch){
		.fn = on_progress,
		.settled = on_settled,
		.arg = who,
	};
	server_watch_start(s, &who->watch);
}

void people_start(size_t i)
{
	struct person *who = &world.people[i];
	const struct user u = { .id = who->user_id, .name = who->name };
	const struct server_start_args args = { .user = &u, .name = "" };
	struct server *s;
	struct err err = { .code = ERR_NONE };

	if (!world.app)
		return;
	if (server_start(world.app, &args, &s, &err) != 0) {
		world_trace("%s may not start: %s", who->name, err.text);
		return;
	}
	world_trace("%s starts", who->name);
	who->asked_start = true;
	who->asked_stop = false;
	watch(who, s);
}

void people_stop(size_t i)
{
	struct person *who = &world.people[i];
	struct server *s;
	struct err err = { .code = ERR_NONE };

	if (!world.app)
		return;
	s = server_by_name(world.app, who->name, "");
	if (!s)
		return;
	if (server_stop(world.app, s, &err) != 0) {
		world_broken("a stop is accepted", "%s", err.text);
		return;
	}
	world_trace("%s stops", who->name);
	who->asked_stop = true;
	who->asked_start = false;
}

/* Their browsers lose the connection. */
void people_forget_watches(void)
{
	for (size_t i = 0; i < N_PEOPLE; i++) {
		server_watch_stop(&world.people[i].watch);
		world.people[i].is_watching = false;
	}
}
