/*
 * The application that the tests of base/httpd serve: it does what the path
 * says and notes what it was called with.
 */
#ifndef CARREL_TESTS_UNIT_BASE_HTTPD_APP_H
#define CARREL_TESTS_UNIT_BASE_HTTPD_APP_H

#include "test_util.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/httpd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define WAIT_MS   8000
#define BODY_MAX  65536
#define N_CLIENTS 4
#define TURN_US   200 /* of setup_brief */

struct client {
	int fd;
	struct watch watch;
	struct buf in;
	bool is_eof, is_reset;
};

/* The application under the server: it notes what it was called with. */
struct app {
	struct loop *loop;
	struct httpd *httpd;
	uint16_t port;
	uint64_t late_id; /* the last request that was left unanswered */
	int n_requests, n_done, last_status;
	char order[N_CLIENTS + 1]; /* of "/long?x" */
	bool stream_ok;
	struct client clients[N_CLIENTS];
};

static inline void reply_text(
    struct http_req *req, int status, const char *text)
{
	http_set(req, "Content-Type", "text/plain");
	http_reply(req, status, text, strlen(text));
}

static inline void on_head(struct http_req *req, void *arg)
{
	(void)arg;
	if (str_eq(req->path, "/refuse"))
		reply_text(req, 403, "refused");
}

static inline void reply_echo(struct http_req *req)
{
	const char *x = http_header(req, "X-Test");
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	buf_printf(&b, "%s|%s|%s|%s|%s|%s|%zu|", req->method, req->target,
	    req->path, req->query ? req->query : "(none)", req->peer,
	    x ? x : "(none)", http_header_count(req, "x-test"));
	buf_slice(&b, req->body);
	buf_char(&b, '$');
	http_reply(req, 200, b.data, b.len);
	buf_fini(&b);
}

static inline void fill_stream(struct app *app, struct http_req *req)
{
	char block[4096];

	memset(block, 'x', sizeof block);
	http_stream_begin(req, 200, 65536);
	app->stream_ok = true;
	for (int i = 0; i < 17 && app->stream_ok; i++)
		app->stream_ok = http_stream_write(req, block, sizeof block);
}

static inline void on_request(struct http_req *req, void *arg)
{
	struct app *app = arg;

	app->n_requests++;
	if (str_eq(req->path, "/late")) {
		app->late_id = req->id;
	} else if (str_eq(req->path, "/204")) {
		http_reply(req, 204, "not sent", 8);
	} else if (str_eq(req->path, "/304")) {
		http_set(req, "ETag", "\"e\"");
		http_reply(req, 304, NULL, 0);
	} else if (str_eq(req->path, "/404")) {
		reply_text(req, 404, "nothing here");
	} else if (str_eq(req->path, "/long")) {
		app->order[strlen(app->order)] = *req->query;
		while (loop_turn_us(app->loop) < TURN_US)
			;
		reply_echo(req);
	} else if (str_eq(req->path, "/stream")) {
		app->late_id = req->id;
		http_set(req, "Content-Type", "text/event-stream");
		http_stream_begin(req, 200, 65536);
		(void)http_stream_write(req, "first;", 6);
	} else if (str_eq(req->path, "/flood")) {
		fill_stream(app, req);
	} else {
		reply_echo(req);
	}
}

static inline void on_done(struct http_req *req, int status, void *arg)
{
	struct app *app = arg;

	(void)req;
	app->n_done++;
	app->last_status = status;
}

static const struct httpd_callbacks callbacks = {
	.on_head = on_head,
	.on_request = on_request,
	.on_done = on_done,
};

#endif
