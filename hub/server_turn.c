/*
 * Bounded concurrency of starts (and of checks after a restart): first come,
 * first served; who waits sees the place in the line.
 */
#include "hub/server_turn.h"
#include "hub/app.h"
#include "spawner/client.h"

#define RETRY_MS  200
#define PLACES_MS 1000

void turn_pool_init(struct turn_pool *p, bool needs_spawner)
{
	list_init(&p->waiting);
	p->n_waiting = p->n_held = 0;
	p->needs_spawner = needs_spawner;
}

static size_t limit_of(const struct servers *all, const struct turn_pool *p)
{
	const struct config *cfg = &all->app->cfg;

	return (size_t)(p == &all->starts ? cfg->concurrent_spawn_limit
					  : cfg->check_limit);
}

static void leave_line(struct server *s)
{
	if (!s->is_in_line)
		return;
	list_del(&s->turn);
	s->is_in_line = false;
	s->pool->n_waiting--;
}

static void give_turns(struct servers *all, struct turn_pool *p)
{
	while (!list_empty(&p->waiting) && p->n_held < limit_of(all, p)) {
		struct server *s =
		    LIST_ITEM(p->waiting.next, struct server, turn);
		struct server_cause c = { .result = 0 };

		if (timer_running(&all->retry) ||
		    (p->needs_spawner && !spawner_is_up(all->app->spawner)))
			return;
		leave_line(s);
		s->holds_turn = true;
		p->n_held++;
		server_event(s, EV_TURN, &c);
	}
}

static void on_pump(void *arg)
{
	struct servers *all = arg;

	give_turns(all, &all->starts);
	give_turns(all, &all->checks);
}

void server_turn_pump(struct app *app)
{
	struct servers *all = app->servers;

	defer_call(app->loop, &all->pump, on_pump, all);
}

/* ---- places in the line -------------------------------------------------- */

static void on_places(struct timer *t, void *arg)
{
	struct servers *all = arg;
	size_t n_before = 0;

	list_for_each (it, &all->starts.waiting) {
		struct server *s = LIST_ITEM(it, struct server, turn);

		server_step_place(s, n_before++);
		if (!list_empty(&s->watches))
			server_watch_tell(s);
	}
	if (!list_empty(&all->starts.waiting))
		timer_start(all->app->loop, t, PLACES_MS, on_places, all);
}

/* Only when it has to wait: most starts never see a line. */
static void tell_places(struct servers *all)
{
	if (!timer_running(&all->places))
		timer_start(
		    all->app->loop, &all->places, PLACES_MS, on_places, all);
}

static void join_line(struct server *s, struct turn_pool *p)
{
	s->pool = p;
	s->is_in_line = true;
	p->n_waiting++;
	server_turn_pump(s->app);
}

void server_turn_wait(struct server *s, struct turn_pool *p)
{
	struct servers *all = s->app->servers;

	list_add_tail(&p->waiting, &s->turn);
	join_line(s, p);
	if (p != &all->starts)
		return;
	if (p->n_waiting + p->n_held > limit_of(all, p))
		server_step_place(s, p->n_waiting - 1);
	tell_places(all);
}

void server_turn_wait_first(struct server *s, struct turn_pool *p)
{
	list_add_head(&p->waiting, &s->turn);
	join_line(s, p);
}

static void on_retry(struct timer *t, void *arg)
{
	struct servers *all = arg;

	(void)t;
	server_turn_pump(all->app);
}

void server_turn_pause(struct app *app)
{
	struct servers *all = app->servers;

	timer_start(app->loop, &all->retry, RETRY_MS, on_retry, all);
}

void server_turn_return(struct server *s)
{
	s->holds_turn = false;
	s->pool->n_held--;
	server_turn_wait_first(s, s->pool);
	server_turn_pause(s->app);
}

void server_turn_end(struct server *s)
{
	leave_line(s);
	if (!s->holds_turn)
		return;
	s->holds_turn = false;
	s->pool->n_held--;
	server_turn_pump(s->app);
}

void server_turn_stop(struct servers *all)
{
	timer_stop(&all->retry);
	timer_stop(&all->places);
	defer_cancel(&all->pump);
}
