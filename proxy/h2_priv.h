/*
 * What the parts of HTTP/2 share: h2.c (the connection), h2_out.c (frames that
 * go), h2_stream.c (one stream as a client), h2_tunnel.c (a stream as a
 * tunnel).
 */
#ifndef CARREL_PROXY_H2_PRIV_H
#define CARREL_PROXY_H2_PRIV_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/loop.h"
#include "proxy/conn.h"
#include "proxy/h2.h"
#include "proxy/h2_flood.h"
#include "proxy/h2_head.h"
#include "proxy/transport.h"
#include "proxy/ws_key.h"

#define H2_STREAMS_MAX   100
#define H2_STREAM_WINDOW (256 * 1024)
#define H2_WINDOW        (2 * 1024 * 1024)
/* More than this waits to go out: streams read in small pieces. */
#define H2_OUT_SOFT      ((size_t)1 << 20)
/* The payload of a frame, and what goes straight on at least. */
#define H2_PIECE         16384
/* What goes straight on in a turn: then others have theirs. */
#define H2_STRAIGHT_MAX  ((size_t)512 * 1024)
#define H2_HEAD_MS       60000 /* for a whole head */
/* A client that takes nothing of an answer: a download may be paused. */
#define H2_STALL_MS      1800000

struct h2_batch;

struct h2 {
	struct conn *conn;
	nghttp2_session *session;
	struct list streams;
	struct list ready; /* those to be run */
	size_t n_streams;
	size_t n_out;           /* bytes that wait in all streams */
	size_t n_straight;      /* bytes that went straight on, this turn */
	struct h2_batch *batch; /* while nghttp2 is asked for frames */
	struct h2_budget budget;
	struct defer turn;
	struct timer goodbye; /* between the two steps of GOAWAY */
	bool is_over;         /* nothing is read any more */
	bool is_behind;       /* streams wait for their turn: first these */
	bool is_leaving;      /* the first GOAWAY is out */
	bool has_left;        /* and the second one */
};

struct h2_tunnel {
	struct transport target;
	struct cell *cell;
	int64_t touched_ms;
	uint64_t n_bytes; /* that the cell was not told yet */
};

struct h2_stream {
	struct conn conn; /* CONN_HEAD, CONN_BUSY, CONN_LINGER, CONN_CLOSED */
	struct h2 *h2;
	struct list link, ready;
	int32_t id;
	struct h2_request *request; /* until it is begun */
	bool has_head;              /* `request` is complete */
	bool has_no_body;           /* and it was all */
	bool is_gone;               /* nghttp2 has closed it */
	bool was_reset;             /* by the client, or for its fault */
	bool has_end;               /* END_STREAM came */
	bool end_is_read;           /* and the exchange knows */

	struct buf in;     /* of the body, or of the tunnel ... */
	size_t in_at;      /* ... taken so far */
	struct buf *trail; /* lines of the request's trailers; NULL: none */

	struct buf head; /* of the answer, as text, until it is submitted */
	struct buf out;  /* behind it ... */
	size_t out_at;   /* ... sent so far; or else, but never both: */
	struct slice straight; /* what the caller of h2_stream_pass holds */
	struct buf *trail_out;
	bool is_last;      /* the next bytes are the last ones */
	bool head_is_out;  /* the exchange has said it */
	bool out_has_end;  /* nothing more comes */
	bool is_submitted; /* nghttp2 has the head */
	bool is_waiting;   /* nghttp2 waits for more of `out` */
	bool is_tunnel;    /* an extended CONNECT */
	char key[WS_KEY_CAP];
	struct h2_tunnel *tunnel;
};

/* h2.c: something is to be sent, or to be run, at the end of the turn. */
void h2_turn(struct h2 *h);
/* End the connection with this code; it counts as a flood of that kind. */
void h2_terminate(struct h2 *h, uint32_t code);
void h2_flooded(struct h2 *h, enum metrics_flood kind);

/* h2_out.c: nghttp2_send_data_callback, the payload of a frame is in order. */
int h2_out_data(nghttp2_session *session, nghttp2_frame *frame,
    const uint8_t *head, size_t len, nghttp2_data_source *source, void *arg);
/*
 * Send what nghttp2 has to say and the socket takes, the connection being in
 * STREAMS; CLOSED afterwards when that failed. true: there is more to be said.
 */
bool h2_out_send(struct h2 *h);

/* h2_stream.c */
struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_free(struct h2_stream *s);
/* It has something to do: run it when nghttp2 is done. */
void h2_stream_ready(struct h2_stream *s);
void h2_stream_put(struct h2_stream *s, const uint8_t *p, size_t n);
/* The next bytes that came, as many as one read gives; valid until more are
 * put. */
struct slice h2_stream_take(struct h2_stream *s);
/*
 * Bytes for the client: much goes straight into frames and to the socket,
 * little waits for the end of the turn, and so does what the client does not
 * take now. The stream's state may be CLOSED afterwards.
 */
void h2_stream_pass(struct h2_stream *s, const void *p, size_t n);
/* The next n bytes of those that wait; they stay where they are until the
 * stream is run or gets more. */
struct slice h2_stream_next(struct h2_stream *s, size_t n);
size_t h2_stream_waiting(const struct h2_stream *s);
/* Make sure that nghttp2 knows of what is there to be sent. */
void h2_stream_submit(struct h2_stream *s);

/* h2_tunnel.c: as exchange_pump and its kin. */
bool h2_tunnel_pump(struct h2_stream *s);
int64_t h2_tunnel_deadline(const struct h2_stream *s);
void h2_tunnel_close(struct h2_stream *s);

#endif
