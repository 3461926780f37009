/*
 * A connection of HTTP/2: see h2.h. nghttp2 reads and writes frames and keeps
 * the protocol's rules; its callbacks only take notes, and what follows from
 * these happens when it has returned (run_ready), because an exchange uses the
 * worker's scratch too.
 */
#include "proxy/h2.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/config.h"
#include "proxy/h2_priv.h"
#include "proxy/metrics.h"
#include "proxy/worker.h"

/* Between the two GOAWAYs, if the client does not answer the PING. */
#define GOODBYE_MS   1000
/* Streams a turn: other connections wait. */
#define RUNS_AT_ONCE 32
/* Heads that go so far beyond the limit cost more than their bytes. */
#define HEAD_EXCESS  ((size_t)4 * HTTPHEAD_MAX_BYTES)

static const uint8_t goodbye_ping[8] = { 'g', 'o', 'o', 'd', 'b', 'y', 'e' };

static void count_open(struct h2 *h, bool is_more)
{
	metric *m = &h->conn->worker->metrics.h2_connections;

	metric_set(m, metric_get(m) + (is_more ? 1 : (uint64_t)-1));
}

/* ---- the end of a connection --------------------------------------------- */

void h2_terminate(struct h2 *h, uint32_t code)
{
	if (h->is_over)
		return;
	h->is_over = true;
	(void)nghttp2_session_terminate_session(h->session, code);
	h2_turn(h);
}

void h2_flooded(struct h2 *h, enum metrics_flood kind)
{
	struct worker *w = h->conn->worker;

	if (h->is_over)
		return;
	metric_add(&w->metrics.h2_floods[kind], 1);
	if (worker_may_complain(w))
		log_warn(NULL, "an HTTP/2 client sends too much",
		    "kind=%s peer=%s", metrics_flood_name(kind),
		    h->conn->peer[0] != '\0' ? h->conn->peer : "unix");
	h2_terminate(h, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void spend(struct h2 *h, enum metrics_flood kind)
{
	if (!h2_budget_spend(&h->budget, kind, worker_now_ms(h->conn->worker)))
		h2_flooded(h, kind);
}

/* ---- what nghttp2 reports: frames that come ------------------------------ */

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return id > 0 ? nghttp2_session_get_stream_user_data(session, id)
		      : NULL;
}

/* Called for every frame that counts for something, when its head is read. */
static int on_begin_frame(
    nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	switch (hd->type) {
	case NGHTTP2_RST_STREAM:
		spend(h, METRICS_FLOOD_RESETS);
		break;
	case NGHTTP2_SETTINGS:
		spend(h, METRICS_FLOOD_SETTINGS);
		break;
	case NGHTTP2_PING:
		spend(h, METRICS_FLOOD_PINGS);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		spend(h, METRICS_FLOOD_WINDOWS);
		break;
	case NGHTTP2_PRIORITY:
		spend(h, METRICS_FLOOD_PRIORITIES);
		break;
	default:
		break;
	}
	return 0;
}

static int on_begin_headers(
    nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *s;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || h->is_over)
		return 0;
	s = h2_stream_new(h, frame->hd.stream_id);
	metric_add(&h->conn->worker->metrics.h2_streams, 1);
	return nghttp2_session_set_stream_user_data(
		   session, frame->hd.stream_id, s) == 0
		   ? 0
		   : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The stream is at fault: nghttp2 resets it. */
static int refuse_stream(nghttp2_session *session, const nghttp2_frame *frame)
{
	if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
		frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool add_trailer(
    struct h2_stream *s, struct slice name, struct slice value)
{
	if (s->trail == NULL) {
		s->trail = xmalloc(sizeof *s->trail);
		buf_init(s->trail, FRAME_TRAILERS_MAX);
	}
	return h2_trailer_add(s->trail, name, value) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t name_len, const uint8_t *value,
    size_t value_len, uint8_t flags, void *arg)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	struct slice n = slice_make((const char *)name, name_len);
	struct slice v = slice_make((const char *)value, value_len);
	struct h2 *h = arg;

	(void)flags;
	if (s == NULL || h->is_over)
		return 0;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return add_trailer(s, n, v) ? 0 : refuse_stream(session, frame);
	if (s->request == NULL)
		return 0;
	h2_request_add(s->request, n, v);
	if (s->request->n_bytes > HEAD_EXCESS) {
		spend(h, METRICS_FLOOD_HEADS);
		return refuse_stream(session, frame);
	}
	return 0;
}

/* A field that nghttp2 itself finds malformed. */
static int on_invalid_header(nghttp2_session *session,
    const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	(void)arg;
	return refuse_stream(session, frame);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
    const uint8_t *data, size_t len, void *arg)
{
	struct h2_stream *s = stream_of(session, id);
	struct h2 *h = arg;

	(void)flags;
	if (s == NULL || h->is_over || s->conn.state == CONN_LINGER)
		(void)nghttp2_session_consume(session, id, len);
	else
		h2_stream_put(s, data, len);
	return 0;
}

static bool is_empty_data(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_DATA &&
	       frame->hd.length == frame->data.padlen &&
	       (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
}

static bool is_goodbye_ack(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_PING &&
	       (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
	       memcmp(frame->ping.opaque_data, goodbye_ping,
		   sizeof goodbye_ping) == 0;
}

static void leave(struct h2 *h);

static int on_frame(
    nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	struct h2 *h = arg;

	if (is_empty_data(frame))
		spend(h, METRICS_FLOOD_EMPTY_DATA);
	if (is_goodbye_ack(frame))
		leave(h);
	if (s == NULL || h->is_over)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS &&
	    frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s->has_head = true;
		s->has_no_body =
		    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS ||
		frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		s->has_end = true;
	h2_stream_ready(s);
	return 0;
}

/* Something malformed makes us reset a stream: that is work too. */
static int on_invalid_frame(
    nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	(void)frame;
	log_debug(NULL, "an HTTP/2 frame is refused", "type=%u reason=\"%s\"",
	    (unsigned)frame->hd.type, nghttp2_strerror(code));
	spend(h, METRICS_FLOOD_RESETS);
	return 0;
}

static int on_stream_close(
    nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *s = stream_of(session, id);

	(void)arg;
	if (s == NULL)
		return 0;
	s->is_gone = true;
	s->was_reset = code != NGHTTP2_NO_ERROR;
	(void)nghttp2_session_set_stream_user_data(session, id, NULL);
	h2_stream_ready(s);
	return 0;
}

/* ---- frames that went ---------------------------------------------------- */

static int on_frame_sent(
    nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_stream *s = stream_of(session, frame->hd.stream_id);
	struct h2 *h = arg;

	if (frame->hd.type == NGHTTP2_DATA)
		h2_budget_earn(&h->budget, METRICS_FLOOD_WINDOWS, 4);
	if (s == NULL || s->has_end || s->tunnel != NULL ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	/* All is said; what the client still sends nobody will read. */
	if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE,
			   frame->hd.stream_id, NGHTTP2_NO_ERROR) == 0
			   ? 0
			   : NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

/* ---- a session ----------------------------------------------------------- */

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(
	    cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(
	    cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(
	    cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(
	    cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_send_data_callback(cb, h2_out_data);
	return cb;
}

static nghttp2_option *make_option(void)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	/* Behind our own limits: */
	nghttp2_option_set_stream_reset_rate_limit(o, 1000, 100);
	nghttp2_option_set_max_continuations(o, 8);
	nghttp2_option_set_max_outbound_ack(o, 1000);
	nghttp2_option_set_max_settings(o, 32);
	return o;
}

static int submit_settings(nghttp2_session *session)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTPHEAD_MAX_BYTES },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
		sizeof settings / sizeof settings[0]) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(
		   session, NGHTTP2_FLAG_NONE, 0, H2_WINDOW) == 0
		   ? 0
		   : -1;
}

static nghttp2_session *make_session(struct h2 *h)
{
	nghttp2_session_callbacks *cb = make_callbacks();
	nghttp2_option *option = make_option();
	nghttp2_session *session = NULL;

	if (cb != NULL && option != NULL &&
	    nghttp2_session_server_new2(&session, cb, h, option) != 0)
		session = NULL;
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	if (session == NULL || submit_settings(session) == 0)
		return session;
	nghttp2_session_del(session);
	return NULL;
}

int h2_begin(struct conn *c)
{
	struct h2 *h = xcalloc(1, sizeof *h);

	h->conn = c;
	list_init(&h->streams);
	list_init(&h->ready);
	h2_budget_init(&h->budget, worker_now_ms(c->worker));
	h->session = make_session(h);
	if (h->session == NULL) {
		free(h);
		return -1;
	}
	c->h2 = h;
	c->state = CONN_STREAMS;
	/* It ends by GOAWAY alone, which spares what is on its way. */
	c->had_request = true;
	count_open(h, true);
	if (c->worker->is_draining)
		h2_drain(c);
	h2_turn(h);
	return 0;
}

static void free_streams(struct h2 *h)
{
	while (!list_empty(&h->streams))
		h2_stream_free(
		    LIST_ITEM(h->streams.next, struct h2_stream, link));
}

void h2_free(struct h2 **hp)
{
	struct h2 *h = *hp;

	if (h == NULL)
		return;
	free_streams(h);
	count_open(h, false);
	timer_stop(&h->goodbye);
	defer_cancel(&h->turn);
	nghttp2_session_del(h->session);
	free(h);
	*hp = NULL;
}

/* ---- leaving ------------------------------------------------------------- */

/* The second step: streams up to here are served, later ones are not. */
static void leave(struct h2 *h)
{
	if (h->has_left || h->is_over)
		return;
	h->has_left = true;
	timer_stop(&h->goodbye);
	(void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->session),
	    NGHTTP2_NO_ERROR, NULL, 0);
	h2_turn(h);
}

static void on_goodbye(struct timer *timer, void *arg)
{
	(void)timer;
	leave(arg);
}

/* The first step (RFC 9113 6.8): open no more. What crosses it is served. */
void h2_drain(struct conn *c)
{
	struct h2 *h = c->h2;

	if (h->is_leaving || h->is_over)
		return;
	h->is_leaving = true;
	(void)nghttp2_submit_shutdown_notice(h->session);
	(void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, goodbye_ping);
	timer_start(c->worker->loop, &h->goodbye, GOODBYE_MS, on_goodbye, h);
	h2_turn(h);
}

/* ---- running ------------------------------------------------------------- */

static void on_turn(void *arg)
{
	struct h2 *h = arg;

	conn_run(h->conn);
}

void h2_turn(struct h2 *h)
{
	defer_call(h->conn->worker->loop, &h->turn, on_turn, h);
}

static void run_ready(struct h2 *h)
{
	for (int i = 0; i < RUNS_AT_ONCE && !list_empty(&h->ready); i++) {
		struct h2_stream *s =
		    LIST_ITEM(h->ready.next, struct h2_stream, ready);

		list_del(&s->ready);
		h2_stream_run(s);
	}
	h->is_behind = !list_empty(&h->ready);
	if (h->is_behind)
		h2_turn(h);
}

static void input_failed(struct h2 *h, int code)
{
	if (code == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
		log_debug(NULL, "an HTTP/2 client does not speak it", "peer=%s",
		    h->conn->peer);
	if (code == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h2_flooded(h, METRICS_FLOOD_CONTINUATIONS);
	else if (code == NGHTTP2_ERR_FLOODED)
		h2_flooded(h, METRICS_FLOOD_PINGS);
	else
		h2_terminate(h, NGHTTP2_PROTOCOL_ERROR);
}

/* true: something came. */
static bool receive(struct h2 *h)
{
	struct conn *c = h->conn;
	char *scratch = c->worker->scratch;
	ssize_t n;

	if (h->is_over || h->is_behind || !c->io.readable ||
	    transport_is_blocked(&c->io))
		return false;
	n = transport_recv(&c->io, scratch, WORKER_SCRATCH);
	if (n == TRANSPORT_AGAIN)
		return false;
	if (n <= 0) {
		c->state = CONN_CLOSED;
		return true;
	}
	c->active_ms = worker_now_ms(c->worker);
	n = nghttp2_session_mem_recv(
	    h->session, (const uint8_t *)scratch, (size_t)n);
	if (n < 0)
		input_failed(h, (int)n);
	return true;
}

/* Nothing more can be said or heard: say so on the socket too. */
static void end_if_done(struct h2 *h)
{
	struct conn *c = h->conn;

	if (c->state != CONN_STREAMS || transport_is_blocked(&c->io) ||
	    nghttp2_session_want_write(h->session) != 0 ||
	    (!h->is_over && nghttp2_session_want_read(h->session) != 0))
		return;
	free_streams(h);
	conn_finish(c, false, h->is_over);
}

bool h2_step(struct conn *c)
{
	struct h2 *h = c->h2;
	bool moved = receive(h);

	if (c->state != CONN_STREAMS)
		return true;
	h->n_straight = 0;
	run_ready(h);
	if (c->state == CONN_STREAMS && h2_out_send(h))
		h2_turn(h);
	if (c->state == CONN_STREAMS)
		end_if_done(h);
	return moved || c->state != CONN_STREAMS;
}

/* ---- time ---------------------------------------------------------------- */

bool h2_is_idle(const struct conn *c)
{
	return c->h2->n_streams == 0;
}

int64_t h2_deadline(const struct conn *c)
{
	int64_t idle_ms = c->worker->config->http2_idle_ms;

	if (c->h2->n_streams > 0 || c->h2->is_leaving)
		return INT64_MAX;
	return idle_ms > 0 ? c->since_ms + idle_ms : INT64_MAX;
}

void h2_expire(struct conn *c)
{
	h2_drain(c);
}
