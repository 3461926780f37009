/*
 * One request and its answer: see exchange.h. This file has the way of a
 * request to its target; answer.c has the way back.
 */
#include "proxy/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/access_note.h"
#include "proxy/answer.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/door.h"
#include "proxy/error.h"
#include "proxy/piece.h"
#include "proxy/reply.h"
#include "proxy/rewrite.h"
#include "proxy/route.h"
#include "proxy/routes.h"
#include "proxy/worker.h"

#define CONNECT_MS   10000
#define SENT_MAX     ((size_t)4 * HTTPHEAD_MAX_BYTES)
#define RETRY_MAX    ((size_t)65536) /* of head and body that are kept */
#define KEEP_BUF_MAX 4096

/* ---- life ---------------------------------------------------------------- */

static struct exchange *exchange_new(struct conn *c)
{
	struct worker *w = c->worker;
	struct exchange *ex = w->spare;
	struct buf sent, line;

	if (ex != NULL) {
		w->spare = NULL;
		sent = ex->sent;
		line = ex->line;
		buf_reset(&sent);
		buf_reset(&line);
	} else {
		ex = xmalloc(sizeof *ex);
		buf_init(&sent, SENT_MAX);
		buf_init(&line, SENT_MAX);
	}
	*ex = (struct exchange){
		.conn = c,
		.worker = w,
		.sent = sent,
		.line = line,
		.begin_ms = worker_now_ms(w),
	};
	c->ex = ex;
	c->state = CONN_BUSY;
	metric_add(&w->metrics.requests_open, 1);
	return ex;
}

void exchange_free(struct exchange *ex)
{
	struct worker *w = ex->worker;

	access_note_exchange(ex);
	upstream_wait_cancel(&ex->wait);
	upstream_close(&ex->up);
	error_cancel(&ex->page);
	door_leave(w, &ex->ticket);
	metric_sub(&w->metrics.requests_open, 1);
	if (ex->route != NULL) {
		cell_add_bytes(ex->route->cell, ex->n_bytes);
		cell_closed(ex->route->cell);
	}
	route_unref(&ex->route);
	frame_fini(&ex->request);
	frame_fini(&ex->response);
	ex->conn->ex = NULL;
	if (w->spare == NULL && ex->sent.cap <= KEEP_BUF_MAX &&
	    ex->line.cap <= KEEP_BUF_MAX) {
		w->spare = ex;
		return;
	}
	buf_fini(&ex->sent);
	buf_fini(&ex->line);
	free(ex);
}

struct slice exchange_method(const struct exchange *ex)
{
	return slice_make(buf_view(&ex->line), ex->method_len);
}

struct slice exchange_target(const struct exchange *ex)
{
	return slice_make(buf_view(&ex->line) + ex->method_len, ex->target_len);
}

struct slice exchange_host(const struct exchange *ex)
{
	return slice_make(buf_view(&ex->line) + ex->method_len + ex->target_len,
	    ex->host_len);
}

void exchange_touch(struct exchange *ex, size_t n)
{
	int64_t now = worker_now_ms(ex->worker);
	uint64_t begin;

	ex->n_bytes += n;
	if (ex->route == NULL || now - ex->touch_ms < 1000)
		return;
	ex->touch_ms = now;
	begin = metrics_now_ns();
	cell_touch(ex->route->cell, worker_wall_ms(ex->worker));
	cell_add_bytes(ex->route->cell, ex->n_bytes);
	ex->n_bytes = 0;
	metrics_note(&ex->worker->metrics.activity, metrics_now_ns() - begin);
}

/* ---- the request's head -------------------------------------------------- */

static bool is_idempotent(struct slice method)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "PUT",
		"DELETE", "TRACE", "PROPFIND" };

	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (slice_eq(method, methods[i]))
			return true;
	return false;
}

/* Is it a handshake that may become a tunnel (RFC 6455 4.1)? */
static bool is_upgrade(const struct http_head *h)
{
	return h->minor == 1 && slice_ieq(h->upgrade, "websocket") &&
	       (h->named & HTTP_NAMED_UPGRADE) != 0 &&
	       slice_eq(h->method, "GET") && h->body == HTTP_BODY_NONE;
}

static void note_head(struct exchange *ex, const struct http_head *h)
{
	ex->minor = (uint8_t)h->minor;
	ex->is_head = slice_eq(h->method, "HEAD");
	ex->is_upgrade = is_upgrade(h);
	ex->is_idempotent = is_idempotent(h->method);
	ex->client_keeps = httphead_keeps_alive(h);
	ex->said_keep_alive = (h->named & HTTP_NAMED_KEEP_ALIVE) != 0;
	ex->can_retry = ex->is_idempotent;
	frame_init(&ex->request, h->body, h->content_length);
	ex->request_done = frame_is_complete(&ex->request);
}

/* What is needed of the request line after the head is gone. */
static void note_line(
    struct exchange *ex, const struct http_head *h, struct slice host)
{
	buf_slice(&ex->line, h->method);
	buf_slice(&ex->line, h->target);
	buf_slice(&ex->line, host);
	ex->method_len = h->method.len;
	ex->target_len = h->target.len;
	ex->host_len = host.len;
}

static int find_route(struct exchange *ex, struct slice host, struct slice path,
    struct slice *rest)
{
	struct worker *w = ex->worker;
	uint64_t begin = metrics_now_ns();
	struct routes_match match;
	int rc = routes_match(w->routes, host, path, &match);

	metrics_note(&w->metrics.find_target, metrics_now_ns() - begin);
	*rest = match.rest;
	if (rc != 1)
		return rc;
	ex->route = route_ref(match.route);
	cell_opened(ex->route->cell);
	ex->silence_ms = route_limits_choose(
	    cell_limits(ex->route->cell).request_idle_s, -1);
	ex->silence_ms = ex->silence_ms < 0 ? w->config->proxy_timeout_ms
					    : ex->silence_ms * 1000;
	return 1;
}

/* Not at once: while a head is taken nothing else may be read. */
static void refuse(struct exchange *ex, int status, enum metrics_reason reason,
    const char *why)
{
	ex->state = EXCHANGE_REFUSED;
	ex->status = status;
	ex->reason = reason;
	ex->why = why;
}

/* As a log may have it: without the query. */
struct shown {
	char path[128], method[16];
};

static void show(const struct exchange *ex, struct shown *out)
{
	struct slice target = exchange_target(ex), path, method;

	if (!slice_split(&target, '?', &path))
		path = slice_make("", 0);
	method = exchange_method(ex);
	str_printable(out->path, sizeof out->path, path.p, path.len);
	str_printable(out->method, sizeof out->method, method.p, method.len);
}

static void log_way(const struct exchange *ex)
{
	struct shown s;

	if (!log_wants(LOG_DEBUG))
		return;
	show(ex, &s);
	log_debug(NULL, "request", "method=%s path=%s target=%s upgrade=%d",
	    s.method, s.path, ex->route->target.origin, ex->is_upgrade);
}

static void build_request(
    struct exchange *ex, const struct http_head *h, struct rewrite_request *r)
{
	struct worker *w = ex->worker;
	struct door_refusal refusal;
	int rc = find_route(ex, r->host, r->split.path, &r->rest);

	if (rc < 0) {
		refuse(
		    ex, 400, METRICS_BAD_REQUEST, "the path cannot be decoded");
		return;
	}
	if (rc == 0) {
		refuse(ex, 404, METRICS_NO_ROUTE, "no route");
		return;
	}
	if (!door_admit_request(ex, h, &refusal)) {
		refuse(ex, refusal.status, METRICS_LIMITED, refusal.why);
		return;
	}
	log_way(ex);
	r->config = w->config;
	r->target = &ex->route->target;
	r->head = h;
	r->peer = ex->conn->peer;
	r->peer_is_trusted = ex->conn->is_trusted;
	r->is_upgrade = ex->is_upgrade;
	r->is_secure = conn_is_secure(ex->conn);
	rewrite_request(&ex->sent, r);
	if (ex->sent.overflow)
		refuse(ex, 431, METRICS_BAD_REQUEST,
		    "the head is too long for the target");
}

static bool answer_health(struct conn *c, const struct http_head *h)
{
	const struct reply r = {
		.status = 200,
		.type = "application/json",
		.body = slice_of("{\"status\":\"OK\"}"),
		.is_head = slice_eq(h->method, "HEAD"),
		.closes = !httphead_keeps_alive(h),
		.says_keep_alive = (h->named & HTTP_NAMED_KEEP_ALIVE) != 0,
	};
	bool has_body = h->body == HTTP_BODY_CHUNKED ||
			(h->body == HTTP_BODY_LENGTH && h->content_length > 0);

	if (!slice_eq(h->target, "/_chp_healthz"))
		return false;
	if (reply_send(c, &r) == 0)
		conn_finish(c, !r.closes, has_body);
	return true;
}

void exchange_begin(
    struct conn *c, const struct http_head *h, struct slice text)
{
	struct rewrite_request r = { .text = text, .host = h->host };
	struct worker *w = c->worker;
	struct exchange *ex;

	if (answer_health(c, h))
		return;
	ex = exchange_new(c);
	ex->state = EXCHANGE_CONNECT;
	note_head(ex, h);
	metric_add(
	    ex->is_upgrade ? &w->metrics.requests_ws : &w->metrics.requests_web,
	    1);
	if (rewrite_split_target(h->target, &r.split) < 0) {
		note_line(ex, h, r.host);
		refuse(ex, 400, METRICS_BAD_REQUEST, "the target is no path");
		return;
	}
	/* The absolute form says the host (RFC 9112 3.2.2). */
	if (r.split.authority.p != NULL)
		r.host = r.split.authority;
	note_line(ex, h, r.host);
	build_request(ex, h, &r);
}

/* ---- sending it ---------------------------------------------------------- */

static void remember_sent(struct exchange *ex, const struct piece *p)
{
	if (ex->sent.len + p->len > RETRY_MAX) {
		ex->can_retry = false;
		return;
	}
	for (size_t i = 0; i < p->n; i++)
		buf_append(&ex->sent, p->iov[i].iov_base, p->iov[i].iov_len);
}

/* The target does not listen any more; perhaps it has answered before. */
static void write_failed(struct exchange *ex)
{
	ex->up->io.readable = true;
}

static void send_piece(struct exchange *ex, struct piece *p)
{
	metric_add(&ex->worker->metrics.bytes_in, p->len);
	ex->up_ms = worker_now_ms(ex->worker);
	if (p->n > 0 && transport_send(&ex->up->io, p->iov, p->n) < 0)
		write_failed(ex);
}

static void body_is_bad(struct exchange *ex)
{
	struct conn *c = ex->conn;

	metric_add(&ex->worker->metrics.errors[METRICS_BAD_REQUEST], 1);
	if (ex->head_is_out) {
		conn_break(c, true);
		exchange_free(ex);
		return;
	}
	ex->status = 400;
	exchange_free(ex);
	if (reply_bare(c, 400) == 0)
		conn_finish(c, false, true);
}

/*
 * Read a piece of the request's body. -1: the exchange is over. The piece is
 * for the target, which need not be there yet.
 */
static int read_piece(struct exchange *ex, struct piece *p)
{
	struct slice payload;

	piece_init(p);
	switch (conn_read_body(ex->conn, &ex->request, &payload)) {
	case CONN_READ_GONE:
		ex->conn->state = CONN_CLOSED;
		return -1;
	case CONN_READ_BAD:
		body_is_bad(ex);
		return -1;
	case CONN_READ_DONE:
		if (!piece_trailers_are_sound(
			&ex->request, &ex->worker->parsed)) {
			body_is_bad(ex);
			return -1;
		}
		ex->request_done = true;
		break;
	case CONN_READ_MORE:
		break;
	}
	if (payload.len > 0)
		exchange_touch(ex, payload.len);
	piece_body(p, payload, ex->request.kind == HTTP_BODY_CHUNKED,
	    ex->request_done, &ex->request);
	return 0;
}

/* The head, and what of the body came with it, in one write. */
static bool send_request(struct exchange *ex)
{
	struct piece p;

	ex->state = EXCHANGE_HEAD;
	while (!ex->request_done && !ex->was_retried &&
	       conn_holds_input(ex->conn) && ex->sent.len < RETRY_MAX) {
		if (read_piece(ex, &p) < 0)
			return true;
		for (size_t i = 0; i < p.n; i++)
			buf_append(
			    &ex->sent, p.iov[i].iov_base, p.iov[i].iov_len);
	}
	assert(!ex->sent.overflow);
	ex->can_retry =
	    ex->can_retry && ex->up->is_reused && ex->sent.len <= RETRY_MAX;
	piece_init(&p);
	piece_add(&p, ex->sent.data, ex->sent.len);
	send_piece(ex, &p);
	if (!ex->can_retry && ex->sent.cap > KEEP_BUF_MAX) {
		buf_fini(&ex->sent);
		buf_init(&ex->sent, SENT_MAX);
	}
	return true;
}

static bool pump_request(struct exchange *ex)
{
	bool was_blocked = transport_is_blocked(&ex->up->io);
	struct piece p;

	if (transport_flush(&ex->up->io) < 0)
		write_failed(ex);
	/* The client's time counts from when it may send again. */
	if (was_blocked && !transport_is_blocked(&ex->up->io))
		ex->conn->active_ms = ex->up_ms = worker_now_ms(ex->worker);
	if (ex->request_done || transport_is_blocked(&ex->up->io) ||
	    ex->up->io.out_failed || !conn_has_input(ex->conn))
		return false;
	if (read_piece(ex, &p) < 0)
		return true;
	if (ex->can_retry)
		remember_sent(ex, &p);
	send_piece(ex, &p);
	return true;
}

/* ---- the connection to the target ---------------------------------------- */

static bool no_connection(
    struct exchange *ex, enum upstream_state state, const struct err *err)
{
	exchange_fail(ex, 503,
	    state == UPSTREAM_DEAD ? METRICS_DEAD : METRICS_REFUSED, err->text);
	return true;
}

static enum upstream_state get_upstream(struct exchange *ex, struct err *err)
{
	enum upstream_state s;

	if (ex->up != NULL)
		return upstream_connected(&ex->up, &ex->route->target, err);
	ex->up_ms = worker_now_ms(ex->worker);
	for (;;) {
		s = upstream_get(ex->worker->backends, &ex->route->target,
		    ex->was_retried, ex, &ex->wait, &ex->up, err);
		/* What may not be sent twice, or not be kept, looks first. */
		if (s != UPSTREAM_READY ||
		    (ex->is_idempotent && ex->request_done) ||
		    !upstream_is_stale(ex->up))
			return s;
		upstream_close(&ex->up);
	}
}

static bool step_connect(struct exchange *ex)
{
	enum upstream_state s;
	struct err err;

	if (ex->wait.is_waiting)
		return false;
	s = get_upstream(ex, &err);
	switch (s) {
	case UPSTREAM_PENDING:
		return false;
	case UPSTREAM_READY:
		return send_request(ex);
	case UPSTREAM_DEAD:
	case UPSTREAM_FAILED:
		break;
	}
	return no_connection(ex, s, &err);
}

void exchange_retry(struct exchange *ex)
{
	metric_add(&ex->worker->metrics.errors[METRICS_RETRIED], 1);
	upstream_close(&ex->up);
	ex->was_retried = true;
	ex->can_retry = false;
	ex->state = EXCHANGE_CONNECT;
}

bool exchange_pump(struct exchange *ex)
{
	struct conn *c = ex->conn;
	bool moved;

	switch (ex->state) {
	case EXCHANGE_REFUSED:
		exchange_fail(ex, ex->status, ex->reason, ex->why);
		return true;
	case EXCHANGE_CONNECT:
		return step_connect(ex);
	case EXCHANGE_PAGE:
		return false;
	case EXCHANGE_HEAD:
	case EXCHANGE_BODY:
		break;
	}
	moved = pump_request(ex);
	if (c->ex != ex || c->state != CONN_BUSY)
		return true;
	return answer_pump(ex) || moved;
}

/* ---- time ---------------------------------------------------------------- */

static int64_t upload_deadline(const struct exchange *ex)
{
	if (ex->request_done || transport_is_blocked(&ex->up->io))
		return INT64_MAX;
	return ex->worker->config->stall_timeout_ms > 0
		   ? ex->conn->active_ms + ex->worker->config->stall_timeout_ms
		   : INT64_MAX;
}

int64_t exchange_deadline(const struct exchange *ex)
{
	int64_t silence_ms = ex->silence_ms, at;

	switch (ex->state) {
	case EXCHANGE_REFUSED:
		return INT64_MAX;
	case EXCHANGE_CONNECT:
		if (silence_ms == 0 || silence_ms > CONNECT_MS)
			silence_ms = CONNECT_MS;
		return ex->up_ms + silence_ms;
	case EXCHANGE_PAGE:
		return INT64_MAX;
	case EXCHANGE_HEAD:
	case EXCHANGE_BODY:
		break;
	}
	at = upload_deadline(ex);
	if (silence_ms > 0 && ex->up_ms + silence_ms < at)
		at = ex->up_ms + silence_ms;
	return at;
}

void exchange_expire(struct exchange *ex)
{
	struct conn *c = ex->conn;
	bool is_upload = ex->state != EXCHANGE_CONNECT &&
			 upload_deadline(ex) <= worker_now_ms(ex->worker);

	if (ex->head_is_out) {
		answer_break(ex);
	} else if (is_upload) {
		ex->status = 408;
		exchange_free(ex);
		if (reply_bare(c, 408) == 0)
			conn_finish(c, false, true);
	} else {
		exchange_fail(ex, 503, METRICS_TIMEOUT,
		    "the target did not answer in time");
	}
}

/* ---- errors -------------------------------------------------------------- */

static void log_failure(struct exchange *ex, int status, const char *why)
{
	struct shown s;

	if (!worker_may_complain(ex->worker))
		return;
	show(ex, &s);
	log_warn(NULL, "request failed",
	    "status=%d method=%s path=%s target=%s reason=\"%s\"", status,
	    s.method, s.path,
	    ex->route != NULL ? ex->route->target.origin : "none", why);
}

/* Take what is there of the body, so that the connection may go on. */
static int swallow(struct exchange *ex)
{
	struct piece p;

	while (!ex->request_done && conn_holds_input(ex->conn))
		if (read_piece(ex, &p) < 0)
			return -1;
	return 0;
}

static struct slice retry_after(int status)
{
	if (status == 503 || status == 429)
		return slice_of("Retry-After: 2\r\n");
	if (status == 404)
		return slice_of("Retry-After: 5\r\n");
	return slice_make("", 0);
}

void exchange_fail(struct exchange *ex, int status, enum metrics_reason reason,
    const char *why)
{
	assert(!ex->head_is_out);
	metric_add(&ex->worker->metrics.errors[reason], 1);
	log_failure(ex, status, why);
	upstream_wait_cancel(&ex->wait);
	upstream_close(&ex->up);
	ex->status = status;
	ex->reason = reason;
	ex->state = EXCHANGE_PAGE;
	if (ex->is_upgrade)
		exchange_answer(ex, NULL, slice_make("", 0), slice_make("", 0));
	else
		error_page(ex->worker->errors, ex);
}

void exchange_answer(struct exchange *ex, const char *type, struct slice fields,
    struct slice body)
{
	struct reply r = {
		.status = ex->status,
		.type = type,
		.fields = fields,
		.retry = retry_after(ex->status),
		.body = body,
		.is_head = ex->is_head,
	};
	struct conn *c = ex->conn;
	bool keep, drain;

	ex->page = NULL;
	if (swallow(ex) < 0)
		return;
	keep = ex->client_keeps && ex->request_done && !ex->is_upgrade &&
	       ex->status != 400 && !ex->worker->is_draining;
	drain = !ex->request_done;
	r.closes = !keep;
	r.says_keep_alive = ex->said_keep_alive;
	metric_add(&ex->worker->metrics.requests_proxy[ex->status], 1);
	ex->n_out = r.is_head ? 0 : body.len;
	exchange_free(ex);
	if (reply_send(c, &r) == 0)
		conn_finish(c, keep, drain);
}
