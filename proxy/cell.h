/*
 * The activity cell of a route: when it was last used, how many bytes went
 * through, how many exchanges and tunnels are open, and the limits that its
 * route has of its own (a tunnel knows no route). Shared by the workers and
 * the API thread: counted references, relaxed atomics, at most one store of the
 * time a second. A replaced route keeps its cell; the cell of a deleted route
 * lives until its last tunnel ends.
 */
#ifndef CARREL_PROXY_CELL_H
#define CARREL_PROXY_CELL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/route_limits.h"

struct cell;
struct page;

/* One reference; last activity is wall_ms. */
struct cell *cell_new(int64_t wall_ms);
/* The same for the route of this key; its times are noted in the page as well
 * (NULL: there is none), which must live longer. */
struct cell *cell_new_for(const char *key, struct page *page, int64_t wall_ms);
struct cell *cell_ref(struct cell *c);
/* Drops one reference and sets NULL; accepts NULL inside. */
void cell_unref(struct cell **c);

/* Something happened now: stored when the last store is a second old. */
void cell_touch(struct cell *c, int64_t wall_ms);
/* The route was set by the API: stored always. */
void cell_set(struct cell *c, int64_t wall_ms);
void cell_add_bytes(struct cell *c, uint64_t n);
/* As the route says it; in force for what comes over it from now on. */
void cell_set_limits(struct cell *c, const struct route_limits *limits);
struct route_limits cell_limits(const struct cell *c);
void cell_opened(struct cell *c);
void cell_closed(struct cell *c);
/* One of those that are open became a tunnel, or such a tunnel is closed. */
void cell_tunnel_opened(struct cell *c);
void cell_tunnel_closed(struct cell *c);
/* Another process saw it used then: only a later time counts. */
void cell_raise(struct cell *c, int64_t wall_ms);
/* Its place in a takeover's list; any value before one is set. */
void cell_set_number(struct cell *c, uint32_t number);
uint32_t cell_number(const struct cell *c);

/* The key of its route; as long as the cell lives. */
const char *cell_key(const struct cell *c);
int64_t cell_last_ms(const struct cell *c);
uint64_t cell_bytes(const struct cell *c);
int64_t cell_open_count(const struct cell *c);
int64_t cell_tunnel_count(const struct cell *c);
/* Is there a reference besides the caller's? */
bool cell_is_shared(const struct cell *c);

#endif
