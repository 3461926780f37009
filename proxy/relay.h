/*
 * Tunnels: what remains of a connection after a 101. Two sockets, at most two
 * bounded queues, and a counted reference to an activity cell; never a route or
 * a backend, so that no change of routes can reach it. Bytes pass unread.
 */
#ifndef CARREL_PROXY_RELAY_H
#define CARREL_PROXY_RELAY_H

#include "base/err.h"

struct cell;
struct transport;
struct tunnel;
struct worker;

/*
 * Takes both sockets with their queues (the transports are closed after) and
 * the cell's reference. -1: one could not be watched; all is closed.
 */
int relay_begin(struct worker *w, struct transport *client,
    struct transport *target, struct cell *cell, struct err *err) MUST_CHECK;
void relay_close(struct tunnel *t);
/* Close all of a worker. */
void relay_close_all(struct worker *w);

#endif
