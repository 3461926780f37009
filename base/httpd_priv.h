/*
 * What the parts of the HTTP server share: httpd.c (daemon, connections, life
 * of a request), httpd_head.c (checks of the head), httpd_turn.c (how much a
 * turn answers), httpd_reply.c (answers and streams), httpd_linger.c (closing
 * without losing the answer). Nobody else includes this.
 */
#ifndef CARREL_BASE_HTTPD_PRIV_H
#define CARREL_BASE_HTTPD_PRIV_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crowd.h"
#include "base/httpd.h"
#include "base/list.h"
#include "base/loop.h"

/* Request ids count up, so a plain modulus spreads them evenly. */
#define HTTPD_BUCKETS 512

struct httpd {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct watch watch;
	struct watch listener;
	struct timer pause; /* no descriptor is free for it */
	struct timer timer;
	struct defer run_later;
	struct httpd_options opt;
	struct httpd_callbacks cb;
	char *server_name;
	struct list by_id[HTTPD_BUCKETS];
	struct list lingering;
	struct list unwatched;    /* suspended a moment ago */
	struct timer watch_later; /* runs while there are any */
	struct list postponed;    /* complete, for a later turn */
	struct defer begin_later; /* while there are any */
	struct crowd crowd;       /* if it is shared */
	size_t n_connections, n_lingering;
	uint64_t last_id;
	bool is_running; /* inside MHD_run */
	bool is_quiesced;
	bool is_closing;
};

/* One accepted connection. */
struct http_link {
	struct http_reply_state *current; /* the request on it, or NULL */
	int fd;
	char peer[64]; /* as http_req has it */
	struct crowd_member member;
	bool must_linger; /* the client may still be sending what we refused */
};

/* The request line, in libmicrohttpd's buffer. */
struct http_line {
	const char *method, *url, *version;
};

struct http_set_header {
	struct http_set_header *next;
	const char *name, *value;
};

/*
 * The server's side of a request. Order of events: made with the request line;
 * head (checked, on_head); body; complete (on_request); replied (an answer
 * exists); queued (libmicrohttpd has it); completed (freed).
 */
struct http_reply_state {
	struct http_req req;
	struct list link; /* in httpd.by_id */
	struct MHD_Connection *conn;
	struct http_link *conn_link;
	int fd;
	struct timer deadline;
	struct list unwatched; /* suspended, and `hangup` not yet started */
	struct list postponed; /* suspended, and on_request not yet called */
	struct watch hangup;   /* only while suspended */
	struct buf body;
	uint64_t n_discarded;

	struct http_set_header *headers, **headers_end;
	struct MHD_Response *response; /* NULL: none yet, or queued */
	int status;
	struct buf queue; /* of a stream */

	bool has_head;
	bool has_body; /* announced */
	bool is_seen;  /* the application knows it: on_done will be called */
	bool is_complete;
	bool is_suspended;
	bool is_replied;
	bool is_ours; /* the server's own answer; the application is late */
	bool is_queued;
	bool is_gone; /* the client left, or must be cut off */
	bool is_stream, has_stream_end;
};

/* ---- httpd.c ---- */
/* With those that are about to be refused. */
unsigned httpd_most_connections(const struct httpd *h);
void httpd_run_soon(struct httpd *h);
void httpd_suspend(struct http_reply_state *st);
void httpd_wake(struct http_reply_state *st);
/* End the connection; on_done comes later, from libmicrohttpd. */
void httpd_cut(struct http_reply_state *st);
/* All of it is there. */
void httpd_call_request(struct http_reply_state *st);
/* httpd_turn.c: has this turn no time for it? Then a later one calls
 * on_request. */
bool httpd_postpone(struct http_reply_state *st);

/* ---- httpd_head.c ---- */
/*
 * Strictness that libmicrohttpd lacks. 0: fine; otherwise the status to refuse
 * the request with, and *why_out says why in one line. Fills in method, path,
 * query, has_body.
 */
int httpd_head_check(struct http_reply_state *st, const struct http_line *line,
    const char **why_out);
/* sa may be NULL; out has room for struct http_link's. */
void httpd_peer_text(const struct sockaddr *sa, char *out, size_t cap);

/* ---- httpd_reply.c ---- */
/* The server's own answer: headers of the application are dropped. */
void httpd_refuse(struct http_reply_state *st, int status, const char *why);
/* Hand the answer to libmicrohttpd. */
enum MHD_Result httpd_queue(struct http_reply_state *st);

/* ---- httpd_crowd.c ---- */
/* A connection has come. If there are too many, one is ended. */
void httpd_crowd_enter(
    struct httpd *h, struct http_link *l, const struct sockaddr *peer);
void httpd_crowd_leave(struct httpd *h, struct http_link *l);

/* ---- httpd_listen.c ---- */
void httpd_unlisten(struct httpd *h);
/* A connection has ended where all were taken. */
void httpd_has_room(struct httpd *h);

/* ---- httpd_linger.c ---- */
/* The connection closes; fd stays the caller's. */
void httpd_linger(struct httpd *h, int fd);
void httpd_linger_end_all(struct httpd *h);

#endif
