/*
 * From the target back to the client: see answer.h.
 */
#include "proxy/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/h2.h"
#include "proxy/piece.h"
#include "proxy/relay.h"
#include "proxy/rewrite.h"
#include "proxy/route.h"
#include "proxy/worker.h"

#define INTERIM_MAX 32

static void bad_response(struct exchange *ex, const char *why)
{
	exchange_fail(ex, 503, METRICS_BAD_RESPONSE, why);
}

void answer_break(struct exchange *ex)
{
	struct conn *c = ex->conn;
	/* Length and chunks tell the client; "until close" needs a reset. */
	bool can_tell = ex->re_chunks || ex->response.kind == HTTP_BODY_LENGTH;

	metric_add(&ex->worker->metrics.errors[METRICS_TRUNCATED], 1);
	exchange_free(ex);
	conn_break(c, can_tell);
}

/* ---- the end ------------------------------------------------------------- */

/* left_over: the target said more than its answer. */
static void finish(struct exchange *ex, bool left_over)
{
	struct conn *c = ex->conn;
	bool keep = ex->keep, drain = !ex->request_done;
	struct worker *w = ex->worker;

	metric_add(&w->metrics.requests_proxy[ex->status], 1);
	if (ex->status < 300)
		exchange_touch(ex, 0);
	if (ex->up_keeps && ex->request_done && !left_over)
		upstream_release(&ex->up);
	exchange_free(ex);
	metric_set(&w->metrics.longest_turn_us,
	    (uint64_t)loop_stats(w->loop).longest_turn_us);
	conn_finish(c, keep, drain);
}

/* ---- the body ------------------------------------------------------------ */

/* The head that waits in worker->head, if any, goes first. -1: client gone. */
static int send_piece(struct exchange *ex, struct slice payload, bool is_last)
{
	struct worker *w = ex->worker;
	struct piece p;

	piece_init(&p);
	if (!ex->head_is_out)
		piece_add(&p, w->head.data, w->head.len);
	ex->head_is_out = true;
	piece_body(&p, payload, ex->re_chunks, is_last, &ex->response);
	if (is_last && ex->conn->stream != NULL)
		h2_stream_last(ex->conn->stream, ex->response.trailers);
	if (p.n == 0)
		return 0;
	metric_add(&w->metrics.bytes_out, p.len);
	ex->n_out += payload.len;
	return conn_send(ex->conn, p.iov, p.n);
}

static void take_body(struct exchange *ex, char *p, size_t n)
{
	struct slice payload;
	size_t used;
	enum frame_result result =
	    frame_decode(&ex->response, p, n, &payload, &used);

	if (result == FRAME_DONE &&
	    !piece_trailers_are_sound(&ex->response, &ex->worker->parsed))
		result = FRAME_BAD;
	if (result == FRAME_BAD) {
		if (ex->head_is_out)
			answer_break(ex);
		else
			bad_response(ex, "the body has no proper framing");
		return;
	}
	if (payload.len > 0 && ex->status < 300)
		exchange_touch(ex, payload.len);
	if (send_piece(ex, payload, result == FRAME_DONE) < 0)
		return;
	if (result == FRAME_DONE)
		finish(ex, used < n);
}

/* ---- the head ------------------------------------------------------------ */

/* "timeout=5" of a Keep-Alive field: it will close it then. */
static void note_keep_alive(struct exchange *ex, const struct http_head *h)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		struct slice rest = h->fields[i].value, part;
		uint64_t seconds;

		if (h->fields[i].id != HTTP_KEEP_ALIVE)
			continue;
		while (slice_split(&rest, ',', &part)) {
			part = slice_trim(part);
			if (!slice_starts(part, "timeout="))
				continue;
			part = slice_make(part.p + 8, part.len - 8);
			if (num_slice_u64(part, &seconds, NULL) == 0 &&
			    seconds < 60)
				ex->up->idle_limit_ms =
				    (int64_t)seconds * 1000 * 3 / 4;
		}
	}
}

static void decide(struct exchange *ex, const struct http_head *h)
{
	enum http_body kind = httphead_response_body(h, ex->is_head);
	bool has_end = kind == HTTP_BODY_NONE || kind == HTTP_BODY_LENGTH;

	frame_init(&ex->response, kind, h->content_length);
	ex->status = h->status;
	/* HTTP/2 has its own frames. */
	ex->re_chunks = ex->minor == 1 && !has_end && ex->conn->stream == NULL;
	ex->up_keeps = httphead_keeps_alive(h) && kind != HTTP_BODY_UNTIL_CLOSE;
	ex->keep = ex->client_keeps && (has_end || ex->re_chunks) &&
		   !ex->is_upgrade && !ex->worker->is_draining;
	if (ex->up_keeps)
		note_keep_alive(ex, h);
}

static void build_head(struct exchange *ex, const struct http_head *h,
    struct slice text, bool is_interim)
{
	struct worker *w = ex->worker;
	const struct rewrite_response r = {
		.config = w->config,
		.target = &ex->route->target,
		.head = h,
		.text = text,
		.host = exchange_host(ex),
		.date = worker_date(w),
		.re_chunks = ex->re_chunks || (ex->is_head && ex->minor == 1 &&
						  h->body == HTTP_BODY_CHUNKED),
		.keeps_length = h->status >= 200 && h->status != 204,
		.is_upgrade = h->status == 101,
		.is_interim = is_interim,
		.closes = !ex->keep,
		.says_keep_alive = ex->said_keep_alive,
	};

	buf_reset(&w->head);
	rewrite_response(&w->head, &r);
}

/* Of a stream: the others of its connection go on. */
static void start_stream_tunnel(struct exchange *ex)
{
	struct h2_stream *s = ex->conn->stream;
	struct err err;

	if (h2_tunnel_begin(s, &ex->up->io, cell_ref(ex->route->cell), &err) <
	    0) {
		log_error(
		    NULL, "a tunnel cannot be kept", "error=\"%s\"", err.text);
		return;
	}
	exchange_free(ex);
}

static void start_tunnel(struct exchange *ex, struct slice rest)
{
	struct conn *c = ex->conn;
	struct worker *w = ex->worker;
	struct cell *cell;
	struct piece p;
	struct err err;

	piece_init(&p);
	piece_add(&p, w->head.data, w->head.len);
	piece_add(&p, rest.p, rest.len);
	if (conn_send(c, p.iov, p.n) < 0)
		return;
	if (c->stream != NULL) {
		start_stream_tunnel(ex);
		return;
	}
	c->state = CONN_CLOSED;
	if (transport_send_bytes(
		&ex->up->io, c->in.data + c->in.off, c->in.len) < 0)
		return;
	ex->status = 101;
	limit_join(w->limits, &c->io.ticket, &ex->ticket);
	cell = cell_ref(ex->route->cell);
	if (relay_begin(w, &c->io, &ex->up->io, cell, &err) < 0)
		log_error(
		    NULL, "a tunnel cannot be kept", "error=\"%s\"", err.text);
}

/* A 1xx. -1: the exchange is over. */
static int take_interim(struct exchange *ex, const struct http_head *h,
    struct slice text, struct slice rest)
{
	struct iovec iov;

	if (h->status == 101 && !ex->is_upgrade) {
		bad_response(ex, "it switches protocols unasked");
		return -1;
	}
	if (++ex->n_interim > INTERIM_MAX) {
		bad_response(ex, "it has too many interim answers");
		return -1;
	}
	if (ex->minor == 0)
		return 0;
	build_head(ex, h, text, h->status != 101);
	if (h->status == 101) {
		start_tunnel(ex, rest);
		return -1;
	}
	iov = (struct iovec){ ex->worker->head.data, ex->worker->head.len };
	return conn_send(ex->conn, &iov, 1);
}

/* The heads in p[0..n): *used bytes, and what is left is the body's. */
enum heads { HEADS_MORE, HEADS_DONE, HEADS_OVER };

/* A WebSocket over HTTP/2 has a handshake of our own with the target. */
static bool fits_handshake(struct exchange *ex, const struct http_head *h)
{
	const char *why = NULL;

	if (ex->conn->stream != NULL)
		why = h2_stream_check_answer(ex->conn->stream, h);
	if (why != NULL)
		bad_response(ex, why);
	return why == NULL;
}

static enum heads take_heads(
    struct exchange *ex, char *p, size_t n, size_t *used)
{
	struct http_head *h = &ex->worker->parsed;
	struct upstream *up = ex->up;
	struct http_refusal why = { .why = "" };
	size_t len = 0;

	for (*used = 0; *used < n; *used += len) {
		struct slice text;
		enum httphead_state s =
		    httphead_scan(&up->scan, p + *used, n - *used, &len, &why);

		if (s == HTTPHEAD_MORE)
			return HEADS_MORE;
		text = slice_make(p + *used, len);
		if (s == HTTPHEAD_BAD ||
		    httphead_parse_response(text.p, len, h, &why) < 0) {
			bad_response(ex, why.why);
			return HEADS_OVER;
		}
		up->scan = (struct httphead_scan){ .at = 0 };
		if (!fits_handshake(ex, h))
			return HEADS_OVER;
		if (h->status >= 200) {
			decide(ex, h);
			build_head(ex, h, text, false);
			*used += len;
			return HEADS_DONE;
		}
		if (take_interim(ex, h, text,
			slice_make(text.p + len, n - *used - len)) < 0)
			return HEADS_OVER;
	}
	return HEADS_MORE;
}

/* p lies in the scratch, or in a buffer that the caller holds. */
static void take_answer(struct exchange *ex, char *p, size_t n)
{
	size_t used;

	switch (take_heads(ex, p, n, &used)) {
	case HEADS_MORE:
		buf_append(&ex->up->in, p + used, n - used);
		return;
	case HEADS_OVER:
		return;
	case HEADS_DONE:
		break;
	}
	ex->state = EXCHANGE_BODY;
	take_body(ex, p + used, n - used);
}

static void take_first(struct exchange *ex, char *p, size_t n)
{
	struct buf *in = &ex->up->in;
	size_t len;
	char *held;

	if (in->len == 0) {
		take_answer(ex, p, n);
		return;
	}
	/* A head in pieces: `in` may be refilled, or end with its upstream. */
	buf_append(in, p, n);
	len = in->len;
	held = buf_steal(in);
	take_answer(ex, held, len);
	free(held);
}

/* ---- reading ------------------------------------------------------------- */

static void target_ended(struct exchange *ex, bool is_clean)
{
	ex->up_keeps = false;
	if (ex->state == EXCHANGE_BODY) {
		if (ex->response.kind != HTTP_BODY_UNTIL_CLOSE || !is_clean)
			answer_break(ex);
		else if (send_piece(ex, slice_make("", 0), true) == 0)
			finish(ex, false);
		return;
	}
	if (ex->up->in.len > 0 || ex->n_interim > 0)
		bad_response(ex, "it ended in the middle of its head");
	else if (ex->can_retry && !ex->was_retried)
		exchange_retry(ex);
	else
		bad_response(ex, "it ended without an answer");
}

bool answer_pump(struct exchange *ex)
{
	struct worker *w = ex->worker;
	ssize_t n;

	if (conn_is_blocked(ex->conn) || !ex->up->io.readable)
		return false;
	n = transport_recv(&ex->up->io, w->scratch, conn_room(ex->conn));
	if (n == TRANSPORT_AGAIN)
		return false;
	if (n <= 0) {
		target_ended(ex, n == 0);
		return true;
	}
	ex->up_ms = worker_now_ms(w);
	if (ex->state == EXCHANGE_HEAD)
		take_first(ex, w->scratch, (size_t)n);
	else
		take_body(ex, w->scratch, (size_t)n);
	return true;
}
