/*
 * A stream as a client of an exchange: see h2.h. What the client sends waits in
 * `in` until the exchange reads it, and only then opens the window again; what
 * the exchange says waits in `head` and `out` until nghttp2 asks for it, or, if
 * it is much, is asked for at once and never copied (h2_stream_pass).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proxy/config.h"
#include "proxy/door.h"
#include "proxy/exchange.h"
#include "proxy/h2_priv.h"
#include "proxy/metrics.h"
#include "proxy/worker.h"

#define STEPS_AT_ONCE 16
/* An empty buffer keeps no more memory than this. */
#define KEEP_MAX      4096

/* ---- life ---------------------------------------------------------------- */

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
	struct h2_stream *s = xcalloc(1, sizeof *s);
	struct conn *c = &s->conn;

	c->worker = h->conn->worker;
	c->stream = s;
	c->io.watch.fd = -1;
	c->state = CONN_HEAD;
	c->is_trusted = h->conn->is_trusted;
	memcpy(c->peer, h->conn->peer, sizeof c->peer);
	c->since_ms = c->active_ms = worker_now_ms(c->worker);
	list_init(&c->link);
	list_init(&c->shake);
	s->h2 = h;
	s->id = id;
	list_init(&s->ready);
	list_add_tail(&h->streams, &s->link);
	h->n_streams++;
	s->request = xmalloc(sizeof *s->request);
	h2_request_init(s->request);
	buf_init(&s->in, H2_STREAM_WINDOW);
	/* Of one read of the target, and a page of our own. */
	buf_init(&s->out, (size_t)8 << 20);
	buf_init(&s->head, (size_t)4 * HTTPHEAD_MAX_BYTES);
	h2_stream_ready(s);
	return s;
}

static void drop_lines(struct buf **b)
{
	if (*b != NULL)
		buf_fini(*b);
	free(*b);
	*b = NULL;
}

static void drop_request(struct h2_stream *s)
{
	if (s->request == NULL)
		return;
	h2_request_fini(s->request);
	free(s->request);
	s->request = NULL;
}

static size_t untaken(const struct h2_stream *s)
{
	return s->in.len - s->in_at;
}

void h2_stream_free(struct h2_stream *s)
{
	struct h2 *h = s->h2;

	if (s->conn.ex != NULL)
		exchange_free(s->conn.ex);
	h2_tunnel_close(s);
	timer_stop(&s->conn.timer);
	defer_cancel(&s->conn.again);
	(void)nghttp2_session_consume_connection(h->session, untaken(s));
	h->n_out -= s->out.len - s->out_at;
	drop_request(s);
	drop_lines(&s->trail);
	drop_lines(&s->trail_out);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->head);
	list_del(&s->link);
	list_del(&s->ready);
	h->n_streams--;
	h->conn->since_ms = worker_now_ms(h->conn->worker);
	if (!s->is_gone)
		(void)nghttp2_session_set_stream_user_data(
		    h->session, s->id, NULL);
	free(s);
	h2_turn(h);
}

void h2_stream_ready(struct h2_stream *s)
{
	if (!list_empty(&s->ready))
		return;
	list_add_tail(&s->h2->ready, &s->ready);
	h2_turn(s->h2);
}

/* ---- what comes ---------------------------------------------------------- */

static void settle(struct buf *b)
{
	size_t max = b->max;

	buf_reset(b);
	if (b->cap <= KEEP_MAX)
		return;
	buf_fini(b);
	buf_init(b, max);
}

void h2_stream_put(struct h2_stream *s, const uint8_t *p, size_t n)
{
	if (s->in_at > 0)
		buf_consume(&s->in, s->in_at);
	s->in_at = 0;
	buf_append(&s->in, p, n);
	s->conn.active_ms = worker_now_ms(s->conn.worker);
	h2_stream_ready(s);
}

struct slice h2_stream_take(struct h2_stream *s)
{
	size_t n = untaken(s), at = s->in_at;

	if (n > WORKER_SCRATCH)
		n = WORKER_SCRATCH;
	if (n == 0)
		return slice_make("", 0);
	s->in_at += n;
	(void)nghttp2_session_consume(s->h2->session, s->id, n);
	h2_turn(s->h2);
	return slice_make(s->in.data + at, n);
}

size_t h2_stream_held(const struct h2_stream *s)
{
	return untaken(s);
}

bool h2_stream_has_input(const struct h2_stream *s)
{
	return untaken(s) > 0 || s->is_gone || (s->has_end && !s->end_is_read);
}

enum conn_read h2_stream_read_body(
    struct h2_stream *s, struct frame *f, struct slice *payload)
{
	*payload = slice_make("", 0);
	if (s->is_gone && s->was_reset)
		return CONN_READ_GONE;
	*payload = h2_stream_take(s);
	/* nghttp2 has seen to it; a target must never see another length. */
	if (f->kind == HTTP_BODY_LENGTH) {
		if (payload->len > f->left)
			return CONN_READ_BAD;
		f->left -= payload->len;
	}
	if (untaken(s) > 0)
		return CONN_READ_MORE;
	if (!s->has_end)
		return s->is_gone ? CONN_READ_GONE : CONN_READ_MORE;
	s->end_is_read = true;
	if (f->kind == HTTP_BODY_LENGTH && f->left > 0)
		return CONN_READ_BAD;
	if (f->trailers == NULL) {
		f->trailers = s->trail;
		s->trail = NULL;
	}
	return CONN_READ_DONE;
}

/* ---- what goes ----------------------------------------------------------- */

size_t h2_stream_waiting(const struct h2_stream *s)
{
	return s->out.len - s->out_at + s->straight.len;
}

bool h2_stream_is_blocked(const struct h2_stream *s)
{
	return h2_stream_waiting(s) > 0;
}

size_t h2_stream_room(const struct h2_stream *s)
{
	return s->h2->n_out < H2_OUT_SOFT ? WORKER_SCRATCH : H2_PIECE;
}

/* What went out is not needed any more. */
static void settle_out(struct h2_stream *s)
{
	if (s->out_at < s->out.len || s->out.len == 0)
		return;
	settle(&s->out);
	s->out_at = 0;
}

static void append(struct h2_stream *s, const void *p, size_t n)
{
	size_t before;

	settle_out(s);
	before = s->out.len;
	buf_append(&s->out, p, n);
	s->h2->n_out += s->out.len - before;
}

/* Now, and without a copy? */
static bool goes_straight(const struct h2_stream *s, size_t n)
{
	const struct h2 *h = s->h2;

	return n >= H2_PIECE && !h2_stream_is_blocked(s) &&
	       h->n_straight < H2_STRAIGHT_MAX && !h->is_over &&
	       h->conn->state == CONN_STREAMS &&
	       !transport_is_blocked(&h->conn->io);
}

void h2_stream_pass(struct h2_stream *s, const void *p, size_t n)
{
	struct slice rest = slice_make(p, n);

	if (goes_straight(s, n)) {
		s->h2->n_straight += n;
		s->straight = rest;
		h2_stream_submit(s);
		(void)h2_out_send(s->h2);
		rest = s->straight;
		s->straight = slice_make("", 0);
	}
	append(s, rest.p, rest.len);
}

static nghttp2_session *session_of(struct h2_stream *s)
{
	return s->h2->session;
}

/* -1: nghttp2 has no memory, or the head is none. */
static int say_interim(struct h2_stream *s, const struct iovec *iov)
{
	struct h2_fields fields;
	struct buf text;
	int rc = -1;

	buf_init(&text, s->head.max);
	buf_append(&text, iov->iov_base, iov->iov_len);
	if (h2_answer_fields(text.data, text.len, false, &fields) == 0 &&
	    nghttp2_submit_headers(session_of(s), NGHTTP2_FLAG_NONE, s->id,
		NULL, fields.nv, fields.n, NULL) == 0)
		rc = 0;
	buf_fini(&text);
	return rc;
}

/* "HTTP/1.1 1", but not a 101. */
static bool is_interim(const struct iovec *iov)
{
	const char *text = iov->iov_base;

	return iov->iov_len > 11 && text[9] == '1' &&
	       memcmp(text + 9, "101", 3) != 0;
}

int h2_stream_send(struct h2_stream *s, const struct iovec *iov, size_t n)
{
	size_t i = 0;

	h2_turn(s->h2);
	s->conn.active_ms = worker_now_ms(s->conn.worker);
	if (s->is_gone) {
		s->conn.state = CONN_CLOSED;
		return -1;
	}
	if (!s->head_is_out && is_interim(iov)) {
		if (say_interim(s, iov) == 0)
			return 0;
		s->conn.state = CONN_CLOSED;
		return -1;
	}
	if (!s->head_is_out) {
		buf_append(&s->head, iov[0].iov_base, iov[0].iov_len);
		s->head_is_out = true;
		i = 1;
	}
	s->out_has_end = s->is_last;
	for (; i < n && s->conn.state != CONN_CLOSED; i++)
		h2_stream_pass(s, iov[i].iov_base, iov[i].iov_len);
	if (s->head.overflow || s->out.overflow) {
		s->conn.must_reset = true;
		s->conn.state = CONN_CLOSED;
	}
	return s->conn.state == CONN_CLOSED ? -1 : 0;
}

void h2_stream_last(struct h2_stream *s, const struct buf *lines)
{
	s->is_last = true;
	if (lines == NULL || lines->len == 0 || s->trail_out != NULL)
		return;
	s->trail_out = xmalloc(sizeof *s->trail_out);
	buf_init(s->trail_out, lines->max);
	buf_append(s->trail_out, lines->data, lines->len);
}

void h2_stream_finish(struct h2_stream *s)
{
	s->out_has_end = true;
	s->conn.since_ms = worker_now_ms(s->conn.worker);
	s->conn.state = CONN_LINGER;
	h2_turn(s->h2);
}

/* ---- what nghttp2 asks for ----------------------------------------------- */

/* The trailers end the stream in the place of the last DATA. */
static int send_trailers(struct h2_stream *s, uint32_t *flags)
{
	struct h2_fields fields;

	if (s->trail_out == NULL)
		return 0;
	if (h2_trailer_fields(s->trail_out->data, s->trail_out->len, &fields) <
		0 ||
	    fields.n == 0)
		return 0;
	if (nghttp2_submit_trailer(session_of(s), s->id, fields.nv, fields.n) !=
	    0)
		return -1;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return 0;
}

/* How much of it goes into the next frame; h2_stream_next gives it. */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *to,
    size_t cap, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
	size_t n;

	(void)to;
	(void)source;
	(void)arg;
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = h2_stream_waiting(s);
	if (n == 0 && !s->out_has_end) {
		s->is_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n > cap)
		return (ssize_t)cap;
	if (s->out_has_end) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (send_trailers(s, flags) < 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

struct slice h2_stream_next(struct h2_stream *s, size_t n)
{
	struct slice *straight = &s->straight, next;

	assert(n <= h2_stream_waiting(s));
	if (straight->len > 0) {
		next = slice_make(straight->p, n);
		*straight = slice_make(straight->p + n, straight->len - n);
	} else {
		next = slice_make(buf_view(&s->out) + s->out_at, n);
		s->out_at += n;
		s->h2->n_out -= n;
	}
	s->conn.active_ms = worker_now_ms(s->conn.worker);
	if (h2_stream_waiting(s) > 0)
		return next;
	/* It was the client that was slow, not the target. */
	if (s->conn.ex != NULL)
		s->conn.ex->up_ms = s->conn.active_ms;
	if (!s->conn.is_running)
		h2_stream_ready(s);
	return next;
}

/* Only its 101 opens the tunnel: any other answer is what it is. */
static bool opens_tunnel(const struct h2_stream *s)
{
	return s->is_tunnel && s->head.len > 12 &&
	       memcmp(s->head.data + 9, "101", 3) == 0;
}

/* As late as can be: a head without a body ends the stream itself. */
static int submit_head(struct h2_stream *s)
{
	const nghttp2_data_provider source = { .read_callback = on_read };
	bool is_all =
	    s->out_has_end && !h2_stream_is_blocked(s) && s->trail_out == NULL;
	struct h2_fields fields;
	int rc = -1;

	s->is_submitted = true;
	if (h2_answer_fields(
		s->head.data, s->head.len, opens_tunnel(s), &fields) == 0 &&
	    nghttp2_submit_response(session_of(s), s->id, fields.nv, fields.n,
		is_all ? NULL : &source) == 0)
		rc = 0;
	buf_fini(&s->head);
	return rc;
}

void h2_stream_submit(struct h2_stream *s)
{
	if (s->is_gone || !s->head_is_out || s->conn.state == CONN_CLOSED)
		return;
	if (!s->is_submitted) {
		if (submit_head(s) < 0) {
			s->conn.must_reset = true;
			s->conn.state = CONN_CLOSED;
		}
		return;
	}
	if (!s->is_waiting || (!h2_stream_is_blocked(s) && !s->out_has_end))
		return;
	s->is_waiting = false;
	(void)nghttp2_session_resume_data(session_of(s), s->id);
	h2_turn(s->h2);
}

/* ---- running ------------------------------------------------------------- */

static void begin(struct h2_stream *s)
{
	struct conn *c = &s->conn;
	struct http_head *head = &c->worker->parsed;
	struct http_refusal why;
	bool is_tunnel = h2_request_is_tunnel(s->request);
	struct buf text;

	buf_init(&text, HTTPHEAD_MAX_BYTES);
	if (is_tunnel)
		ws_key_make(s->key);
	if (h2_request_finish(
		s->request, s->has_no_body, s->key, &text, head, &why) < 0 ||
	    door_is_head_too_long(c->worker, text.len, &why) ||
	    door_has_too_many_fields(c->worker, head->n_fields, &why)) {
		conn_refuse(c, &why);
	} else {
		s->is_tunnel = is_tunnel;
		exchange_begin(c, head, slice_make(text.data, text.len));
	}
	drop_request(s);
	buf_fini(&text);
}

/* true: something moved. */
static bool step(struct h2_stream *s)
{
	struct conn *c = &s->conn;

	/* What came before an orderly end still goes to the target. */
	if (s->is_gone && (s->was_reset || s->tunnel == NULL)) {
		c->state = CONN_CLOSED;
		return false;
	}
	if (c->state == CONN_HEAD && s->has_head) {
		begin(s);
		return true;
	}
	if (c->state != CONN_BUSY)
		return false;
	return s->tunnel != NULL ? h2_tunnel_pump(s) : exchange_pump(c->ex);
}

static void on_again(void *arg)
{
	h2_stream_run(arg);
}

static int64_t deadline(const struct h2_stream *s)
{
	const struct conn *c = &s->conn;
	int64_t limit_ms = c->worker->config->timeout_ms, at;

	/* As any tunnel: quiet, or slow, for as long as people like. */
	if (s->tunnel != NULL)
		return h2_tunnel_deadline(s);
	if (h2_stream_is_blocked(s) || c->state == CONN_LINGER)
		return c->active_ms + (limit_ms > 0 && limit_ms < H2_STALL_MS
					      ? limit_ms
					      : H2_STALL_MS);
	if (c->state == CONN_HEAD)
		return c->since_ms + H2_HEAD_MS;
	if (c->state != CONN_BUSY)
		return INT64_MAX;
	at = exchange_deadline(c->ex);
	if (limit_ms > 0 && c->active_ms + limit_ms < at)
		at = c->active_ms + limit_ms;
	return at;
}

static void on_timer(struct timer *timer, void *arg)
{
	struct h2_stream *s = arg;
	struct conn *c = &s->conn;
	int64_t now = worker_now_ms(c->worker);

	(void)timer;
	if (deadline(s) > now) {
		h2_stream_run(s);
		return;
	}
	/* A head that does not end holds all other streams. */
	if (c->state == CONN_HEAD)
		h2_terminate(s->h2, NGHTTP2_PROTOCOL_ERROR);
	if (s->tunnel != NULL)
		metric_add(&c->worker->metrics.errors[METRICS_TUNNEL_IDLE], 1);
	if (c->state == CONN_BUSY && c->ex != NULL &&
	    exchange_deadline(c->ex) <= now)
		exchange_expire(c->ex);
	else
		c->state = CONN_CLOSED;
	h2_stream_run(s);
}

/* Lazily, as in conn.c. */
static void arm(struct h2_stream *s)
{
	struct conn *c = &s->conn;
	int64_t at = deadline(s), now;

	if (at == INT64_MAX ||
	    (timer_running(&c->timer) && c->timer.due_ms <= at))
		return;
	now = worker_now_ms(c->worker);
	timer_start(
	    c->worker->loop, &c->timer, at > now ? at - now : 0, on_timer, s);
}

/* What the client is told of a stream that cannot be completed. */
static uint32_t end_code(const struct h2_stream *s)
{
	if (s->conn.must_reset)
		return NGHTTP2_INTERNAL_ERROR;
	return NGHTTP2_CANCEL;
}

static void end(struct h2_stream *s)
{
	if (!s->is_gone)
		(void)nghttp2_submit_rst_stream(
		    session_of(s), NGHTTP2_FLAG_NONE, s->id, end_code(s));
	h2_stream_free(s);
}

void h2_stream_run(struct h2_stream *s)
{
	struct conn *c = &s->conn;
	int n = 0;

	assert(!c->is_running);
	c->is_running = true;
	settle_out(s);
	while (c->state != CONN_CLOSED && step(s)) {
		if (++n < STEPS_AT_ONCE)
			continue;
		defer_call(c->worker->loop, &c->again, on_again, s);
		break;
	}
	c->is_running = false;
	h2_stream_submit(s);
	if (untaken(s) == 0) {
		settle(&s->in);
		s->in_at = 0;
	}
	if (c->state == CONN_CLOSED)
		end(s);
	else
		arm(s);
}
