/*
 * The new side of a takeover: gets everything from the running proxy before
 * this one serves (blocking, bounded by deadlines), begins, and then listens to
 * what the old one reports until it ends. A failure before takeover_begin has
 * returned 0 leaves the old one as it was: this process just ends.
 */
#ifndef CARREL_PROXY_TAKEOVER_H
#define CARREL_PROXY_TAKEOVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "proxy/parcel.h"

struct box;
struct metrics;
struct sockets;
struct table;
struct takeover;
struct tls_tickets;
struct worker;

/*
 * Connect and check who is there. NULL with err: ERR_NOT_FOUND when no proxy
 * runs, so that there is nothing to take over.
 */
struct takeover *takeover_open(const char *path, struct err *err);
void takeover_free(struct takeover **t);

/* First: sockets, keys of TLS tickets, and routes with their activity into an
 * empty table. */
int takeover_copy(struct takeover *t, struct table *table,
    struct tls_tickets *tickets, struct err *err) MUST_CHECK;
/* The listening sockets that came over; what nobody took is closed later. */
struct sockets *takeover_sockets(struct takeover *t);
/* The old one's journal, or -1. The caller's from then on. */
int takeover_journal(struct takeover *t, size_t *n_lines_out);

/* Second, when all is built: counters into `inherited`, tunnels at rest into
 * the boxes of the workers, which must leave those alone until worker_begin. */
int takeover_tunnels(struct takeover *t, struct worker *const *workers,
    size_t n_workers, struct metrics *inherited, struct err *err) MUST_CHECK;
/* Third: 0 means that all is ours. */
int takeover_begin(struct takeover *t, struct err *err) MUST_CHECK;

struct takeover_callbacks {
	/* A tunnel that opened late in the old one; takes the box. */
	void (*on_box)(struct box *b, void *arg);
	/* The old one has ended. */
	void (*on_gone)(void *arg);
	void *arg;
};
/* Last: tell the old one to leave, and listen to it from the loop. */
int takeover_watch(struct takeover *t, struct loop *l,
    const struct takeover_callbacks *cb, struct err *err) MUST_CHECK;
/* How many tunnels came with takeover_tunnels. */
size_t takeover_n_tunnels(const struct takeover *t);

#endif
