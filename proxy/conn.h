/*
 * A client's HTTP/1.1 connection: reads heads, runs one exchange at a time,
 * writes what the exchange answers, keeps the connection for the next request.
 * All work on a connection and its exchange happens in conn_run; only its end
 * frees them, so that everything below may just set `state`.
 *
 * An exchange speaks to its client through the doors below alone
 * (conn_read_body to conn_break), so that a stream of HTTP/2 is a client as
 * well: a conn without a socket, whose doors lead to proxy/h2.h.
 */
#ifndef CARREL_PROXY_CONN_H
#define CARREL_PROXY_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/httphead.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/str.h"
#include "proxy/frame.h"
#include "proxy/transport.h"

struct exchange;
struct h2;
struct h2_stream;
struct http_refusal;
struct worker;

enum conn_state {
	CONN_SHAKE,   /* the TLS handshake runs */
	CONN_HEAD,    /* between requests, or reading a head */
	CONN_BUSY,    /* an exchange runs */
	CONN_LINGER,  /* answered and ended; what still comes is thrown away */
	CONN_STREAMS, /* it is HTTP/2 (proxy/h2.h) */
	CONN_CLOSED,  /* to be freed at the end of conn_run */
};

/* Bytes that were read and are not used yet. */
struct conn_input {
	char *data;
	uint32_t off, len, cap;
};

struct conn {
	struct transport io;
	struct worker *worker;
	struct exchange *ex;
	struct h2 *h2;            /* STREAMS: all that it is; else NULL */
	struct h2_stream *stream; /* it is this stream; NULL: a connection */
	struct list link;
	struct list shake; /* in the worker's queue of handshakes */
	struct timer timer;
	struct defer again;
	enum conn_state state;
	bool is_trusted;  /* its X-Forwarded-* are believed */
	bool had_request; /* at least one was answered */
	bool is_running;  /* conn_run is on the stack */
	bool is_sending;  /* LINGER: in the middle of a request */
	bool may_shake;   /* SHAKE: it is its turn */
	bool must_reset;  /* close so that the client sees a failure */
	bool is_shaking;  /* counted in worker->n_shaking */
	struct conn_input in;
	struct httphead_scan scan;
	int64_t since_ms;  /* the state, or the head, began */
	int64_t active_ms; /* last byte from or to the client */
	uint64_t n_lingered;
	size_t
	    n_unread; /* at the last look at a reader that may have stopped */
	struct in6_addr address; /* :: for a unix socket */
	char
	    peer[INET6_ADDRSTRLEN]; /* the same as text; "" for a unix socket */
};

/* Takes fd. addr is NULL for a unix socket. */
void conn_open(struct worker *w, int fd, const struct in6_addr *addr);
/* Go on as far as possible. May free c. */
void conn_run(struct conn *c);
void conn_free(struct conn *c);
/* All places are taken: does it wait for nothing but its next request, or keep
 * us waiting? Then it is closed. true: it was, and c is gone. */
bool conn_give_way(struct conn *c);
/* Draining began: close it if it is idle. May free c. */
void conn_drain(struct conn *c);

/* ---- what an exchange asks of its client --------------------------------- */

enum conn_read {
	CONN_READ_MORE, /* got some (or none now: payload is empty) */
	CONN_READ_DONE, /* and that was the end of the body */
	CONN_READ_BAD,  /* broken framing */
	CONN_READ_GONE, /* the client left in the middle */
};
/* The next piece of the request body; valid until the next read of anything. */
enum conn_read conn_read_body(
    struct conn *c, struct frame *f, struct slice *payload);
/* Is there anything that conn_read_body could give? */
bool conn_has_input(const struct conn *c);
/* ... without reading from the client? */
bool conn_holds_input(const struct conn *c);
bool conn_is_secure(const struct conn *c);
/* The client has to take what was sent before more is read for it ... */
bool conn_is_blocked(const struct conn *c);
/* ... and so much at once. */
size_t conn_room(const struct conn *c);
/*
 * 0, or -1: the client is gone (state is CONN_CLOSED). The first piece of an
 * answer is its head, whole and alone.
 */
int conn_send(struct conn *c, struct iovec *iov, size_t n) MUST_CHECK;
/*
 * The answer is complete. keep: the next request may come. Otherwise the
 * connection is ended; `drain` first lets the client finish sending.
 */
void conn_finish(struct conn *c, bool keep, bool drain);
/*
 * The answer breaks off, and the client must be able to tell. is_framed: in
 * HTTP/1.1 it can already.
 */
void conn_break(struct conn *c, bool is_framed);
/* A head that nothing can be made of: answer, and end. */
void conn_refuse(struct conn *c, const struct http_refusal *why);

#endif
