/*
 * The life of the simulated hub: the real core on a database that outlives it.
 */
#include <string.h>

#include "base/clock.h"
#include "base/httpd.h"
#include "tests/sim/world.h"

/* Times short enough for a story. */
static void configure(struct config *cfg)
{
	cfg->start_timeout_s = 20;
	cfg->http_timeout_s = 15;
	cfg->stop_grace_s = 5;
	cfg->concurrent_spawn_limit = 3;
	cfg->check_limit = 2;
	cfg->failed_keep_s = 30;
	cfg->spawner_check_s = 40;
	cfg->proxy_check_s = 15;
}

void hub_up(void)
{
	struct app *app = &world.hub;
	struct err err = { .code = ERR_NONE };

	if (world.app)
		return;
	memset(app, 0, sizeof *app);
	app->started_us = clock_wall_us();
	arena_init(&app->config_arena);
	if (config_load(&app->config_arena, NULL, 0, "none", &app->cfg, NULL,
		&err) != 0)
		world_broken("the defaults are right", "%s", err.text);
	configure(&app->cfg);
	app->loop = world.loop;
	app->places.database = world.database;
	app->places.hub_socket = "/run/carrel/hub.sock";
	app->places.spawner_socket = "/run/carrel/spawner.sock";
	if (core_open(app, "token", &err) != 0) {
		world_broken("the database opens", "%s", err.text);
		return;
	}
	world.app = app;
	for (size_t i = 0; i < N_PEOPLE; i++)
		world.people[i].ready_key[0] = '\0';
	world_trace("hub starts");
	core_begin(app);
	spawner_connect();
}

static void on_return(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	hub_up();
}

void hub_die(void)
{
	if (!world.app)
		return;
	world_trace("hub dies");
	world.n_deaths++;
	world.connection++;
	people_forget_watches();
	core_close(world.app);
	arena_fini(&world.app->config_arena);
	world.app = NULL;
	timer_start(world.loop, &world.hub_timer,
	    (int64_t)world_random(world.is_calm ? 100 : 10000), on_return,
	    NULL);
}

static void on_death(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	hub_die();
}

/* In the middle of whatever happens next. */
void hub_die_soon(void)
{
	if (world.app)
		timer_start(world.loop, &world.hub_timer,
		    (int64_t)world_random(1500), on_death, NULL);
}
