/*
 * HTTP server for REST APIs and pages: libmicrohttpd with its epoll descriptor
 * nested in our loop, on the same thread. Raw targets and all methods survive.
 *
 * Life of a request: `on_head` (optional) sees the head and may answer at once,
 * then the body is not read; `on_request` gets the complete, bounded body and
 * answers now or later, exactly once, by http_reply* or a stream. The request
 * object lives until the answer is sent or the client has left; `on_done` is
 * its last call. A request that nobody answers in deadline_ms gets 503.
 */
#ifndef CARREL_BASE_HTTPD_H
#define CARREL_BASE_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct httpd;
struct http_reply_state;

struct http_req {
	uint64_t id;        /* unique in this process, for logs and look-ups */
	const char *method; /* as sent */
	const char *target; /* raw */
	const char *path;   /* raw, up to '?' */
	const char *query;  /* raw, after '?'; NULL if there is none */
	struct slice body;  /* complete; valid until the reply is sent */
	char peer[64];      /* numeric address, "" for a unix socket */
	struct arena arena; /* freed with the request */
	struct httpd *httpd;
	void *user; /* the application's own state of this request */
	struct http_reply_state *state;
};

struct httpd_callbacks {
	/* May be NULL. Answering here refuses the body. */
	void (*on_head)(struct http_req *req, void *arg);
	void (*on_request)(struct http_req *req, void *arg);
	/* May be NULL. status 0: the client left before an answer; one that
	 * shuts its sending side while it waits counts as having left. */
	void (*on_done)(struct http_req *req, int status, void *arg);
	void *arg;
};

struct httpd_options {
	unsigned max_connections; /* 0: 4096 */
	size_t max_head_bytes;    /* 0: 16 KiB; longer is 431 */
	size_t max_body_bytes;    /* 0: 1 MiB; longer is 413 */
	unsigned idle_timeout_s;  /* 0: 75 */
	int64_t deadline_ms;      /* 0: 120000 */
	/* Once a turn of the loop has taken so long, requests that are
	 * complete wait for the next turn. 0: 3 ms */
	int64_t turn_us;
	/* For answers that are mostly there in no time: only a request that has
	 * waited so long is watched for its client's hang-up, which saves two
	 * system calls for each of the others. 0: all are, at once. */
	int64_t watch_after_ms;
	/* Many accounts can connect. When all max_connections are taken, the
	 * newest of whoever has the most is refused (base/crowd.h); else what
	 * comes has to wait. */
	bool is_shared;
	const char *server_name; /* the Server: header; NULL: none */
};

/* Takes listen_fd (stream, unix or TCP); -1: httpd_add brings connections. */
struct httpd *httpd_open(struct loop *l, int listen_fd,
    const struct httpd_options *opt, const struct httpd_callbacks *cb,
    struct err *err);
/* Serve a connection that somebody else has accepted. Takes fd, which need not
 * be a socket of the peer's family. */
int httpd_add(struct httpd *h, int fd, const struct sockaddr *peer,
    socklen_t len, struct err *err) MUST_CHECK;
/* Accept here, instead of at the socket of before. Takes listen_fd. */
int httpd_listen(struct httpd *h, int listen_fd, struct err *err) MUST_CHECK;
/* No new connections; running answers go on. */
void httpd_quiesce(struct httpd *h);
/* Closes everything; each open request gets its on_done. */
void httpd_close(struct httpd **h);
size_t httpd_connections(const struct httpd *h);

/* First header of that name, case folded; NULL if absent. */
const char *http_header(const struct http_req *req, const char *name);
size_t http_header_count(const struct http_req *req, const char *name);

/* A header of the answer; repeated names repeat. CR, LF, NUL: assertion. */
void http_set(struct http_req *req, const char *name, const char *value);
/* In the place of all of that name; an empty value: none is sent. */
void http_replace(struct http_req *req, const char *name, const char *value);
/* Answer; the body is copied. HEAD and 204/304 send no body; with 304, give the
 * one that 200 would have: its length is sent. */
void http_reply(struct http_req *req, int status, const void *body, size_t len);
/* The same with a malloc'ed body that is taken. */
void http_reply_take(struct http_req *req, int status, char *body, size_t len);
bool http_replied(const struct http_req *req);
/* On a listener of unix sockets: the account at the other end, as the kernel
 * knows it. */
int http_peer_uid(
    const struct http_req *req, uid_t *uid_out, struct err *err) MUST_CHECK;
/* Look up a request across an asynchronous border; NULL when it is gone. */
struct http_req *httpd_find(struct httpd *h, uint64_t id);

/*
 * A body of unknown length (server-sent events). write: copied, queued up to
 * max_queue bytes; false when the client is too slow or has left (the stream
 * is then ended by the server and on_done will come).
 */
void http_stream_begin(struct http_req *req, int status, size_t max_queue);
bool http_stream_write(struct http_req *req, const void *p, size_t n);
void http_stream_end(struct http_req *req);

#endif
