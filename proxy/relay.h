/*
 * Tunnels: what remains of a connection after a 101. Two sockets, at most two
 * bounded queues, and a counted reference to an activity cell; never a route or
 * a backend, so that no change of routes can reach it. Bytes pass unread.
 */
#ifndef CARREL_PROXY_RELAY_H
#define CARREL_PROXY_RELAY_H

#include "base/err.h"
#include "base/list.h"
#include "proxy/hold.h"
#include "proxy/transport.h"

struct cell;
struct tunnel;
struct worker;

/*
 * Takes both sockets with their queues (the transports are closed after) and
 * the cell's reference. -1: one could not be watched; all is closed.
 */
int relay_begin(struct worker *w, struct transport *client,
    struct transport *target, struct cell *cell, struct err *err) MUST_CHECK;
void relay_close(struct tunnel *t);

/*
 * A tunnel at rest: everything that it is, watched by nobody. So it changes
 * thread or process. The box has a reference to the cell.
 */
struct box {
	struct list link;
	struct worker *worker; /* whose it was, or whose it will be */
	struct cell *cell;
	struct held held; /* by the parent */
	struct transport_rest client, target;
};

/* Box all tunnels of w that can move; returns with the rest in w->tunnels. */
void relay_box_all(struct worker *w, struct list *out);
/* A tunnel again; the box is gone, on failure too (then all is closed). */
int relay_unbox(struct worker *w, struct box *b, struct err *err) MUST_CHECK;
void relay_box_free(struct box *b);
/* How long a tunnel of that route may be silent, from when the cell's traffic
 * was last noted (up to a second late). */
int64_t relay_patience_ms(
    const struct worker *w, const struct cell *cell, bool is_half_open);
/* Close all of a worker. */
void relay_close_all(struct worker *w);

#endif
