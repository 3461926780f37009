/*
 * Heads between HTTP/2 and HTTP/1.1: see h2_head.h.
 */
#include "proxy/h2_head.h"

#include <string.h>

/* Of a pseudo-header field, or the Cookie: a head's own bound. */
#define PART_MAX HTTPHEAD_MAX_BYTES

/* ---- checks -------------------------------------------------------------- */

static bool is_lower_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return httphead_is_token(s);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9113 8.2.1, and no control byte at all besides the tab. */
static bool is_value(struct slice v)
{
	if (v.len > 0 && (is_blank(v.p[0]) || is_blank(v.p[v.len - 1])))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Fields that belong to an HTTP/1.1 connection (RFC 9113 8.2.2). */
static bool is_of_connection(struct slice name)
{
	static const char *const names[] = { "connection", "keep-alive",
		"proxy-connection", "transfer-encoding", "upgrade" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_eq(name, names[i]))
			return true;
	return false;
}

static int say(struct http_refusal *why, int status, const char *text)
{
	*why = (struct http_refusal){ .status = status, .why = text };
	return -1;
}

/* The first thing that is wrong is the reason. */
static void refuse(struct h2_request *r, int status, const char *text)
{
	if (r->why.status == 0)
		(void)say(&r->why, status, text);
}

/* ---- collecting ---------------------------------------------------------- */

void h2_request_init(struct h2_request *r)
{
	*r = (struct h2_request){ .n_lines = 0 };
	for (size_t i = 0; i < H2_N_PSEUDO; i++)
		buf_init(&r->pseudo[i], PART_MAX);
	buf_init(&r->lines, PART_MAX);
	buf_init(&r->cookie, PART_MAX);
	buf_init(&r->host, PART_MAX);
}

void h2_request_fini(struct h2_request *r)
{
	for (size_t i = 0; i < H2_N_PSEUDO; i++)
		buf_fini(&r->pseudo[i]);
	buf_fini(&r->lines);
	buf_fini(&r->cookie);
	buf_fini(&r->host);
}

static void add_pseudo(
    struct h2_request *r, struct slice name, struct slice value)
{
	static const char *const names[H2_N_PSEUDO] = {
		[H2_METHOD] = ":method",
		[H2_SCHEME] = ":scheme",
		[H2_AUTHORITY] = ":authority",
		[H2_PATH] = ":path",
		[H2_PROTOCOL] = ":protocol",
	};

	for (size_t i = 0; i < H2_N_PSEUDO; i++) {
		if (!slice_eq(name, names[i]))
			continue;
		if (r->has[i] || r->n_lines > 0 || r->has_host)
			refuse(r, 400, "a pseudo-header field has no place");
		r->has[i] = true;
		buf_slice(&r->pseudo[i], value);
		return;
	}
	refuse(r, 400, "a pseudo-header field is not known");
}

static void add_line(struct buf *lines, struct slice name, struct slice value)
{
	buf_slice(lines, name);
	buf_append(lines, ": ", 2);
	buf_slice(lines, value);
	buf_append(lines, "\r\n", 2);
}

/* Browsers cut it into pieces, for HPACK (RFC 9113 8.2.3). */
static void add_cookie(struct h2_request *r, struct slice value)
{
	if (r->has_cookie)
		buf_append(&r->cookie, "; ", 2);
	else
		r->n_lines++;
	r->has_cookie = true;
	buf_slice(&r->cookie, value);
}

static void add_host(struct h2_request *r, struct slice value)
{
	if (r->has_host)
		refuse(r, 400, "Host is given twice");
	r->has_host = true;
	buf_slice(&r->host, value);
}

static void add_field(
    struct h2_request *r, struct slice name, struct slice value)
{
	if (!is_lower_token(name)) {
		refuse(r, 400, "a field has no proper name");
	} else if (!is_value(value)) {
		refuse(r, 400, "a field has a value with a control byte");
	} else if (is_of_connection(name)) {
		refuse(r, 400, "a field belongs to HTTP/1.1 alone");
	} else if (slice_eq(name, "te") && !slice_ieq(value, "trailers")) {
		refuse(r, 400, "TE is other than trailers");
	} else if (slice_eq(name, "host")) {
		add_host(r, value);
	} else if (slice_eq(name, "cookie")) {
		add_cookie(r, value);
	} else if (!slice_eq(name, "sec-websocket-key") ||
		   !r->has[H2_PROTOCOL]) {
		r->has_length =
		    r->has_length || slice_eq(name, "content-length");
		r->n_lines++;
		add_line(&r->lines, name, value);
	}
}

void h2_request_add(struct h2_request *r, struct slice name, struct slice value)
{
	/* As the limit that we offer is counted (RFC 9113 6.5.2). */
	r->n_bytes += name.len + value.len + 32;
	if (r->n_bytes > HTTPHEAD_MAX_BYTES)
		refuse(r, 431, "the head is longer than 64 KiB");
	if (r->n_lines > HTTPHEAD_MAX_FIELDS)
		refuse(r, 431, "the head has more than 256 fields");
	if (r->why.status != 0)
		return;
	if (name.len > 0 && name.p[0] == ':')
		add_pseudo(r, name, value);
	else
		add_field(r, name, value);
}

bool h2_request_is_tunnel(const struct h2_request *r)
{
	return r->has[H2_PROTOCOL];
}

/* ---- writing ------------------------------------------------------------- */

static struct slice part(const struct buf *b)
{
	return slice_make(buf_view(b), b->len);
}

static struct slice host_of(const struct h2_request *r)
{
	return part(r->has[H2_AUTHORITY] ? &r->pseudo[H2_AUTHORITY] : &r->host);
}

static int check_host(const struct h2_request *r, struct http_refusal *why)
{
	struct slice host = host_of(r);

	if (host.len == 0 || !httphead_is_host(host))
		return say(why, 400, "the request names no proper host");
	if (r->has[H2_AUTHORITY] && r->has_host &&
	    !slice_ieq(host, buf_view(&r->host)))
		return say(why, 400, ":authority and Host differ");
	return 0;
}

static int check_tunnel(const struct h2_request *r, struct http_refusal *why)
{
	if (!slice_eq(part(&r->pseudo[H2_METHOD]), "CONNECT"))
		return say(why, 400, ":protocol needs the method CONNECT");
	if (!slice_eq(part(&r->pseudo[H2_PROTOCOL]), "websocket"))
		return say(why, 501, ":protocol is other than websocket");
	if (r->has_length)
		return say(why, 400, "a tunnel has no length");
	return 0;
}

/* What each pseudo-header field has to be (RFC 9113 8.3.1). */
static int check_line(const struct h2_request *r, struct http_refusal *why)
{
	struct slice method = part(&r->pseudo[H2_METHOD]);
	struct slice path = part(&r->pseudo[H2_PATH]);
	bool is_star = slice_eq(path, "*") && slice_eq(method, "OPTIONS");

	if (!httphead_is_token(method))
		return say(why, 400, ":method is no word");
	if (slice_eq(method, "CONNECT") && !h2_request_is_tunnel(r))
		return say(why, 400, "CONNECT is not served");
	if (!slice_eq(part(&r->pseudo[H2_SCHEME]), "https"))
		return say(why, 400, ":scheme is other than https");
	if (!is_star && (path.len == 0 || path.p[0] != '/'))
		return say(why, 400, ":path does not begin with a slash");
	return 0;
}

static bool may_want_length(struct slice method)
{
	return slice_eq(method, "POST") || slice_eq(method, "PUT") ||
	       slice_eq(method, "PATCH");
}

/* Lines for the body's framing, or for the handshake. Returns how many. */
static size_t write_framing(
    struct buf *out, const struct h2_request *r, bool ended, const char *key)
{
	if (h2_request_is_tunnel(r)) {
		buf_printf(out,
		    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Key: %s\r\n",
		    key);
		return 3;
	}
	if (r->has_length)
		return 0;
	if (!ended)
		buf_str(out, "Transfer-Encoding: chunked\r\n");
	else if (may_want_length(part(&r->pseudo[H2_METHOD])))
		buf_str(out, "Content-Length: 0\r\n");
	else
		return 0;
	return 1;
}

/* Returns how many lines there are behind the first one. */
static size_t write_text(struct buf *out, const struct h2_request *r,
    struct slice method, bool ended, const char *key)
{
	size_t n = 1 + r->n_lines;

	buf_slice(out, method);
	buf_char(out, ' ');
	buf_slice(out, part(&r->pseudo[H2_PATH]));
	buf_str(out, " HTTP/1.1\r\n");
	add_line(out, slice_of("Host"), host_of(r));
	buf_slice(out, part(&r->lines));
	if (r->has_cookie)
		add_line(out, slice_of("cookie"), part(&r->cookie));
	n += write_framing(out, r, ended, key);
	buf_str(out, "\r\n");
	return n;
}

int h2_request_finish(const struct h2_request *r, bool ended, const char *key,
    struct buf *out, struct http_head *head, struct http_refusal *why)
{
	bool is_tunnel = h2_request_is_tunnel(r);
	struct slice method =
	    is_tunnel ? slice_of("GET") : part(&r->pseudo[H2_METHOD]);
	size_t n;

	*why = r->why;
	if (why->status != 0 || check_line(r, why) < 0 ||
	    check_host(r, why) < 0 || (is_tunnel && check_tunnel(r, why) < 0))
		return -1;
	buf_reset(out);
	n = write_text(out, r, method, ended, key);
	if (out->overflow)
		return say(why, 431, "the head is longer than 64 KiB");
	if (httphead_parse_request(out->data, out->len, head, why) < 0)
		return -1;
	/* The target must read what the client said, and nothing else. */
	if (head->n_fields != n || !slice_same(head->method, method) ||
	    !slice_same(head->target, part(&r->pseudo[H2_PATH])) ||
	    !slice_same(head->host, host_of(r)))
		return say(why, 400, "the head cannot be said in HTTP/1.1");
	return 0;
}

int h2_trailer_add(struct buf *lines, struct slice name, struct slice value)
{
	if (!is_lower_token(name) || !is_value(value))
		return -1;
	add_line(lines, name, value);
	return lines->overflow ? -1 : 0;
}

/* ---- answers ------------------------------------------------------------- */

static bool goes_to_client(const struct http_field *f, bool tunnel)
{
	switch (f->id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TE:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return false;
	case HTTP_CONTENT_LENGTH:
		return !tunnel;
	case HTTP_OTHER:
		return !tunnel || !slice_ieq(f->name, "sec-websocket-accept");
	case HTTP_DATE:
	case HTTP_EXPECT:
	case HTTP_FORWARDED:
	case HTTP_HOST:
	case HTTP_LOCATION:
	case HTTP_PROXY_AUTHENTICATE:
	case HTTP_PROXY_AUTHORIZATION:
	case HTTP_TRAILER:
	case HTTP_X_FORWARDED_FOR:
	case HTTP_X_FORWARDED_HOST:
	case HTTP_X_FORWARDED_PORT:
	case HTTP_X_FORWARDED_PROTO:
	case HTTP_X_FORWARDED_OTHER:
	case HTTP_X_REAL_IP:
	case HTTP_X_SCHEME:
		break;
	}
	return true;
}

/* nghttp2 copies both when they are submitted. */
static void put(struct h2_fields *out, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	union {
		const char *from;
		uint8_t *to;
	} n = { .from = name }, v = { .from = value };

	out->nv[out->n++] = (nghttp2_nv){
		.name = n.to,
		.value = v.to,
		.namelen = name_len,
		.valuelen = value_len,
	};
}

/* The names lie in `text`, which is the caller's to change. */
static void put_fields(
    struct h2_fields *out, char *text, const struct http_head *h, bool tunnel)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http_field *f = &h->fields[i];
		char *name = text + (f->name.p - text);

		if (!goes_to_client(f, tunnel))
			continue;
		for (size_t k = 0; k < f->name.len; k++)
			if (name[k] >= 'A' && name[k] <= 'Z')
				name[k] = (char)(name[k] - 'A' + 'a');
		put(out, name, f->name.len, f->value.p, f->value.len);
	}
}

int h2_answer_fields(char *text, size_t len, bool tunnel, struct h2_fields *out)
{
	struct http_refusal why;
	struct http_head h;

	out->n = 0;
	if (httphead_parse_response(text, len, &h, &why) < 0)
		return -1;
	memcpy(out->status, tunnel ? "200" : text + 9, sizeof out->status);
	put(out, ":status", 7, out->status, sizeof out->status);
	put_fields(out, text, &h, tunnel);
	return 0;
}

int h2_trailer_fields(char *text, size_t len, struct h2_fields *out)
{
	struct http_refusal why;
	struct http_head h;

	out->n = 0;
	if (httphead_parse_trailers(text, len, &h, &why) < 0)
		return -1;
	put_fields(out, text, &h, false);
	return 0;
}
