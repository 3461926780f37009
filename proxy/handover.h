/*
 * The old side of a takeover: listens on a socket that only our own account
 * may use, gives a new process what it needs (proxy/parcel.h says the order),
 * and goes on as if nothing had happened when that one fails before it has
 * begun. Afterwards it sends what is left: counters and activity once a
 * second, tunnels that open late. Lives on the main thread.
 */
#ifndef CARREL_PROXY_HANDOVER_H
#define CARREL_PROXY_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "proxy/parcel.h"

struct box;
struct handover;
struct journal;
struct metrics;
struct table;
struct tls_tickets;
struct worker;

struct handover_socket {
	enum parcel_listener kind;
	int fd;
	uint16_t port;    /* 0: a unix socket */
	const char *text; /* address or path */
};

struct handover_options {
	struct loop *loop;
	struct table *table;
	struct journal *journal; /* may be NULL */
	struct tls_tickets *tickets;
	struct worker *const *workers;
	size_t n_workers;
	struct metrics *const *metrics; /* all sets */
	size_t n_metrics;
	/* The listening sockets, now; at most `cap` of them. */
	size_t (*sockets)(struct handover_socket *out, size_t cap, void *arg);
	/* The word of a takeover that begins; -1: it is over. */
	void (*on_word)(int fd, void *arg);
	/* Another process serves: workers drain, routes are refused. */
	void (*on_left)(void *arg);
	/* After handover_finish: all is told. */
	void (*on_end)(void *arg);
	void *arg;
};

/* Before the workers run. Takes listen_fd. */
struct handover *handover_new(
    const struct handover_options *opt, int listen_fd, struct err *err);
/* From now on here; a takeover that has begun goes on. Takes listen_fd. */
int handover_listen(
    struct handover *h, int listen_fd, struct err *err) MUST_CHECK;
void handover_free(struct handover **h);
/* No takeover from now on; one that has not begun is given up. */
void handover_cancel(struct handover *h);
/* After on_left: this tunnel came late. The box is taken. */
void handover_send_box(struct handover *h, struct box *b);
/* After on_left: nothing is open any more; tell the last numbers. */
void handover_finish(struct handover *h);

#endif
