/*
 * The real hub in a seeded simulation: the code of db/ and hub/ that runs in
 * production, with clock, randomness, spawner, proxy and network replaced.
 * Anything fails or comes late as the seed says; the same seed tells the same
 * story again.
 *
 *   sim                      200 seeds
 *   sim --seed N             one of them (--count N for more)
 *   sim --seed N --trace     and what happened, line by line
 *   sim --steps M            longer or shorter stories (120)
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "tests/sim/world.h"

#define T0_US      INT64_C(1700000000000000)
#define CALM_MS    400000
#define CALM_EVERY 40
#define START_MS   30000

struct world world;

struct plan {
	int64_t seed, count, steps;
	bool trace;
};

/* ---- what the world calls ------------------------------------------------ */

static void print_time(void)
{
	int64_t ms = (clock_wall_us() - T0_US) / 1000;

	printf("%7lld.%03lld ", (long long)(ms / 1000), (long long)(ms % 1000));
}

void world_trace(const char *fmt, ...)
{
	va_list ap;

	if (!world.trace)
		return;
	print_time();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void world_broken(const char *what, const char *fmt, ...)
{
	va_list ap;

	if (world.broken)
		return;
	world.broken = what;
	va_start(ap, fmt);
	vsnprintf(world.detail, sizeof world.detail, fmt, ap);
	va_end(ap);
	world_trace("BROKEN: %s (%s)", what, world.detail);
}

/* splitmix64: apart from the generator that the hub uses. */
uint64_t world_random(uint64_t n)
{
	uint64_t z = world.random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % (n > 0 ? n : 1);
}

bool world_chance(unsigned percent)
{
	return world_random(100) < percent && !world.is_calm;
}

static void on_log(const char *line, void *arg)
{
	(void)arg;
	if (world.trace) {
		print_time();
		printf("    %s\n", line);
	}
	if (strstr(line, "bug: "))
		world_broken("no event comes that cannot be", "%.300s", line);
}

/* ---- one story ----------------------------------------------------------- */

static void one_step(void)
{
	size_t i = (size_t)world_random(N_PEOPLE);
	uint64_t what = world_random(100);

	if (what < 40)
		people_start(i);
	else if (what < 60)
		people_stop(i);
	else if (what < 70)
		spawner_process_dies();
	else if (what < 76)
		spawner_die();
	else if (what < 82)
		proxy_die();
	else if (what < 91)
		hub_die_soon();
	else if (what < 95)
		spawner_process_is_busy();
	loop_advance(world.loop, (int64_t)world_random(4000));
	check_now();
}

/* When nothing fails, everybody who wants a server has one, soon. */
static void everybody_starts(void)
{
	for (size_t i = 0; i < N_PEOPLE; i++)
		people_start(i);
	loop_advance(world.loop, START_MS);
	for (size_t i = 0; i < N_PEOPLE; i++) {
		const struct server *s =
		    server_by_name(world.app, world.people[i].name, "");

		if (!s || !server_is_ready(s))
			world_broken("a start succeeds when nothing fails",
			    "%s: %s", world.people[i].name,
			    s ? server_state_name(server_state(s)) : "no");
	}
	check_calm();
	for (size_t i = 0; i < N_PEOPLE; i++) {
		if (world_random(2) == 0)
			people_stop(i);
	}
}

/* Nothing fails any more: after a while all tables agree. */
static void calm_down(void)
{
	world.is_calm = true;
	world_trace("calm begins");
	timer_stop(&world.hub_timer);
	hub_up();
	if (!fake_spawner.is_up)
		spawner_connect();
	loop_advance(world.loop, CALM_MS);
	if (!world.app)
		world_broken("the hub comes back", "it is dead");
	if (!world.broken)
		check_calm();
	if (!world.broken)
		everybody_starts();
	world_trace("calm ends");
	world.is_calm = false;
}

static void open_world(const struct plan *plan, int64_t seed)
{
	memset(&world, 0, sizeof world);
	world.trace = plan->trace;
	world.random = (uint64_t)seed * 0x2545f4914f6cdd1du;
	world.reuses_ports = seed % 2 == 0;
	clock_sim_start(T0_US);
	rand_seed_simulation((uint64_t)seed);
	log_open("hub", plan->trace ? LOG_DEBUG : LOG_ERROR);
	log_set_sink(on_log, NULL);
	world.loop = loop_new();
	snprintf(world.dir, sizeof world.dir, "%s/carrel-sim-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(world.dir)) {
		perror(world.dir);
		exit(1);
	}
	snprintf(world.database, sizeof world.database, "%s/db", world.dir);
	spawner_init();
	proxy_init();
	hub_up();
	if (world.app)
		people_init();
}

static int remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void close_world(void)
{
	world.is_calm = true;
	hub_die();
	timer_stop(&world.hub_timer);
	/* What is still under way frees itself when it arrives. */
	loop_advance(world.loop, 100000);
	spawner_fini();
	proxy_fini();
	loop_free(&world.loop);
	if (nftw(world.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		perror(world.dir);
}

static bool tell_story(const struct plan *plan, int64_t seed)
{
	open_world(plan, seed);
	for (int64_t i = 1; i <= plan->steps && !world.broken; i++) {
		one_step();
		if (i % CALM_EVERY == 0 && !world.broken)
			calm_down();
	}
	if (world.broken)
		printf("not ok seed %lld: %s (%s)\n", (long long)seed,
		    world.broken, world.detail);
	close_world();
	return world.broken == NULL;
}

/* ---- command line -------------------------------------------------------- */

static int take(const char *text, int64_t *out)
{
	struct err err;

	if (num_range(text, 1, INT64_MAX, out, &err) == 0)
		return 0;
	fprintf(stderr, "sim: %s\n", err.text);
	return -1;
}

static int parse(int argc, char **argv, struct plan *p)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "steps", required_argument, NULL, 'm' },
		{ "trace", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*p = (struct plan){ .seed = 1, .count = 0, .steps = 120 };
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && take(optarg, &p->seed) == 0)
			p->count = p->count ? p->count : 1;
		else if (c == 'c' && take(optarg, &p->count) == 0)
			continue;
		else if (c == 'm' && take(optarg, &p->steps) == 0)
			continue;
		else if (c == 't')
			p->trace = true;
		else
			return -1;
	}
	if (p->count == 0)
		p->count = 200;
	return 0;
}

int main(int argc, char **argv)
{
	struct plan plan;
	int64_t n_bad = 0;

	if (parse(argc, argv, &plan) != 0)
		return 2;
	printf("group: sim\n");
	for (int64_t i = 0; i < plan.count; i++) {
		if (!tell_story(&plan, plan.seed + i))
			n_bad++;
	}
	if (n_bad == 0)
		printf(
		    "ok hub in %lld seeded stories\n", (long long)plan.count);
	return n_bad > 0;
}
