/*
 * Connections of clients: see conn.h.
 */
#include "proxy/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/access_note.h"
#include "proxy/config.h"
#include "proxy/door.h"
#include "proxy/exchange.h"
#include "proxy/h2.h"
#include "proxy/metrics.h"
#include "proxy/reply.h"
#include "proxy/worker.h"

#define LINGER_MS     5000 /* the client is still sending */
#define GOODBYE_MS    1000 /* it is not: only its end is missing */
/* What is thrown away at most after an answer that came early. */
#define LINGER_BYTES  ((uint64_t)1 << 30)
#define STEPS_AT_ONCE 16
#define SHAKE_MS      10000 /* for a whole TLS handshake */
/* A client that says nothing for so long gives way to others. */
#define PATIENCE_MS   3000
/* One costs up to a millisecond, and others wait. */
#define SHAKES_A_TURN 4

static void on_event(struct watch *watch, uint32_t events, void *arg);

/* ---- life ---------------------------------------------------------------- */

static void set_peer(struct conn *c, const struct in6_addr *addr)
{
	const struct config_cidrs *trusted = &c->worker->config->trusted;

	if (addr == NULL) {
		/* Only a front end of this machine reaches a unix socket. */
		c->is_trusted = true;
		return;
	}
	c->is_trusted = cidr_has(trusted->items, trusted->n, addr);
	c->address = *addr;
	cidr_format(addr, c->peer);
}

static void shaking(struct conn *c, bool is_shaking)
{
	struct worker *w = c->worker;

	if (c->is_shaking == is_shaking)
		return;
	c->is_shaking = is_shaking;
	w->n_shaking += is_shaking ? 1 : (size_t)-1;
	metric_set(&w->metrics.shaking, w->n_shaking);
}

/* Refused without a word: there is no request to answer, and an end by reset
 * leaves nothing behind in the kernel. */
static void turn_away(struct conn *c, int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	fd_close(&fd);
	free(c);
}

void conn_open(struct worker *w, int fd, const struct in6_addr *addr)
{
	struct conn *c = xcalloc(1, sizeof *c);
	struct limit_ticket ticket;
	struct err err;

	c->worker = w;
	c->since_ms = c->active_ms = worker_now_ms(w);
	set_peer(c, addr);
	if (!door_admit(w, addr, c->is_trusted, &ticket)) {
		turn_away(c, fd);
		return;
	}
	if (transport_open(&c->io, w->loop, fd, on_event, c, &err) < 0) {
		door_leave(w, &ticket);
		free(c);
		return;
	}
	c->io.ticket = ticket;
	list_init(&c->shake);
	list_add_tail(&w->conns, &c->link);
	w->n_conns++;
	metric_set(&w->metrics.open_connections, w->n_conns);
	c->state = w->tls != NULL ? CONN_SHAKE : CONN_HEAD;
	shaking(c, w->tls != NULL);
	if (w->tls != NULL &&
	    transport_start_tls(&c->io, w->tls, NULL, &err) < 0)
		c->state = CONN_CLOSED;
	conn_run(c);
}

void conn_free(struct conn *c)
{
	struct worker *w = c->worker;

	if (c->ex != NULL)
		exchange_free(c->ex);
	h2_free(&c->h2);
	shaking(c, false);
	door_leave(w, &c->io.ticket);
	timer_stop(&c->timer);
	defer_cancel(&c->again);
	if (c->must_reset)
		transport_reset(&c->io);
	else
		transport_close(&c->io);
	free(c->in.data);
	list_del(&c->shake);
	list_del(&c->link);
	free(c);
	w->n_conns--;
	metric_set(&w->metrics.open_connections, w->n_conns);
	worker_one_less(w);
}

/* ---- the TLS handshake --------------------------------------------------- */

/* The next few of the queue, so that none of them waits for all. */
static void on_shake_turn(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < SHAKES_A_TURN && !list_empty(&w->shakes); i++) {
		struct conn *c = LIST_ITEM(w->shakes.next, struct conn, shake);

		list_del(&c->shake);
		c->may_shake = true;
		conn_run(c);
	}
	if (!list_empty(&w->shakes))
		defer_call(w->loop, &w->shake_turn, on_shake_turn, w);
}

static void queue_shake(struct conn *c)
{
	struct worker *w = c->worker;

	if (!list_empty(&c->shake))
		return;
	list_add_tail(&w->shakes, &c->shake);
	defer_call(w->loop, &w->shake_turn, on_shake_turn, w);
}

static bool shake_failed(struct conn *c, const struct err *err)
{
	metric_add(&c->worker->metrics.errors[METRICS_HANDSHAKE], 1);
	log_debug(NULL, "TLS handshake failed", "peer=%s reason=\"%s\"",
	    c->peer[0] != '\0' ? c->peer : "unix", err->text);
	c->state = CONN_CLOSED;
	return true;
}

static bool step_shake(struct conn *c)
{
	struct metrics *m = &c->worker->metrics;
	struct err err;
	int rc;

	if (!transport_can_shake(&c->io))
		return false;
	if (!c->may_shake) {
		queue_shake(c);
		return false;
	}
	c->may_shake = false;
	rc = transport_shake(&c->io, &err);
	if (rc < 0)
		return shake_failed(c, &err);
	if (rc == 0)
		return false;
	shaking(c, false);
	metric_add(&m->handshakes, 1);
	if (transport_was_resumed(&c->io))
		metric_add(&m->handshakes_resumed, 1);
	c->since_ms = c->active_ms = worker_now_ms(c->worker);
	c->state = CONN_HEAD;
	if (transport_chose_h2(&c->io) && h2_begin(c) < 0)
		c->state = CONN_CLOSED;
	return true;
}

/* ---- input --------------------------------------------------------------- */

/* The memory stays until input_settle: somebody may still look at it. */
static void input_use(struct conn_input *in, size_t n)
{
	in->off += (uint32_t)n;
	in->len -= (uint32_t)n;
}

static void input_settle(struct conn_input *in)
{
	if (in->len > 0 || in->data == NULL)
		return;
	free(in->data);
	*in = (struct conn_input){ .data = NULL };
}

static void input_put(struct conn_input *in, const void *p, size_t n)
{
	size_t cap = in->cap > 0 ? in->cap : 512;

	if (n == 0)
		return;
	if (in->off > 0) {
		memmove(in->data, in->data + in->off, in->len);
		in->off = 0;
	}
	while (cap < in->len + n)
		cap *= 2;
	if (cap > in->cap) {
		in->data = xreallocarray(in->data, cap, 1);
		in->cap = (uint32_t)cap;
	}
	memcpy(in->data + in->len, p, n);
	in->len += (uint32_t)n;
}

static ssize_t receive(struct conn *c)
{
	ssize_t n = transport_recv(&c->io, c->worker->scratch, WORKER_SCRATCH);

	if (n > 0)
		c->active_ms = worker_now_ms(c->worker);
	return n;
}

bool conn_has_input(const struct conn *c)
{
	if (c->stream != NULL)
		return h2_stream_has_input(c->stream);
	return c->in.len > 0 || c->io.readable;
}

bool conn_holds_input(const struct conn *c)
{
	return c->stream != NULL ? h2_stream_held(c->stream) > 0
				 : c->in.len > 0;
}

enum conn_read conn_read_body(
    struct conn *c, struct frame *f, struct slice *payload)
{
	bool is_kept = c->in.len > 0;
	char *p = is_kept ? c->in.data + c->in.off : c->worker->scratch;
	ssize_t n;
	enum frame_result result;
	size_t used;

	if (c->stream != NULL)
		return h2_stream_read_body(c->stream, f, payload);
	n = is_kept ? (ssize_t)c->in.len : receive(c);
	*payload = slice_make(p, 0);
	if (n == TRANSPORT_AGAIN)
		return CONN_READ_MORE;
	if (n <= 0)
		return CONN_READ_GONE;
	result = frame_decode(f, p, (size_t)n, payload, &used);
	if (result == FRAME_BAD)
		return CONN_READ_BAD;
	if (is_kept)
		input_use(&c->in, used);
	else
		input_put(&c->in, p + used, (size_t)n - used);
	return result == FRAME_DONE ? CONN_READ_DONE : CONN_READ_MORE;
}

/* ---- output -------------------------------------------------------------- */

bool conn_is_secure(const struct conn *c)
{
	return c->stream != NULL || c->io.tls != NULL;
}

bool conn_is_blocked(const struct conn *c)
{
	return c->stream != NULL ? h2_stream_is_blocked(c->stream)
				 : transport_is_blocked(&c->io);
}

size_t conn_room(const struct conn *c)
{
	return c->stream != NULL ? h2_stream_room(c->stream) : WORKER_SCRATCH;
}

int conn_send(struct conn *c, struct iovec *iov, size_t n)
{
	if (c->stream != NULL)
		return h2_stream_send(c->stream, iov, n);
	c->active_ms = worker_now_ms(c->worker);
	if (transport_send(&c->io, iov, n) == 0)
		return 0;
	c->state = CONN_CLOSED;
	return -1;
}

void conn_break(struct conn *c, bool is_framed)
{
	if (is_framed && c->stream == NULL) {
		conn_finish(c, false, true);
		return;
	}
	c->must_reset = true;
	c->state = CONN_CLOSED;
}

void conn_finish(struct conn *c, bool keep, bool drain)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->stream != NULL) {
		h2_stream_finish(c->stream);
		return;
	}
	c->had_request = true;
	c->is_sending = drain;
	c->since_ms = worker_now_ms(c->worker);
	c->scan = (struct httphead_scan){ .at = 0 };
	c->state =
	    keep && !drain && !c->worker->is_draining ? CONN_HEAD : CONN_LINGER;
}

/* ---- heads --------------------------------------------------------------- */

void conn_refuse(struct conn *c, const struct http_refusal *why)
{
	struct metrics *m = &c->worker->metrics;

	metric_add(&m->errors[METRICS_BAD_REQUEST], 1);
	if (why->status == 431)
		metric_add(&m->refused[METRICS_LIMIT_HEAD], 1);
	log_debug(NULL, "request refused", "status=%d reason=\"%s\"",
	    why->status, why->why);
	metric_add(&m->requests_web, 1);
	metric_add(&m->requests_proxy[why->status], 1);
	access_note_refusal(c, why->status);
	if (reply_bare(c, why->status) < 0)
		return;
	conn_finish(c, false, true);
}

/* Empty lines before a request are skipped (RFC 9112 2.2). */
static size_t skip_empty(const char *p, size_t n)
{
	size_t at = 0;

	while (n - at >= 2 && p[at] == '\r' && p[at + 1] == '\n')
		at += 2;
	return at;
}

/*
 * Look for a head in p[0..n), which lies in the input or in the scratch.
 * true: there was one (or a refusal); *used bytes are done with.
 */
static bool take_head(struct conn *c, char *p, size_t n, size_t *used)
{
	struct worker *w = c->worker;
	struct http_refusal why;
	size_t len, skipped = 0;

	if (c->scan.at == 0)
		skipped = skip_empty(p, n);
	p += skipped;
	n -= skipped;
	*used = skipped;
	if (n == 0 || (n == 1 && p[0] == '\r'))
		return false;
	switch (httphead_scan(&c->scan, p, n, &len, &why)) {
	case HTTPHEAD_MORE:
		if (!door_is_head_too_long(w, n, &why))
			return false;
		conn_refuse(c, &why);
		return true;
	case HTTPHEAD_BAD:
		conn_refuse(c, &why);
		return true;
	case HTTPHEAD_DONE:
		break;
	}
	*used = skipped + len;
	c->scan = (struct httphead_scan){ .at = 0 };
	if (door_is_head_too_long(w, len, &why) ||
	    httphead_parse_request(p, len, &w->parsed, &why) < 0 ||
	    door_has_too_many_fields(w, w->parsed.n_fields, &why)) {
		conn_refuse(c, &why);
		return true;
	}
	/* What follows the head waits in the input for the exchange. */
	if (c->in.len == 0)
		input_put(&c->in, p + len, n - len);
	exchange_begin(c, &w->parsed, slice_make(p, len));
	return true;
}

static bool read_more_head(struct conn *c)
{
	struct worker *w = c->worker;
	bool is_kept = c->in.len > 0;
	ssize_t n = receive(c);
	size_t used;

	if (n == TRANSPORT_AGAIN)
		return false;
	if (n <= 0) {
		/* Between requests, or in a head: nobody waits. */
		c->state = CONN_CLOSED;
		return true;
	}
	if (is_kept) {
		input_put(&c->in, w->scratch, (size_t)n);
		return true;
	}
	c->since_ms = c->active_ms;
	if (!take_head(c, w->scratch, (size_t)n, &used))
		input_put(&c->in, w->scratch + used, (size_t)n - used);
	return true;
}

/* true: something moved. */
static bool step_head(struct conn *c)
{
	size_t used, before = c->in.len;

	if (transport_is_blocked(&c->io))
		return false;
	if (c->in.len > c->scan.at) {
		struct conn_input *in = &c->in;
		bool taken = take_head(c, in->data + in->off, in->len, &used);

		if (c->in.len > 0)
			input_use(&c->in, used);
		if (taken || c->in.len < before)
			return true;
	}
	return c->io.readable && read_more_head(c);
}

/* ---- the end ------------------------------------------------------------- */

static bool step_linger(struct conn *c)
{
	ssize_t n;

	if (transport_is_blocked(&c->io))
		return false;
	transport_shut(&c->io);
	input_use(&c->in, c->in.len);
	if (!c->io.readable)
		return false;
	n = transport_recv(&c->io, c->worker->scratch, WORKER_SCRATCH);
	if (n == TRANSPORT_AGAIN)
		return false;
	if (n > 0)
		c->n_lingered += (uint64_t)n;
	if (n <= 0 || c->n_lingered > LINGER_BYTES)
		c->state = CONN_CLOSED;
	return true;
}

/* ---- running ------------------------------------------------------------- */

/* The shorter of two times, of which 0 means for ever. Room is left to add. */
static int64_t nearer(int64_t a, int64_t b)
{
	if (a == 0 || (b != 0 && b < a))
		a = b;
	return a == 0 ? INT64_MAX / 2 : a;
}

static int64_t deadline(const struct conn *c)
{
	const struct config *config = c->worker->config;
	int64_t at;

	/* A client that reads slowly is not idle, one that reads nothing is. */
	if (transport_is_blocked(&c->io))
		return c->active_ms +
		       nearer(config->timeout_ms, config->stall_timeout_ms) / 2;
	switch (c->state) {
	case CONN_SHAKE:
		return c->since_ms + SHAKE_MS;
	case CONN_HEAD:
		if (c->in.len > 0 || !c->had_request)
			return c->since_ms + nearer(config->head_timeout_ms, 0);
		return c->since_ms + config->keep_alive_ms;
	case CONN_LINGER:
		return c->since_ms + (c->is_sending ? LINGER_MS : GOODBYE_MS);
	case CONN_STREAMS:
		return h2_deadline(c);
	case CONN_CLOSED:
		return INT64_MAX;
	case CONN_BUSY:
		break;
	}
	at = exchange_deadline(c->ex);
	if (config->timeout_ms > 0 && c->active_ms + config->timeout_ms < at)
		at = c->active_ms + config->timeout_ms;
	return at;
}

/*
 * The kernel says that a socket is writable when much of its buffer is free:
 * for a slow reader that takes long. Looked at twice in its time (deadline).
 */
static bool has_stalled(struct conn *c)
{
	size_t before = c->n_unread, now = transport_unread(&c->io);

	c->n_unread = now;
	c->active_ms = worker_now_ms(c->worker);
	return before != 0 && now >= before;
}

static void on_timer(struct timer *timer, void *arg)
{
	struct conn *c = arg;
	int64_t now = worker_now_ms(c->worker);

	(void)timer;
	if (deadline(c) > now) {
		conn_run(c);
		return;
	}
	if (transport_is_blocked(&c->io)) {
		if (!has_stalled(c)) {
			conn_run(c);
			return;
		}
		metric_add(&c->worker->metrics.errors[METRICS_STALLED], 1);
		conn_break(c, false);
	} else if (c->state == CONN_BUSY && exchange_deadline(c->ex) <= now) {
		exchange_expire(c->ex);
	} else if (c->state == CONN_HEAD && c->in.len > 0 &&
		   reply_bare(c, 408) == 0) {
		conn_finish(c, false, true);
	} else if (c->state == CONN_STREAMS) {
		h2_expire(c);
	} else {
		c->state = CONN_CLOSED;
	}
	conn_run(c);
}

/* Lazily: a timer that fires too early looks again. */
static void arm(struct conn *c)
{
	int64_t at = deadline(c), now;

	if (at >= INT64_MAX / 4)
		return;
	if (timer_running(&c->timer) && c->timer.due_ms <= at)
		return;
	now = worker_now_ms(c->worker);
	timer_start(
	    c->worker->loop, &c->timer, at > now ? at - now : 0, on_timer, c);
}

static bool step(struct conn *c)
{
	switch (c->state) {
	case CONN_SHAKE:
		return step_shake(c);
	case CONN_HEAD:
		return step_head(c);
	case CONN_BUSY:
		return exchange_pump(c->ex);
	case CONN_LINGER:
		return step_linger(c);
	case CONN_STREAMS:
		return h2_step(c);
	case CONN_CLOSED:
		break;
	}
	return false;
}

static void on_again(void *arg)
{
	conn_run(arg);
}

static void flush(struct conn *c)
{
	uint32_t before = c->io.out_len;

	if (c->io.failed || transport_flush(&c->io) < 0)
		c->state = CONN_CLOSED;
	if (c->io.out_len == before)
		return;
	c->n_unread = 0;
	c->active_ms = worker_now_ms(c->worker);
	if (transport_is_blocked(&c->io))
		return;
	/* It was the client that was slow, not the target. */
	c->since_ms = c->active_ms;
	if (c->ex != NULL)
		c->ex->up_ms = c->active_ms;
}

void conn_run(struct conn *c)
{
	int n = 0;

	if (c->stream != NULL) {
		h2_stream_run(c->stream);
		return;
	}
	assert(!c->is_running);
	c->is_running = true;
	flush(c);
	while (c->state != CONN_CLOSED && step(c)) {
		if (++n < STEPS_AT_ONCE)
			continue;
		/* The others' turn */
		defer_call(c->worker->loop, &c->again, on_again, c);
		break;
	}
	c->is_running = false;
	input_settle(&c->in);
	if (c->state == CONN_CLOSED)
		conn_free(c);
	else
		arm(c);
}

static void on_event(struct watch *watch, uint32_t events, void *arg)
{
	struct conn *c = arg;

	(void)watch;
	transport_note(&c->io, events);
	/* Both directions are gone, or it was reset: nobody is there. */
	if ((events & EPOLLERR) != 0 ||
	    ((events & EPOLLHUP) != 0 && c->state != CONN_LINGER))
		c->io.failed = true;
	conn_run(c);
}

bool conn_give_way(struct conn *c)
{
	bool is_between = c->state == CONN_HEAD && c->in.len == 0 &&
			  c->had_request && !transport_is_blocked(&c->io);
	/* Nothing runs on it. */
	bool is_quiet = c->state == CONN_STREAMS && h2_is_idle(c);
	bool is_slow = (c->state == CONN_HEAD || c->state == CONN_SHAKE) &&
		       worker_now_ms(c->worker) - c->since_ms > PATIENCE_MS;

	if (c->is_running || !(is_between || is_quiet || is_slow))
		return false;
	conn_free(c);
	return true;
}

void conn_drain(struct conn *c)
{
	if (c->state == CONN_STREAMS)
		h2_drain(c);
	else if (c->state == CONN_SHAKE ||
		 (c->state == CONN_HEAD && c->in.len == 0 &&
		     !transport_is_blocked(&c->io)))
		conn_free(c);
}
