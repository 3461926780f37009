/*
 * One end of a byte stream: a non-blocking socket under an edge-triggered
 * watch, with what it said last (readable, writable, finished) and one bounded
 * queue of bytes that it did not take yet. Knows bytes only. Everything that
 * the proxy reads or writes on a socket passes through here; so TLS is here and
 * nowhere else.
 *
 * Invariant: the owner does not read new bytes for a transport whose queue is
 * not empty; so the queue never holds more than one read (66 KiB) and a head.
 */
#ifndef CARREL_PROXY_TRANSPORT_H
#define CARREL_PROXY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"
#include "proxy/limit.h"

#define TRANSPORT_AGAIN (-1)
#define TRANSPORT_ERROR (-2)

struct ssl_st;
struct ssl_ctx_st;

struct transport {
	struct watch watch; /* watch.fd; the transport owns it */
	struct ssl_st *tls; /* NULL: plain */
	char *out;          /* queue: out[out_off .. out_off + out_len) */
	uint32_t out_off, out_len;
	bool readable, writable;
	bool fin_seen;   /* the peer's end was announced or read */
	bool eof;        /* it was read: nothing more comes */
	bool failed;     /* reading failed: nothing more comes */
	bool out_failed; /* writing failed; what came may still be read */
	bool shut;       /* we ended our direction */
	bool owes_end;   /* but TLS could not say so yet */
	bool shakes_out; /* the TLS handshake has something to write */
	/* The owner's; goes along when the transport moves. */
	struct limit_ticket ticket;
};

/* Takes fd (closed on failure too). fn gets every edge of it. */
int transport_open(struct transport *t, struct loop *l, int fd, watch_fn *fn,
    void *arg, struct err *err) MUST_CHECK;
/* Safe on a zeroed or closed transport. */
void transport_close(struct transport *t);
/* Close with RST: the peer cannot take it for a proper end. */
void transport_reset(struct transport *t);
/*
 * Give the descriptor and the queue to `to`, under another watch function;
 * `from` is closed afterwards. Events that were lost in between come again.
 */
int transport_move(struct transport *to, struct transport *from, watch_fn *fn,
    void *arg, struct err *err) MUST_CHECK;
bool transport_is_open(const struct transport *t);
/* What remains of a plain transport when nobody watches it: owned. */
struct transport_rest {
	int fd;
	char *out; /* malloc'ed queue; NULL: empty */
	uint32_t out_len;
	bool shut;
};
/* Can it be taken apart? Not when a library holds a part of its state. */
bool transport_is_plain(const struct transport *t);
/* Take it apart; the transport is closed afterwards. */
struct transport_rest transport_leave(struct transport *t);
/* Put it together again (perhaps in another process); as transport_open. */
int transport_enter(struct transport *t, struct loop *l,
    struct transport_rest *rest, watch_fn *fn, void *arg,
    struct err *err) MUST_CHECK;
void transport_rest_free(struct transport_rest *rest);

/*
 * From now on TLS by ctx. host: we are the client, and that is whom we expect;
 * NULL: the server. Bytes may flow when transport_shake has said 1.
 */
int transport_start_tls(struct transport *t, struct ssl_ctx_st *ctx,
    const char *host, struct err *err) MUST_CHECK;
/* May transport_shake do anything now? */
bool transport_can_shake(const struct transport *t);
/* 1 the handshake is done, 0 it waits for the peer, -1 it failed. */
int transport_shake(struct transport *t, struct err *err) MUST_CHECK;
/* Did both sides choose HTTP/2 in it? */
bool transport_chose_h2(const struct transport *t);
/* Did the handshake resume an earlier session? */
bool transport_was_resumed(const struct transport *t);
/* Nothing came, not even the end. (A look into the socket.) */
bool transport_is_quiet(struct transport *t);

/* Note the events that the watch brought. */
void transport_note(struct transport *t, uint32_t events);
/* > 0 bytes; 0 the peer ended; TRANSPORT_AGAIN; TRANSPORT_ERROR. */
ssize_t transport_recv(struct transport *t, void *p, size_t cap);
/*
 * Send all: now what the socket takes, the rest from the queue. The array is
 * changed. -1: the transport failed.
 */
int transport_send(struct transport *t, struct iovec *iov, size_t n) MUST_CHECK;
int transport_send_bytes(
    struct transport *t, const void *p, size_t n) MUST_CHECK;
/* Send from the queue what goes. -1: the transport failed. */
int transport_flush(struct transport *t) MUST_CHECK;
/* Bytes that the peer has not taken yet, those in the kernel's hands included.
 */
size_t transport_unread(const struct transport *t);
/* Put bytes at the end of the queue without sending. */
void transport_queue(struct transport *t, const void *p, size_t n);
/* End our direction; the queue must be empty. */
void transport_shut(struct transport *t);

static inline bool transport_is_blocked(const struct transport *t)
{
	return t->out_len > 0;
}

#endif
