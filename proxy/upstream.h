/*
 * The way to the targets: per target a `backend` (addresses, idle connections,
 * whether it is dead), per connection an `upstream`. Belongs to one worker.
 *
 * A backend that refuses is remembered as dead for a moment, so that requests
 * are answered without a socket; a route that is set anew forgives it. Idle
 * connections are watched: one that its target closes is gone at once.
 */
#ifndef CARREL_PROXY_UPSTREAM_H
#define CARREL_PROXY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/httphead.h"
#include "base/list.h"
#include "base/loop.h"
#include "proxy/transport.h"

struct backend;
struct backends;
struct exchange;
struct metrics;
struct target;
struct upstream;
struct ssl_ctx_st;

/* Something happened on the connection, or the wait for it ended. */
typedef void upstream_fn(struct exchange *ex);

struct upstream {
	struct transport io;
	struct backend *backend;
	struct exchange *ex; /* NULL: idle */
	struct list link;    /* in the backend's idle list */
	struct list by_age;  /* in the pool's list of idle ones */
	int64_t idle_until_ms;
	int64_t idle_limit_ms; /* what the target offered */
	struct buf in;         /* a response head that is not complete */
	struct httphead_scan scan;
	uint8_t n_tried; /* addresses of the backend */
	bool is_connecting;
	bool is_reused;
};

/* A request for a connection that has to wait for a name look-up. */
struct upstream_wait {
	struct list link;
	struct exchange *ex;
	bool is_waiting;
};

enum upstream_state {
	UPSTREAM_READY,   /* *out is connected */
	UPSTREAM_PENDING, /* *out is connecting, or NULL: look-up runs */
	UPSTREAM_DEAD,    /* known to be dead: no socket was used */
	UPSTREAM_FAILED,  /* refused now; err says why */
};

/* m: where the numbers of open and of idle connections are told. */
struct backends *backends_new(
    struct loop *l, upstream_fn *fn, struct metrics *m);
void backends_free(struct backends **b);
/* TLS to targets begins with this context. Takes the reference. */
void backends_set_tls(struct backends *b, struct ssl_ctx_st *tls);
/* What was dead may live again. */
void backends_forgive(struct backends *b, const struct target *t);

/*
 * A connection to the target for `ex`. fresh: none that was used before. With
 * PENDING `fn` is called for ex later; then call it again (after a look-up) or
 * upstream_connected.
 */
enum upstream_state upstream_get(struct backends *b, const struct target *t,
    bool fresh, struct exchange *ex, struct upstream_wait *wait,
    struct upstream **out, struct err *err);
void upstream_wait_cancel(struct upstream_wait *wait);
/*
 * Ask whether a connecting one is there by now: READY, PENDING, or FAILED (the
 * upstream is closed and *up NULL).
 */
enum upstream_state upstream_connected(
    struct upstream **up, const struct target *t, struct err *err);
/* Has the target closed it behind our back? (a look into the socket) */
bool upstream_is_stale(struct upstream *up);
/* Keep it for the next request. */
void upstream_release(struct upstream **up);
void upstream_close(struct upstream **up);

#endif
