/*
 * HTTP server: answers and streams. An answer is built at once and handed to
 * libmicrohttpd from its own callback, because only there may it be queued.
 */
#include "base/httpd_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Size of the pieces in which a stream goes to an HTTP/1.0 client. */
#define STREAM_BLOCK 4096

/* ---- headers of the answer ---------------------------------------------- */

static void add_header(
    struct http_reply_state *st, const char *name, const char *value)
{
	struct arena *a = &st->req.arena;
	struct http_set_header *h = arena_alloc(a, sizeof *h);

	h->name = arena_strdup(a, name);
	h->value = arena_strdup(a, value);
	*st->headers_end = h;
	st->headers_end = &h->next;
}

void http_set(struct http_req *req, const char *name, const char *value)
{
	/* These two follow from the body. */
	assert(!slice_ieq(slice_of(name), "Content-Length"));
	assert(!slice_ieq(slice_of(name), "Transfer-Encoding"));
	assert(*name && !strpbrk(name, " \t\r\n:"));
	assert(!strpbrk(value, "\r\n"));
	add_header(req->state, name, value);
}

void http_replace(struct http_req *req, const char *name, const char *value)
{
	struct http_reply_state *st = req->state;

	for (struct http_set_header *h = st->headers; h; h = h->next)
		if (slice_ieq(slice_of(h->name), name))
			h->value = "";
	http_set(req, name, value);
}

static void drop_headers(struct http_reply_state *st)
{
	st->headers = NULL;
	st->headers_end = &st->headers;
}

/* An empty value is the one thing that libmicrohttpd refuses. */
static void put_header(struct MHD_Response *r, const char *n, const char *v)
{
	if (*v && MHD_add_response_header(r, n, v) != MHD_YES)
		assert(!"a header that libmicrohttpd does not accept");
}

static void put_headers(struct http_reply_state *st, struct MHD_Response *r)
{
	const struct httpd *h = st->req.httpd;

	if (h->server_name)
		put_header(r, "Server", h->server_name);
	for (struct http_set_header *s = st->headers; s; s = s->next)
		put_header(r, s->name, s->value);
	if (h->is_quiesced)
		put_header(r, "Connection", "close");
}

/* ---- answers ------------------------------------------------------------ */

/* The request has its answer: on the way with it, now or after the handler. */
static void settle(
    struct http_reply_state *st, int status, struct MHD_Response *response)
{
	if (!response)
		abort();
	put_headers(st, response);
	st->response = response;
	st->status = status;
	st->is_replied = true;
	timer_stop(&st->deadline);
	httpd_wake(st);
}

/* False: the answer comes too late and nobody is there to get it. */
static bool may_reply(struct http_reply_state *st)
{
	if (st->is_gone || st->is_ours)
		return false;
	assert(!st->is_replied);
	return true;
}

void http_reply_take(struct http_req *req, int status, char *body, size_t len)
{
	struct http_reply_state *st = req->state;

	assert(status >= 200 && status <= 599);
	if (!may_reply(st)) {
		free(body);
		return;
	}
	/* The body of a 304 is not sent either, but its length is said. */
	if (status == 204 || !body) {
		free(body);
		body = NULL;
		len = 0;
	}
	settle(st, status,
	    MHD_create_response_from_buffer(len, body,
		body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT));
}

void http_reply(struct http_req *req, int status, const void *body, size_t len)
{
	http_reply_take(req, status, len ? xmemdup(body, len) : NULL, len);
}

void httpd_refuse(struct http_reply_state *st, int status, const char *why)
{
	char *body;

	if (st->is_replied)
		return;
	drop_headers(st);
	add_header(st, "Content-Type", "text/plain; charset=utf-8");
	body = xasprintf("%d: %s\n", status, why);
	http_reply_take(&st->req, status, body, strlen(body));
	st->is_ours = true;
}

bool http_replied(const struct http_req *req)
{
	return req->state->is_replied;
}

enum MHD_Result httpd_queue(struct http_reply_state *st)
{
	struct MHD_Response *response = st->response;
	enum MHD_Result ok;

	st->response = NULL;
	st->is_queued = true;
	ok = MHD_queue_response(st->conn, (unsigned)st->status, response);
	MHD_destroy_response(response);
	if (ok != MHD_YES)
		st->is_queued = false;
	return ok;
}

/* ---- streams ------------------------------------------------------------ */

/* libmicrohttpd asks for more to send. */
static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
	struct http_reply_state *st = cls;
	size_t n = st->queue.len < max ? st->queue.len : max;

	(void)pos;
	if (st->is_gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n) {
		memcpy(out, st->queue.data, n);
		buf_consume(&st->queue, n);
		return (ssize_t)n;
	}
	if (st->has_stream_end)
		return MHD_CONTENT_READER_END_OF_STREAM;
	httpd_suspend(st);
	return 0;
}

void http_stream_begin(struct http_req *req, int status, size_t max_queue)
{
	struct http_reply_state *st = req->state;

	assert(status >= 200 && status <= 599 && status != 204);
	if (!may_reply(st))
		return;
	st->is_stream = true;
	buf_init(&st->queue, max_queue);
	/* libmicrohttpd would send the last chunk in answer to HEAD. */
	if (str_eq(req->method, "HEAD"))
		settle(st, status,
		    MHD_create_response_from_buffer(
			0, NULL, MHD_RESPMEM_PERSISTENT));
	else
		settle(st, status,
		    MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, st, NULL));
}

bool http_stream_write(struct http_req *req, const void *p, size_t n)
{
	struct http_reply_state *st = req->state;

	if (st->is_gone || !st->is_stream)
		return false;
	assert(!st->has_stream_end);
	buf_append(&st->queue, p, n);
	if (st->queue.overflow) {
		httpd_cut(st);
		return false;
	}
	httpd_wake(st);
	return true;
}

void http_stream_end(struct http_req *req)
{
	struct http_reply_state *st = req->state;

	if (!st->is_stream)
		return;
	st->has_stream_end = true;
	httpd_wake(st);
}
