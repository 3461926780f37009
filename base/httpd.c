/*
 * HTTP server: the daemon, its place in the loop, and the life of a request.
 *
 * libmicrohttpd calls access_handler several times per request: once with the
 * head, once per piece of body, once when all is there, and again after each
 * resume. A request that waits for its answer is suspended; a suspended
 * connection neither times out nor notices that its client left, so each has a
 * deadline and a watch of our own for the hang-up.
 */
#include "base/httpd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/httpd_priv.h"
#include "base/log.h"
#include "base/mem.h"

#define DEFAULT_CONNECTIONS 4096
#define DEFAULT_HEAD_BYTES  ((size_t)16 << 10)
#define DEFAULT_BODY_BYTES  ((size_t)1 << 20)
#define DEFAULT_IDLE_S      75
#define DEFAULT_DEADLINE_MS 120000
#define DEFAULT_TURN_US     3000
/*
 * Memory of one connection: the head, libmicrohttpd's copy of its cookies, its
 * list of headers, and the head of the answer.
 */
#define POOL_BYTES(head)    ((head)*2 + ((size_t)16 << 10))
/* A body over its limit is read on so far, so that the client sees the 413. */
#define DISCARD_FACTOR      8

/* Those to be refused stay until libmicrohttpd has noticed. */
#define SHARED_ROOM 64U

unsigned httpd_most_connections(const struct httpd *h)
{
	return h->opt.max_connections + (h->opt.is_shared ? SHARED_ROOM : 0);
}

static bool is_wakeable(const struct http_reply_state *st)
{
	return st->is_suspended && !st->req.httpd->is_closing;
}

/* ---- running the daemon ------------------------------------------------- */

static void on_timer(struct timer *t, void *arg);

static void run(void *arg)
{
	struct httpd *h = arg;
	MHD_UNSIGNED_LONG_LONG wait_ms;

	assert(!h->is_running);
	h->is_running = true;
	(void)MHD_run(h->daemon);
	h->is_running = false;
	if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES)
		timer_start(h->loop, &h->timer, (int64_t)wait_ms, on_timer, h);
	else
		timer_stop(&h->timer);
}

static void on_timer(struct timer *t, void *arg)
{
	(void)t;
	run(arg);
}

static void on_ready(struct watch *w, uint32_t events, void *arg)
{
	(void)w, (void)events;
	run(arg);
}

void httpd_run_soon(struct httpd *h)
{
	if (!h->is_closing)
		defer_call(h->loop, &h->run_later, run, h);
}

/* ---- suspended requests ------------------------------------------------- */

static void on_hangup(struct watch *w, uint32_t events, void *arg)
{
	(void)w, (void)events;
	httpd_cut(arg);
}

/* An end that came before is told at once. */
static void watch_hangup(struct http_reply_state *st)
{
	struct err err = { 0 };

	list_del(&st->unwatched);
	if (watch_start(st->req.httpd->loop, &st->hangup, st->fd, EPOLLRDHUP,
		on_hangup, st, &err))
		log_warn(NULL, "a waiting client cannot be watched",
		    "error=\"%s\"", err.text);
}

static void on_watch_later(struct timer *t, void *arg)
{
	struct httpd *h = arg;

	(void)t;
	list_for_each (it, &h->unwatched)
		watch_hangup(LIST_ITEM(it, struct http_reply_state, unwatched));
}

void httpd_suspend(struct http_reply_state *st)
{
	struct httpd *h = st->req.httpd;

	st->is_suspended = true;
	MHD_suspend_connection(st->conn);
	list_add_tail(&h->unwatched, &st->unwatched);
	if (h->opt.watch_after_ms == 0)
		watch_hangup(st);
	else if (!timer_running(&h->watch_later))
		timer_start(h->loop, &h->watch_later, h->opt.watch_after_ms,
		    on_watch_later, h);
}

void httpd_wake(struct http_reply_state *st)
{
	if (!is_wakeable(st))
		return;
	st->is_suspended = false;
	list_del(&st->unwatched);
	watch_stop(&st->hangup);
	MHD_resume_connection(st->conn);
	httpd_run_soon(st->req.httpd);
}

void httpd_cut(struct http_reply_state *st)
{
	st->is_gone = true;
	(void)shutdown(st->fd, SHUT_RDWR);
	httpd_wake(st);
}

/* The head or body came too slowly, or nobody answered. */
static void on_deadline(struct timer *t, void *arg)
{
	struct http_reply_state *st = arg;

	(void)t;
	if (!st->is_complete) {
		httpd_cut(st);
		return;
	}
	log_warn(NULL, "a request was not answered in time",
	    "id=%llu method=%s deadline_ms=%lld",
	    (unsigned long long)st->req.id, st->req.method,
	    (long long)st->req.httpd->opt.deadline_ms);
	httpd_refuse(
	    st, 503, "the server did not answer in time; try again later");
}

/* ---- one request -------------------------------------------------------- */

static void call_head(struct http_reply_state *st)
{
	const struct httpd_callbacks *cb = &st->req.httpd->cb;

	if (!cb->on_head)
		return;
	st->is_seen = true;
	cb->on_head(&st->req, cb->arg);
}

static enum MHD_Result take_head(
    struct http_reply_state *st, const struct http_line *line)
{
	const char *why = NULL;
	int status = httpd_head_check(st, line, &why);

	st->has_head = true;
	memcpy(st->req.peer, st->conn_link->peer, sizeof st->req.peer);
	if (status) {
		httpd_refuse(st, status, why);
		st->conn_link->must_linger = true;
		return httpd_queue(st);
	}
	call_head(st);
	if (!st->is_replied || !st->has_body)
		return MHD_YES;
	st->conn_link->must_linger = true;
	return httpd_queue(st);
}

/*
 * A body that does not end: libmicrohttpd takes no answer before the last byte
 * of it, so this one goes past it. Nothing of an answer was sent yet.
 */
static void say_too_long(struct http_reply_state *st)
{
	static const char text[] =
	    "HTTP/1.1 413 Content Too Large\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 58\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "413: the request body is longer than this server accepts\r\n";

	(void)send(st->fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static enum MHD_Result take_body(
    struct http_reply_state *st, const char *data, size_t *size)
{
	size_t max = st->req.httpd->opt.max_body_bytes;

	if (!st->is_replied) {
		buf_append(&st->body, data, *size);
		if (st->body.overflow)
			httpd_refuse(st, 413,
			    "the request body is longer than this server "
			    "accepts");
	}
	if (st->is_replied) {
		st->n_discarded += *size;
		if (st->n_discarded / DISCARD_FACTOR > max) {
			say_too_long(st);
			return MHD_NO;
		}
	}
	*size = 0;
	return MHD_YES;
}

void httpd_call_request(struct http_reply_state *st)
{
	const struct httpd_callbacks *cb = &st->req.httpd->cb;

	st->req.body = slice_make(buf_view(&st->body), st->body.len);
	st->is_seen = true;
	cb->on_request(&st->req, cb->arg);
}

static enum MHD_Result take_rest(struct http_reply_state *st)
{
	struct httpd *h = st->req.httpd;

	if (st->is_gone)
		return MHD_NO;
	if (!st->is_complete) {
		st->is_complete = true;
		timer_stop(&st->deadline);
		if (!st->is_replied && !httpd_postpone(st))
			httpd_call_request(st);
		if (!st->is_replied)
			timer_start(h->loop, &st->deadline, h->opt.deadline_ms,
			    on_deadline, st);
	}
	if (st->is_replied)
		return st->is_queued ? MHD_YES : httpd_queue(st);
	httpd_suspend(st);
	return MHD_YES;
}

static enum MHD_Result access_handler(void *cls, struct MHD_Connection *conn,
    const char *url, const char *method, const char *version, const char *data,
    size_t *size, void **ctx)
{
	struct http_reply_state *st = *ctx;
	const struct http_line line = { method, url, version };

	(void)cls, (void)conn;
	if (!st)
		return MHD_NO;
	if (!st->has_head)
		return take_head(st, &line);
	if (*size)
		return take_body(st, data, size);
	return take_rest(st);
}

static struct http_reply_state *state_new(
    struct httpd *h, struct MHD_Connection *conn, const char *target)
{
	struct http_reply_state *st = xcalloc(1, sizeof *st);
	const union MHD_ConnectionInfo *info;

	arena_init(&st->req.arena);
	st->req.id = ++h->last_id;
	st->req.httpd = h;
	st->req.state = st;
	st->req.method = "";
	st->req.target = arena_strdup(&st->req.arena, target);
	st->req.path = st->req.target;
	st->req.body = slice_make("", 0);
	st->conn = conn;
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	st->fd = info->connect_fd;
	info =
	    MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	st->conn_link = info->socket_context;
	assert(!st->conn_link->current);
	st->conn_link->current = st;
	st->hangup.fd = -1;
	list_init(&st->unwatched);
	list_init(&st->postponed);
	st->headers_end = &st->headers;
	buf_init(&st->body, h->opt.max_body_bytes);
	list_add_tail(&h->by_id[st->req.id % HTTPD_BUCKETS], &st->link);
	return st;
}

/*
 * The request line is there. The copy taken here is the raw target. Then the
 * query is cut off in libmicrohttpd's own buffer: it would keep one record per
 * parameter in the connection's memory, and answers badly when that runs out.
 */
static void *on_request_line(
    void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct httpd *h = cls;
	struct http_reply_state *st = state_new(h, conn, uri);
	char *query = (char *)(uintptr_t)strchr(uri, '?');

	if (query && query[1])
		query[1] = '\0';
	timer_start(
	    h->loop, &st->deadline, h->opt.deadline_ms, on_deadline, st);
	return st;
}

static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *s)
{
	(void)cls, (void)conn;
	return strlen(s);
}

static void request_end(struct http_reply_state *st)
{
	struct httpd *h = st->req.httpd;

	list_del(&st->unwatched);
	list_del(&st->postponed);
	watch_stop(&st->hangup);
	timer_stop(&st->deadline);
	st->is_gone = true;
	if (st->is_seen && h->cb.on_done)
		h->cb.on_done(
		    &st->req, st->is_queued ? st->status : 0, h->cb.arg);
	st->conn_link->current = NULL;
	list_del(&st->link);
	if (st->response)
		MHD_destroy_response(st->response);
	buf_fini(&st->body);
	buf_fini(&st->queue);
	arena_fini(&st->req.arena);
	free(st);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **ctx,
    enum MHD_RequestTerminationCode code)
{
	struct http_reply_state *st = *ctx;

	(void)cls;
	if (!st)
		return;
	*ctx = NULL;
	if (code == MHD_REQUEST_TERMINATED_WITH_ERROR && !st->is_gone)
		st->conn_link->must_linger = true;
	/*
	 * A stream that was cut leaves a connection that is closed but not
	 * released before its idle timeout, because no event comes for it any
	 * more. Those with a timeout of their own are looked at in each run.
	 */
	if (st->is_stream && st->is_gone)
		(void)MHD_set_connection_option(
		    conn, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
	request_end(st);
}

static void connection_begin(
    struct httpd *h, struct MHD_Connection *conn, void **socket_context)
{
	const union MHD_ConnectionInfo *info;
	struct http_link *l = xcalloc(1, sizeof *l);

	h->n_connections++;
	*socket_context = l;
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	l->fd = info->connect_fd;
	info =
	    MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	httpd_peer_text(info->client_addr, l->peer, sizeof l->peer);
	httpd_crowd_enter(h, l, info->client_addr);
}

static void on_connection(void *cls, struct MHD_Connection *conn,
    void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct httpd *h = cls;
	struct http_link *l;
	char byte;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_begin(h, conn, socket_context);
		return;
	}
	l = *socket_context;
	httpd_crowd_leave(h, l);
	/* A connection that dies within a head ends without on_completed. */
	if (l->current) {
		l->current->conn = NULL;
		request_end(l->current);
	}
	if (h->n_connections-- == httpd_most_connections(h))
		httpd_has_room(h);
	if (!h->is_closing &&
	    (l->must_linger ||
		recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0))
		httpd_linger(h, l->fd);
	free(l);
	*socket_context = NULL;
}

/* ---- life of the server ------------------------------------------------- */

static void on_daemon_log(void *cls, const char *fmt, va_list ap)
{
	char text[256];

	(void)cls;
	if (!log_wants(LOG_DEBUG))
		return;
	(void)vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\r\n")] = '\0';
	log_debug(NULL, "http server", "says=\"%s\"", text);
}

static void options_fill(struct httpd *h, const struct httpd_options *opt)
{
	struct httpd_options *o = &h->opt;

	if (opt)
		*o = *opt;
	if (!o->max_connections)
		o->max_connections = DEFAULT_CONNECTIONS;
	if (!o->max_head_bytes)
		o->max_head_bytes = DEFAULT_HEAD_BYTES;
	if (!o->max_body_bytes)
		o->max_body_bytes = DEFAULT_BODY_BYTES;
	if (!o->idle_timeout_s)
		o->idle_timeout_s = DEFAULT_IDLE_S;
	if (!o->deadline_ms)
		o->deadline_ms = DEFAULT_DEADLINE_MS;
	if (!o->turn_us)
		o->turn_us = DEFAULT_TURN_US;
	h->server_name = o->server_name ? xstrdup(o->server_name) : NULL;
	o->server_name = h->server_name;
}

/* The logger comes first: options are read in order, and errors use it. */
static struct MHD_Daemon *daemon_start(struct httpd *h)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
				    MHD_USE_ERROR_LOG |
				    MHD_USE_NO_LISTEN_SOCKET,
	    0, NULL, NULL, access_handler, h, MHD_OPTION_EXTERNAL_LOGGER,
	    on_daemon_log, h, MHD_OPTION_CONNECTION_LIMIT,
	    httpd_most_connections(h), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    POOL_BYTES(h->opt.max_head_bytes), MHD_OPTION_CONNECTION_TIMEOUT,
	    h->opt.idle_timeout_s, MHD_OPTION_URI_LOG_CALLBACK, on_request_line,
	    h, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, h,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
}

struct httpd *httpd_open(struct loop *l, int listen_fd,
    const struct httpd_options *opt, const struct httpd_callbacks *cb,
    struct err *err)
{
	struct httpd *h = xcalloc(1, sizeof *h);
	const union MHD_DaemonInfo *info;

	assert(cb->on_request);
	h->loop = l;
	h->cb = *cb;
	h->watch.fd = -1;
	list_init(&h->lingering);
	list_init(&h->unwatched);
	list_init(&h->postponed);
	crowd_init(&h->crowd);
	for (size_t i = 0; i < HTTPD_BUCKETS; i++)
		list_init(&h->by_id[i]);
	options_fill(h, opt);
	h->daemon = daemon_start(h);
	if (!h->daemon) {
		err_sys(err, "start the HTTP server");
		fd_close(&listen_fd);
		httpd_close(&h);
		return NULL;
	}
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (watch_start(
		l, &h->watch, info->epoll_fd, EPOLLIN, on_ready, h, err)) {
		fd_close(&listen_fd);
		httpd_close(&h);
		return NULL;
	}
	if (listen_fd >= 0 && httpd_listen(h, listen_fd, err) != 0) {
		httpd_close(&h);
		return NULL;
	}
	httpd_run_soon(h);
	return h;
}

int httpd_add(struct httpd *h, int fd, const struct sockaddr *peer,
    socklen_t len, struct err *err)
{
	/* It takes fd, when it fails too. */
	if (MHD_add_connection(h->daemon, fd, peer, len) != MHD_YES)
		return err_sys(err, "serve a connection");
	httpd_run_soon(h);
	return 0;
}

void httpd_quiesce(struct httpd *h)
{
	if (h->is_quiesced)
		return;
	h->is_quiesced = true;
	httpd_unlisten(h);
}

/* libmicrohttpd ends the process when a connection is still suspended. */
static void resume_all(struct httpd *h)
{
	for (size_t i = 0; i < HTTPD_BUCKETS; i++) {
		list_for_each (it, &h->by_id[i]) {
			struct http_reply_state *st =
			    LIST_ITEM(it, struct http_reply_state, link);

			if (st->is_suspended)
				MHD_resume_connection(st->conn);
		}
	}
}

void httpd_close(struct httpd **hp)
{
	struct httpd *h = *hp;

	if (!h)
		return;
	assert(!h->is_running);
	*hp = NULL;
	h->is_closing = true;
	watch_stop(&h->watch);
	httpd_unlisten(h);
	timer_stop(&h->timer);
	timer_stop(&h->watch_later);
	defer_cancel(&h->run_later);
	defer_cancel(&h->begin_later);
	if (h->daemon) {
		resume_all(h);
		MHD_stop_daemon(h->daemon);
	}
	for (size_t i = 0; i < HTTPD_BUCKETS; i++)
		assert(list_empty(&h->by_id[i]));
	httpd_linger_end_all(h);
	crowd_fini(&h->crowd);
	free(h->server_name);
	free(h);
}

size_t httpd_connections(const struct httpd *h)
{
	return h->n_connections;
}

struct http_req *httpd_find(struct httpd *h, uint64_t id)
{
	list_for_each (it, &h->by_id[id % HTTPD_BUCKETS]) {
		struct http_reply_state *st =
		    LIST_ITEM(it, struct http_reply_state, link);

		if (st->req.id == id)
			return st->is_gone ? NULL : &st->req;
	}
	return NULL;
}
