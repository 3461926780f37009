/*
 * The simulated proxy: answers late, in any order, sometimes with an error
 * after it did what was asked; dies, and comes back with or without its table.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/sim/world.h"

/* The client tries again for so long. */
#define RETRY_MS   30000
/* After a failure the hub needs a comparison to be right again. */
#define TROUBLE_MS 20000

/* What a dead hub asked arrives soon or never. */
#define ORPHAN_MS 200

struct turn {
	struct timer timer;
	uint64_t id;
	int64_t queued_ms;
	int64_t until_ms;
};

static struct fake_request *request_by_id(uint64_t id)
{
	list_for_each (it, &fake_proxy.requests) {
		struct fake_request *r =
		    LIST_ITEM(it, struct fake_request, link);

		if (r->id == id)
			return r;
	}
	return NULL;
}

static void on_turn(struct timer *t, void *arg);

static void again(struct turn *n, int64_t ms)
{
	timer_start(world.loop, &n->timer, ms, on_turn, n);
}

static void answer(struct turn *n, struct fake_request *r, enum err_code code)
{
	static const char *const kinds[] = { "add", "delete", "list" };

	world_trace("proxy answers %s %s: %s", kinds[r->kind], r->path,
	    code == ERR_NONE ? "ok" : err_code_name(code));
	if (code != ERR_NONE)
		world.trouble_ms = clock_mono_ms();
	free(n);
	fake_proxy_answer(r, code);
}

bool proxy_is_healthy(void)
{
	return world.proxy_alive &&
	       clock_mono_ms() - world.trouble_ms > TROUBLE_MS;
}

static bool is_lost(const struct turn *n, const struct fake_request *r)
{
	return r->is_cancelled && !r->is_applied &&
	       clock_mono_ms() - n->queued_ms > ORPHAN_MS;
}

static void on_turn(struct timer *t, void *arg)
{
	struct turn *n = arg;
	struct fake_request *r = request_by_id(n->id);

	(void)t;
	if (!r) {
		free(n);
		return;
	}
	if (is_lost(n, r)) {
		answer(n, r, ERR_UNAVAILABLE);
		return;
	}
	if (r->is_applied) {
		answer(n, r, world_chance(4) ? ERR_UNAVAILABLE : ERR_NONE);
		return;
	}
	if (world.proxy_alive && !world_chance(4)) {
		if (r->kind == FAKE_DELETE)
			check_delete(r->path);
		fake_proxy_apply(r);
		again(n, (int64_t)world_random(30));
		return;
	}
	if (clock_mono_ms() >= n->until_ms || world_chance(3))
		answer(n, r, ERR_UNAVAILABLE);
	else
		again(n, 200 + (int64_t)world_random(1000));
}

static void on_queued(struct fake_request *r)
{
	struct turn *n = xcalloc(1, sizeof *n);

	n->id = r->id;
	n->queued_ms = clock_mono_ms();
	n->until_ms = n->queued_ms + RETRY_MS;
	again(n, (int64_t)world_random(world_chance(8) ? 2000 : 30));
}

static void on_return(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	if (world.proxy_forgets)
		fake_proxy_forget();
	world.proxy_alive = true;
	world.trouble_ms = clock_mono_ms();
	world_trace("proxy is back%s", world.proxy_forgets ? ", empty" : "");
}

void proxy_die(void)
{
	if (!world.proxy_alive)
		return;
	world.proxy_alive = false;
	world.proxy_forgets = world_chance(50);
	world_trace("proxy dies");
	timer_start(world.loop, &world.proxy_timer,
	    (int64_t)world_random(50000), on_return, NULL);
}

void proxy_init(void)
{
	fake_proxy_init();
	fake_proxy.queued = on_queued;
	world.proxy_alive = true;
}

void proxy_fini(void)
{
	timer_stop(&world.proxy_timer);
	fake_proxy_fini();
}
