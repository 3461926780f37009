/*
 * Activity cells: see cell.h.
 */
#include "proxy/cell.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proxy/page.h"

#define STORE_EVERY_MS 1000

/* What every request touches comes first. */
struct cell {
	_Atomic int64_t n_open;
	_Atomic uint64_t bytes;
	_Atomic int64_t last_ms;
	_Atomic int64_t stored_ms; /* last store by traffic; 0: none yet */
	_Atomic int32_t tunnel_idle_s, request_idle_s, max_open;
	atomic_int refs;
	page_time *noted; /* NULL: there is no room for it */
	_Atomic int64_t n_tunnels;
	struct page *page;
	_Atomic uint32_t number;
	char key[];
};

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)
#define ADD(x, v)   atomic_fetch_add_explicit(&(x), (v), memory_order_relaxed)

static void set_last(struct cell *c, int64_t wall_ms)
{
	STORE(c->last_ms, wall_ms);
	if (c->noted != NULL)
		STORE(*c->noted, wall_ms);
}

struct cell *cell_new_for(const char *key, struct page *page, int64_t wall_ms)
{
	size_t len = strlen(key);
	struct cell *c = xcalloc(1, sizeof *c + len + 1);

	memcpy(c->key, key, len);
	atomic_init(&c->refs, 1);
	c->page = page;
	c->noted = page != NULL ? page_time_take(page, key) : NULL;
	cell_set_limits(c, &route_limits_unset);
	set_last(c, wall_ms);
	return c;
}

struct cell *cell_new(int64_t wall_ms)
{
	return cell_new_for("", NULL, wall_ms);
}

struct cell *cell_ref(struct cell *c)
{
	ADD(c->refs, 1);
	return c;
}

void cell_unref(struct cell **cp)
{
	struct cell *c = *cp;
	int before;

	*cp = NULL;
	if (c == NULL)
		return;
	before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	if (c->noted != NULL)
		page_time_give(c->page, c->noted);
	free(c);
}

void cell_touch(struct cell *c, int64_t wall_ms)
{
	int64_t stored = LOAD(c->stored_ms);

	/* A clock that was set back must not stop the stores. */
	if (wall_ms >= stored && wall_ms - stored < STORE_EVERY_MS)
		return;
	STORE(c->stored_ms, wall_ms);
	set_last(c, wall_ms);
}

void cell_set(struct cell *c, int64_t wall_ms)
{
	set_last(c, wall_ms);
	STORE(c->stored_ms, 0);
}

void cell_add_bytes(struct cell *c, uint64_t n)
{
	ADD(c->bytes, n);
}

void cell_opened(struct cell *c)
{
	/* It will be stored to when the answer comes. */
	if (c->noted != NULL)
		__builtin_prefetch(c->noted, 1);
	ADD(c->n_open, 1);
}

void cell_closed(struct cell *c)
{
	ADD(c->n_open, -1);
}

void cell_tunnel_opened(struct cell *c)
{
	ADD(c->n_tunnels, 1);
}

void cell_tunnel_closed(struct cell *c)
{
	ADD(c->n_tunnels, -1);
}

int64_t cell_tunnel_count(const struct cell *c)
{
	return LOAD(c->n_tunnels);
}

void cell_set_limits(struct cell *c, const struct route_limits *limits)
{
	STORE(c->tunnel_idle_s, limits->tunnel_idle_s);
	STORE(c->request_idle_s, limits->request_idle_s);
	STORE(c->max_open, limits->max_open);
}

struct route_limits cell_limits(const struct cell *c)
{
	return (struct route_limits){
		.tunnel_idle_s = LOAD(c->tunnel_idle_s),
		.request_idle_s = LOAD(c->request_idle_s),
		.max_open = LOAD(c->max_open),
	};
}

const char *cell_key(const struct cell *c)
{
	return c->key;
}

int64_t cell_last_ms(const struct cell *c)
{
	return LOAD(c->last_ms);
}

uint64_t cell_bytes(const struct cell *c)
{
	return LOAD(c->bytes);
}

int64_t cell_open_count(const struct cell *c)
{
	return LOAD(c->n_open);
}

void cell_raise(struct cell *c, int64_t wall_ms)
{
	if (wall_ms > LOAD(c->last_ms))
		set_last(c, wall_ms);
}

void cell_set_number(struct cell *c, uint32_t number)
{
	STORE(c->number, number);
}

uint32_t cell_number(const struct cell *c)
{
	return LOAD(c->number);
}

bool cell_is_shared(const struct cell *c)
{
	return atomic_load_explicit(&c->refs, memory_order_acquire) > 1;
}
