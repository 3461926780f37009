/*
 * WebSockets over HTTP/2 (RFC 8441): a stream on one side, the target's socket
 * on the other. As in relay.c bytes pass unread; an end passes as an end, and a
 * reset as a reset (RFC 8441 5).
 */
#include <stdlib.h>

#include "base/mem.h"
#include "proxy/cell.h"
#include "proxy/h2_priv.h"
#include "proxy/relay.h"
#include "proxy/worker.h"

#define TOUCH_MS 1000

const char *h2_stream_check_answer(
    const struct h2_stream *s, const struct http_head *h)
{
	const struct http_field *f;

	if (!s->is_tunnel)
		return NULL;
	/* To the client a 2xx would mean that the tunnel is open. */
	if (h->status >= 200 && h->status < 300)
		return "it answers a WebSocket handshake with success";
	if (h->status != 101)
		return NULL;
	f = httphead_find(h, "sec-websocket-accept");
	if (f == NULL || !ws_key_is_answered(s->key, f->value))
		return "its Sec-WebSocket-Accept is not for our key";
	return NULL;
}

static void count(struct worker *w, bool is_more)
{
	metric *m = &w->metrics.h2_tunnels;

	metric_set(m, metric_get(m) + (is_more ? 1 : (uint64_t)-1));
	w->n_tunnels += is_more ? 1 : (size_t)-1;
	metric_set(&w->metrics.open_tunnels, w->n_tunnels);
}

static void on_target(struct watch *watch, uint32_t events, void *arg)
{
	struct h2_stream *s = arg;

	(void)watch;
	transport_note(&s->tunnel->target, events);
	h2_stream_run(s);
}

int h2_tunnel_begin(struct h2_stream *s, struct transport *target,
    struct cell *cell, struct err *err)
{
	struct h2_tunnel *t = xcalloc(1, sizeof *t);
	struct worker *w = s->conn.worker;

	t->cell = cell;
	t->touched_ms = worker_now_ms(w);
	cell_opened(cell);
	s->tunnel = t;
	count(w, true);
	if (transport_move(&t->target, target, on_target, s, err) == 0) {
		s->conn.state = CONN_BUSY;
		/* What was readable before is no new edge for everybody. */
		h2_stream_ready(s);
		return 0;
	}
	h2_tunnel_close(s);
	return -1;
}

static void tell_cell(struct h2_tunnel *t)
{
	cell_add_bytes(t->cell, t->n_bytes);
	t->n_bytes = 0;
}

void h2_tunnel_close(struct h2_stream *s)
{
	struct h2_tunnel *t = s->tunnel;
	struct worker *w = s->conn.worker;

	if (t == NULL)
		return;
	s->tunnel = NULL;
	tell_cell(t);
	cell_closed(t->cell);
	cell_unref(&t->cell);
	if (s->was_reset)
		transport_reset(&t->target);
	else
		transport_close(&t->target);
	free(t);
	count(w, false);
	worker_one_less(w);
}

static void note_traffic(struct h2_stream *s, size_t n)
{
	struct h2_tunnel *t = s->tunnel;
	int64_t now = worker_now_ms(s->conn.worker);

	t->n_bytes += n;
	if (now - t->touched_ms < TOUCH_MS)
		return;
	t->touched_ms = now;
	cell_touch(t->cell, worker_wall_ms(s->conn.worker));
	tell_cell(t);
}

/* ---- bytes --------------------------------------------------------------- */

static void fail(struct h2_stream *s)
{
	s->conn.state = CONN_CLOSED;
}

/* From the client; true: something moved. */
static bool pump_in(struct h2_stream *s)
{
	struct transport *to = &s->tunnel->target;
	struct slice bytes;

	if (transport_flush(to) < 0) {
		fail(s);
		return false;
	}
	if (transport_is_blocked(to))
		return false;
	if (h2_stream_held(s) > 0) {
		bytes = h2_stream_take(s);
		note_traffic(s, bytes.len);
		if (transport_send_bytes(to, bytes.p, bytes.len) < 0)
			fail(s);
		return true;
	}
	if (s->has_end && !to->shut) {
		transport_shut(to);
		s->tunnel->touched_ms = worker_now_ms(s->conn.worker);
	}
	return false;
}

/* From the target. */
static bool pump_out(struct h2_stream *s)
{
	struct transport *from = &s->tunnel->target;
	char *scratch = s->conn.worker->scratch;
	ssize_t n;

	if (h2_stream_is_blocked(s) || s->out_has_end || s->is_gone ||
	    !from->readable)
		return false;
	n = transport_recv(from, scratch, h2_stream_room(s));
	if (n == TRANSPORT_AGAIN)
		return false;
	if (n < 0) {
		fail(s);
		return false;
	}
	if (n == 0) {
		s->out_has_end = true;
		s->tunnel->touched_ms = worker_now_ms(s->conn.worker);
		return false;
	}
	note_traffic(s, (size_t)n);
	h2_stream_pass(s, scratch, (size_t)n);
	s->conn.active_ms = worker_now_ms(s->conn.worker);
	return true;
}

bool h2_tunnel_pump(struct h2_stream *s)
{
	bool moved = pump_in(s);

	if (s->conn.state == CONN_BUSY)
		moved = pump_out(s) || moved;
	if (s->is_gone && s->tunnel->target.shut)
		fail(s);
	return moved && s->conn.state == CONN_BUSY;
}

int64_t h2_tunnel_deadline(const struct h2_stream *s)
{
	return s->tunnel->touched_ms + relay_patience_ms(s->conn.worker,
					   s->tunnel->cell,
					   s->out_has_end || s->has_end);
}
