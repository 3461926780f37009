/*
 * Heads between HTTP/2 and HTTP/1.1 (RFC 9113 8, RFC 8441): a client's fields
 * become the text of an HTTP/1.1 head, the text of an answer's head becomes
 * fields. What is written for a request is read again by the strict parser of
 * base/httphead and has to come out as it went in: nothing of HTTP/2's looser
 * framing gets through to a target (request smuggling by downgrade). Pure.
 */
#ifndef CARREL_PROXY_H2_HEAD_H
#define CARREL_PROXY_H2_HEAD_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/httphead.h"
#include "base/str.h"

/* ---- requests ------------------------------------------------------------ */

enum h2_pseudo {
	H2_METHOD,
	H2_SCHEME,
	H2_AUTHORITY,
	H2_PATH,
	H2_PROTOCOL,
	H2_N_PSEUDO,
};

/* A head that comes in, field by field. */
struct h2_request {
	struct buf pseudo[H2_N_PSEUDO]; /* of those that came */
	bool has[H2_N_PSEUDO];
	struct buf lines;  /* the other fields, as lines with CRLF */
	struct buf cookie; /* the pieces of Cookie, joined */
	struct buf host;   /* a field of that name */
	bool has_host, has_cookie, has_length;
	size_t n_lines;
	size_t n_bytes;          /* of all that came, even when refused */
	struct http_refusal why; /* status 0: nothing was wrong so far */
};

void h2_request_init(struct h2_request *r);
void h2_request_fini(struct h2_request *r);
void h2_request_add(
    struct h2_request *r, struct slice name, struct slice value);
/* An extended CONNECT: a WebSocket is asked for. */
bool h2_request_is_tunnel(const struct h2_request *r);
/*
 * The head is complete: write it to `out` and read it into `head`, which points
 * into it. ended: no body follows. key: for Sec-WebSocket-Key of a tunnel, else
 * NULL. 0, or -1: *why.
 */
int h2_request_finish(const struct h2_request *r, bool ended, const char *key,
    struct buf *out, struct http_head *head,
    struct http_refusal *why) MUST_CHECK;

/* A trailer as a line with CRLF. -1: it is none. */
int h2_trailer_add(
    struct buf *lines, struct slice name, struct slice value) MUST_CHECK;

/* ---- answers ------------------------------------------------------------- */

struct h2_fields {
	nghttp2_nv nv[HTTPHEAD_MAX_FIELDS + 1];
	size_t n;
	char status[3];
};

/*
 * The head of an answer; names in `text` become lower-case, and *out points
 * into it. tunnel: the 101 becomes the 200 of RFC 8441. -1: it is no head.
 */
int h2_answer_fields(
    char *text, size_t len, bool tunnel, struct h2_fields *out) MUST_CHECK;
/* Lines with CRLF behind a body. */
int h2_trailer_fields(char *text, size_t len, struct h2_fields *out) MUST_CHECK;

#endif
