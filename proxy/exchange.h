/*
 * One request and its answer: from the parsed head over route and upstream to
 * the last byte. Owns the upstream connection while it lasts, holds references
 * to its route and activity cell, and buffers nothing: a direction whose
 * receiver is slow is not read.
 */
#ifndef CARREL_PROXY_EXCHANGE_H
#define CARREL_PROXY_EXCHANGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/httphead.h"
#include "proxy/frame.h"
#include "proxy/limit.h"
#include "proxy/metrics.h"
#include "proxy/upstream.h"

struct conn;
struct error_job;
struct route;
struct worker;

enum exchange_state {
	EXCHANGE_REFUSED, /* is to be answered with an error */
	EXCHANGE_CONNECT, /* waits for a connection to the target */
	EXCHANGE_HEAD,    /* waits for the head of the answer */
	EXCHANGE_BODY,    /* passes the body of the answer on */
	EXCHANGE_PAGE,    /* waits for an error page */
};

struct exchange {
	struct conn *conn;
	struct worker *worker;
	struct route *route; /* counted; NULL: none was found */
	struct upstream *up;
	struct upstream_wait wait;
	enum exchange_state state;
	struct frame request, response;
	struct buf sent; /* what went to the target, for a retry */
	struct buf line; /* method, target and Host of the request */
	size_t method_len, target_len, host_len;
	struct error_job *page;     /* the error page that is on its way */
	uint64_t n_bytes;           /* not yet in the cell */
	int64_t up_ms;              /* last byte from or to the target */
	int64_t silence_ms;         /* that the target may keep; 0: any */
	int64_t begin_ms;           /* the head was read */
	uint64_t n_out;             /* of the body, to the client */
	struct in6_addr client;     /* who asks, with has_client */
	struct limit_ticket ticket; /* of a client behind a front end */
	int64_t touch_ms;           /* last look at the activity cell */
	int status;                 /* of the answer */
	enum metrics_reason reason; /* why it fails */
	const char *why;
	uint8_t minor; /* the client's HTTP/1.minor */
	uint8_t n_interim;
	bool is_head, is_upgrade, is_idempotent;
	bool has_client;      /* it is known who asks */
	bool client_keeps;    /* the client wants to go on afterwards */
	bool said_keep_alive; /* ... and said so in words */
	bool request_done;    /* the target has the whole request */
	bool can_retry;       /* `sent` holds all that went */
	bool was_retried;
	bool up_keeps;    /* the target lets the connection open */
	bool keep;        /* the client's connection goes on */
	bool re_chunks;   /* the client gets chunks */
	bool head_is_out; /* the client has the head of the answer */
};

struct slice exchange_method(const struct exchange *ex);
struct slice exchange_target(const struct exchange *ex);
struct slice exchange_host(const struct exchange *ex);

/* A head was read; text is its bytes. The conn becomes busy. */
void exchange_begin(
    struct conn *c, const struct http_head *h, struct slice text);
/*
 * Go on; true: something moved, call again. At the end of the exchange the
 * state of the conn says how it goes on.
 */
bool exchange_pump(struct exchange *ex);
/* Release everything; the conn forgets it. */
void exchange_free(struct exchange *ex);
/* When it has to be looked at again (INT64_MAX: never). */
int64_t exchange_deadline(const struct exchange *ex);
/* The deadline passed. */
void exchange_expire(struct exchange *ex);

/* ---- for answer.c and error.c -------------------------------------------- */

/* n bytes passed: activity of the route, told to its cell once a second. */
void exchange_touch(struct exchange *ex, size_t n);
/* Try once more on a fresh connection. */
void exchange_retry(struct exchange *ex);
/*
 * Answer with an error (contract/proxy.md 8): from memory, a file, or the
 * error target. The head of the answer must not be out yet.
 */
void exchange_fail(struct exchange *ex, int status, enum metrics_reason reason,
    const char *why);
/* The page of exchange_fail is there: fields are lines with CRLF. */
void exchange_answer(struct exchange *ex, const char *type, struct slice fields,
    struct slice body);

#endif
