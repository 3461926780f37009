/*
 * What a proxy and the one that takes its place say to each other: messages in
 * a strict binary form, cut into parts of SOCK_SEQPACKET, descriptors by
 * SCM_RIGHTS. Knows coding and bounds, not what the messages do (handover.h is
 * the old side, takeover.h the new one).
 *
 *   new: HELLO            old: WELCOME (or REFUSE), LISTENER*, TICKETS,
 *                              ROUTE*, ROUTES_END
 *   new: PREPARED         old: COUNTERS, TUNNEL*, TUNNELS_END
 *   new: READY            old: GO
 *   new: DONE             old: (COUNTERS, ACTIVITY, TUNNEL)*, GOODBYE
 *
 * The moment between GO and DONE is a word of shared memory that came with
 * WELCOME: the old one gives up by PARCEL_OPEN -> PARCEL_ABORTED, the new one
 * begins by PARCEL_OPEN -> PARCEL_BEGUN, and only one of them can.
 */
#ifndef CARREL_PROXY_PARCEL_H
#define CARREL_PROXY_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PARCEL_VERSION 1u
/* One message; a route's object and a tunnel's two queues are below that. */
#define PARCEL_MAX     ((size_t)1 << 20)
#define PARCEL_FDS_MAX 32

enum parcel_word { PARCEL_OPEN, PARCEL_BEGUN, PARCEL_ABORTED };

enum parcel_type {
	PARCEL_HELLO = 1,
	PARCEL_WELCOME,
	PARCEL_REFUSE,
	PARCEL_LISTENER,
	PARCEL_ROUTE,
	PARCEL_ROUTES_END,
	PARCEL_PREPARED,
	PARCEL_TUNNEL,
	PARCEL_TUNNELS_END,
	PARCEL_READY,
	PARCEL_GO,
	PARCEL_DONE,
	PARCEL_COUNTERS,
	PARCEL_ACTIVITY,
	PARCEL_GOODBYE,
	PARCEL_TICKETS,
};

enum parcel_listener {
	PARCEL_PUBLIC,
	PARCEL_API,
	PARCEL_METRICS,
	PARCEL_TAKEOVER,
	PARCEL_REDIRECT,
	PARCEL_N_LISTENERS,
};

/* Slices are borrowed: of the caller when it sends, of the input when it
 * receives. */
struct parcel {
	enum parcel_type type;
	uint32_t version; /* HELLO, WELCOME */
	uint64_t n_lines; /* WELCOME: of the journal, whose descriptor is the
			   * second one; the first is the word */
	enum parcel_listener kind; /* LISTENER ... */
	uint16_t port;             /* 0: a unix socket */
	struct slice text;         /* ... its address or path; REFUSE: why;
				    * TICKETS: keys, secret */
	struct slice key, object;  /* ROUTE, in the order of cells' numbers */
	bool has_route;            /* no: only its cell is in use */
	int64_t last_ms;
	uint32_t cell; /* TUNNEL: number; descriptors: client, target */
	bool client_shut, target_shut;
	struct slice to_client, to_target;
	struct slice items; /* COUNTERS, ACTIVITY: see below */
};

void parcel_encode(struct buf *out, const struct parcel *p);
/* ERR_PROTOCOL: not one of ours. */
int parcel_decode(struct slice in, size_t n_fds, struct parcel *out,
    struct err *err) MUST_CHECK;

/* One item of COUNTERS, of ACTIVITY; `next` is false at the end of `items`. */
struct parcel_counter {
	uint16_t family, index;
	uint64_t value;
};
struct parcel_activity {
	uint32_t cell;
	int64_t last_ms;
};
#define PARCEL_ACTIVITIES 1024 /* in one message */
void parcel_put_counter(struct buf *out, struct parcel_counter c);
bool parcel_next_counter(struct slice *items, struct parcel_counter *out);
void parcel_put_activity(struct buf *out, struct parcel_activity a);
bool parcel_next_activity(struct slice *items, struct parcel_activity *out);

/* ---- on a socket --------------------------------------------------------- */

struct parcel_out {
	struct buf data;
	size_t at; /* sent of it */
	int fds[PARCEL_FDS_MAX];
	size_t n_fds;
};

struct parcel_in {
	struct buf data;
	bool is_whole; /* the next part begins a new message */
	int fds[PARCEL_FDS_MAX];
	size_t n_fds;
};

void parcel_out_init(struct parcel_out *o);
void parcel_out_fini(struct parcel_out *o);
/* Make p the message on its way; nothing may be on its way. fds: borrowed
 * until it has gone. */
void parcel_out_set(
    struct parcel_out *o, const struct parcel *p, const int *fds, size_t n_fds);
/* 1 all has gone, 0 the peer must read first, -1 error. */
int parcel_flush(struct parcel_out *o, int fd, struct err *err) MUST_CHECK;

void parcel_in_init(struct parcel_in *in);
void parcel_in_fini(struct parcel_in *in);
/*
 * 1: *p is the next message, valid until the next call, which also closes the
 * descriptors whose slot in in->fds is not -1. 0: nothing whole is there now.
 * -1: error; ERR_UNAVAILABLE: the peer has gone.
 */
int parcel_receive(
    struct parcel_in *in, int fd, struct parcel *p, struct err *err) MUST_CHECK;

#endif
