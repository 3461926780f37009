/*
 * Makes three tables equal: what should run (database), what runs (spawner's
 * list) and what can be reached (proxy's routes). Runs at the start of the hub,
 * whenever spawner or proxy come back, and now and then. Acts on positive
 * evidence only: a server is gone when a whole list lacks it, a route is
 * deleted when no server that could own it is in doubt.
 */
#ifndef CARREL_HUB_RECONCILE_H
#define CARREL_HUB_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct app;
struct reconcile;
struct spawner_server;

struct reconcile *reconcile_new(struct app *app);
void reconcile_free(struct reconcile **r);
/* Adopt what the database says, make the hub's own route, look at the rest. */
void reconcile_begin(struct app *app);

/* From the spawner's callbacks. */
void reconcile_spawner_up(struct app *app);
void reconcile_spawner_down(struct app *app);
void reconcile_found(struct app *app, const struct spawner_server *s);
void reconcile_list_end(struct app *app);

/* A request to the proxy failed or came back: compare routes soon. */
void reconcile_routes_soon(struct app *app);

/*
 * Told once, from the loop: a listing that was asked for after the watch began
 * needed no repair (err->code ERR_NONE), or the proxy does not answer. Embedded
 * in the caller's object.
 */
struct reconcile_watch {
	struct list link;
	uint64_t round; /* of the first listing that counts */
	void (*done)(struct reconcile_watch *w, const struct err *err);
};
void reconcile_routes_watch(struct app *app, struct reconcile_watch *w);
/* Safe on a zeroed watch. */
void reconcile_routes_unwatch(struct reconcile_watch *w);

/* How many lists the spawner was asked for: a server whose START was sent later
 * than a list is not missing in it. */
uint64_t reconcile_round(const struct app *app);
/* The rows of the database were all looked at and a whole list has come: what
 * runs is known (a metric, and for the simulation). */
bool reconcile_is_settled(const struct app *app);

#endif
