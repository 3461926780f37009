/*
 * Heads of HTTP/1.x messages: one strict, zero-copy parser for requests and
 * responses (RFC 9112). What two parsers could read in two ways is refused:
 * bare LF, folded lines, blanks before a colon, control bytes, repeated or
 * listed Content-Length, Content-Length beside Transfer-Encoding, codings other
 * than one "chunked", two Hosts.
 *
 * httphead_scan finds the end of a head while bytes come in (O(n) in total);
 * the parsers then read the whole head once. Slices point into the caller's
 * bytes and live as long as these.
 */
#ifndef CARREL_BASE_HTTPHEAD_H
#define CARREL_BASE_HTTPHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define HTTPHEAD_MAX_BYTES  65536
#define HTTPHEAD_MAX_FIELDS 256

/* Fields that somebody has to recognise; all others are HTTP_OTHER. */
enum http_field_id {
	HTTP_OTHER,
	HTTP_CONNECTION,
	HTTP_CONTENT_LENGTH,
	HTTP_DATE,
	HTTP_EXPECT,
	HTTP_FORWARDED,
	HTTP_HOST,
	HTTP_KEEP_ALIVE,
	HTTP_LOCATION,
	HTTP_PROXY_AUTHENTICATE,
	HTTP_PROXY_AUTHORIZATION,
	HTTP_PROXY_CONNECTION,
	HTTP_TE,
	HTTP_TRAILER,
	HTTP_TRANSFER_ENCODING,
	HTTP_UPGRADE,
	HTTP_X_FORWARDED_FOR,
	HTTP_X_FORWARDED_HOST,
	HTTP_X_FORWARDED_PORT,
	HTTP_X_FORWARDED_PROTO,
	HTTP_X_FORWARDED_OTHER,
	HTTP_X_REAL_IP,
	HTTP_X_SCHEME,
};

struct http_field {
	struct slice name, value; /* value without blanks around it */
	enum http_field_id id;
};

enum http_body {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

/* What the Connection fields named (bits). */
#define HTTP_NAMED_CLOSE      1u
#define HTTP_NAMED_KEEP_ALIVE 2u
#define HTTP_NAMED_UPGRADE    4u
#define HTTP_NAMED_OTHER      8u

struct http_head {
	struct slice method, target; /* requests */
	struct slice reason;         /* responses; may be empty */
	int status;                  /* responses */
	int minor;                   /* HTTP/1.minor: 0 or 1 */
	enum http_body body;         /* responses: see httphead_response_body */
	uint64_t content_length;
	bool has_length;
	unsigned named;
	bool has_host;
	struct slice host;    /* as sent; checked */
	struct slice upgrade; /* last Upgrade field; empty if none */
	bool expects_continue;
	bool accepts_trailers; /* TE: trailers */
	size_t n_fields;
	struct http_field fields[HTTPHEAD_MAX_FIELDS];
};

/* Why a head is refused: the status that says it and a constant text. */
struct http_refusal {
	int status; /* 400, 431, 505 */
	const char *why;
};

struct httphead_scan {
	size_t line; /* where the line in hand begins */
	size_t at;   /* up to here there is no newline */
};

enum httphead_state { HTTPHEAD_MORE, HTTPHEAD_DONE, HTTPHEAD_BAD };

/*
 * p[0..len) begins with the head and grows between calls; *s is zero at first.
 * DONE: the head with its empty line has *head_len bytes. BAD: *why.
 */
enum httphead_state httphead_scan(struct httphead_scan *s, const char *p,
    size_t len, size_t *head_len, struct http_refusal *why);

/* p[0..len) is exactly one head, as httphead_scan found it. 0, or -1: *why. */
int httphead_parse_request(const char *p, size_t len, struct http_head *out,
    struct http_refusal *why) MUST_CHECK;
int httphead_parse_response(const char *p, size_t len, struct http_head *out,
    struct http_refusal *why) MUST_CHECK;
/*
 * Field lines alone (trailers), each ended by CRLF. Fields of framing, routing
 * and connection (RFC 9110 6.5.1) are refused.
 */
int httphead_parse_trailers(const char *p, size_t len, struct http_head *out,
    struct http_refusal *why) MUST_CHECK;

/* The framing of a response to this kind of request (RFC 9112 6.3). */
enum http_body httphead_response_body(
    const struct http_head *h, bool request_is_head);
/* Does the message allow another one on its connection? */
bool httphead_keeps_alive(const struct http_head *h);
/* Is `name` listed in a Connection field? */
bool httphead_names(const struct http_head *h, struct slice name);
/* Belongs to one connection only and is never forwarded. */
bool httphead_is_hop_by_hop(
    const struct http_head *h, const struct http_field *f);
/* The first field of that name; NULL if there is none. */
const struct http_field *httphead_find(
    const struct http_head *h, const char *name);
bool httphead_is_token(struct slice s);
/* host[:port] as it may stand in a Host field; "" too. */
bool httphead_is_host(struct slice s);

#endif
