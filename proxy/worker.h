/*
 * A worker: one thread, one loop, its own listening sockets, route table,
 * backend pool and connections. Nothing of it is touched by another thread but
 * its counters; orders come as messages (loop_post).
 */
#ifndef CARREL_PROXY_WORKER_H
#define CARREL_PROXY_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/httphead.h"
#include "base/list.h"
#include "base/loop.h"
#include "proxy/hold.h"
#include "proxy/metrics.h"

struct backends;
struct box;
struct config;
struct errors;
struct route;
struct routes;
struct exchange;
struct limits;
struct access_ring;
struct ssl_ctx_st;

/*
 * One read of a socket; also the bound of what waits for a slow peer. 64 KiB,
 * which servers like to write at once, and what stands before them: a head, or
 * that of a message.
 */
#define WORKER_SCRATCH 67584

struct worker {
	unsigned id;
	const struct config *config;
	struct loop *loop;
	pthread_t thread;
	bool has_thread;
	struct routes *routes;
	struct backends *backends;
	struct errors *errors;
	struct metrics metrics;
	struct limits *limits; /* shared by all workers; set before it runs */
	struct access_ring *access; /* NULL: no access log; set likewise */
	struct buf access_line;     /* used within one call */

	struct watch listener; /* its descriptor is the worker's own */
	struct timer accept_pause;
	int64_t accept_complaint_ms;

	/* The public port's TLS, a reference; NULL: plain HTTP. */
	struct ssl_ctx_st *tls;
	struct list shakes; /* connections with a handshake to go on with */
	struct defer shake_turn;

	struct list conns, tunnels;
	struct holds holds;
	size_t n_conns, n_tunnels, n_shaking;
	bool is_draining;
	/* Runs on this thread when the last one is gone while draining. */
	void (*on_drained)(struct worker *w, void *arg);
	void *drained_arg;

	/* A takeover (proxy/handover.h, proxy/takeover.h): tunnels at rest,
	 * the main thread's between the orders to box and to begin; */
	struct list boxes;
	int held_fd; /* the listening socket until worker_begin, or -1 */
	/* and, when it leaves, who gets the tunnels that open late: called on
	 * this thread, takes the box. */
	void (*on_box)(struct box *b, void *arg);
	void *box_arg;
	bool is_leaving;
	struct defer leaving;

	/* Used within one call, never across: */
	char *scratch;           /* WORKER_SCRATCH bytes */
	struct buf head;         /* a head for a client */
	struct http_head parsed; /* the head in hand */

	int64_t complaint_s;   /* second of the last complaints ... */
	unsigned n_complaints; /* ... and how many there were in it */
	char date[30];         /* Date: of the second date_s */
	int64_t date_s;
	struct exchange *spare; /* one to use again */
};

/* Takes listen_fd, which is served from worker_begin on. The thread starts
 * with worker_run. */
struct worker *worker_new(
    unsigned id, const struct config *config, int listen_fd);
int worker_run(struct worker *w, struct err *err) MUST_CHECK;
/* Ends the thread, if any, and everything that is open. */
void worker_free(struct worker **w);

/* ---- on the worker's own thread, or before it runs ---------------------- */

void worker_set_route(struct worker *w, struct route *r);
void worker_remove_route(struct worker *w, const char *key);
/* Accept from now on, and go on with the tunnels that are in boxes. */
void worker_begin(struct worker *w);
/* New connections, or those to targets, begin with this context. Takes the
 * reference. */
void worker_set_tls(struct worker *w, struct ssl_ctx_st *tls);
void worker_set_client_tls(struct worker *w, struct ssl_ctx_st *tls);
/* Close the listener; connections end with their answer, idle ones now. */
void worker_drain(struct worker *w);
/* Put the tunnels at rest, into boxes. */
void worker_box(struct worker *w);
/*
 * Another process serves now: drain, but let a connection that has not asked
 * yet have its answer; each tunnel goes to on_box.
 */
void worker_leave(struct worker *w);
/* A tunnel was opened. */
void worker_more_tunnels(struct worker *w);
/* A connection or tunnel of it is gone. */
void worker_one_less(struct worker *w);
int64_t worker_now_ms(const struct worker *w);
/* Unix milliseconds. */
int64_t worker_wall_ms(const struct worker *w);
/* Log lines about requests: a bounded number a second. */
bool worker_may_complain(struct worker *w);
/* "Fri, 20 Nov 2026 11:00:00 GMT" */
const char *worker_date(struct worker *w);

#endif
