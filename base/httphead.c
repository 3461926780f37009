/*
 * The strict parser of HTTP/1.x heads: see httphead.h.
 */
#include "base/httphead.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

/* Classes of bytes (bits of the table below). */
#define IN_TOKEN  1u  /* tchar, RFC 9110 5.6.2 */
#define IN_VALUE  2u  /* field value: visible, SP, HTAB */
#define IS_BLANK  4u  /* SP, HTAB */
#define IN_TARGET 8u  /* request target: visible, no '#' */
#define IN_HOST   16u /* Host field: RFC 3986 without ',', '@', '/' */

/* ASCII, 16 to a row; bytes from 0x80 on are IN_VALUE and IN_TARGET. */
/* clang-format off */
static const unsigned char ascii[128] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	6, 27, 10, 3, 27, 27, 27, 27, 26, 26, 27, 27, 10, 27, 27, 10,
	27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 26, 26, 10, 26, 10, 10,
	10, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27,
	27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 26, 10, 26, 11, 27,
	11, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27,
	27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 27, 10, 11, 10, 27, 0,
};
/* clang-format on */

static inline unsigned class_of(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 128 ? ascii[u] : IN_VALUE | IN_TARGET;
}

static bool all_in(struct slice s, unsigned class)
{
	for (size_t i = 0; i < s.len; i++)
		if ((class_of(s.p[i]) & class) == 0)
			return false;
	return true;
}

bool httphead_is_token(struct slice s)
{
	return s.len > 0 && all_in(s, IN_TOKEN);
}

bool httphead_is_host(struct slice s)
{
	return all_in(s, IN_HOST);
}

static int refuse(struct http_refusal *why, int status, const char *text)
{
	*why = (struct http_refusal){ .status = status, .why = text };
	return -1;
}

/* ---- the end of the head ------------------------------------------------- */

static enum httphead_state bad(
    struct http_refusal *why, int status, const char *text)
{
	(void)refuse(why, status, text);
	return HTTPHEAD_BAD;
}

enum httphead_state httphead_scan(struct httphead_scan *s, const char *p,
    size_t len, size_t *head_len, struct http_refusal *why)
{
	size_t limit = len < HTTPHEAD_MAX_BYTES ? len : HTTPHEAD_MAX_BYTES;

	if (len > 0 && (class_of(p[0]) & IN_TOKEN) == 0)
		return bad(why, 400, "the message does not begin with a word");
	while (s->at < limit) {
		const char *nl = memchr(p + s->at, '\n', limit - s->at);
		size_t end;

		if (nl == NULL)
			break;
		end = (size_t)(nl - p);
		if (end == s->line || p[end - 1] != '\r')
			return bad(why, 400, "a line ends without CR");
		s->at = end + 1;
		if (end - 1 == s->line) {
			*head_len = s->at;
			return HTTPHEAD_DONE;
		}
		s->line = s->at;
	}
	s->at = limit;
	if (len >= HTTPHEAD_MAX_BYTES)
		return bad(why, 431, "the head is longer than 64 KiB");
	return HTTPHEAD_MORE;
}

/* ---- lines --------------------------------------------------------------- */

struct reader {
	const char *p, *end;
};

/* The next line without its CRLF; the scan made sure that each has one. */
static bool next_line(struct reader *r, struct slice *line)
{
	const char *nl;

	if (r->p >= r->end)
		return false;
	nl = memchr(r->p, '\n', (size_t)(r->end - r->p));
	if (nl == NULL || nl == r->p || nl[-1] != '\r')
		return false;
	*line = slice_make(r->p, (size_t)(nl - 1 - r->p));
	r->p = nl + 1;
	return true;
}

struct known {
	const char *name;
	enum http_field_id id;
};

/* By length, so that most fields cost one comparison of numbers. */
static const struct known known_fields[] = {
	{ "te", HTTP_TE },
	{ "date", HTTP_DATE },
	{ "host", HTTP_HOST },
	{ "expect", HTTP_EXPECT },
	{ "trailer", HTTP_TRAILER },
	{ "upgrade", HTTP_UPGRADE },
	{ "location", HTTP_LOCATION },
	{ "x-scheme", HTTP_X_SCHEME },
	{ "forwarded", HTTP_FORWARDED },
	{ "x-real-ip", HTTP_X_REAL_IP },
	{ "connection", HTTP_CONNECTION },
	{ "keep-alive", HTTP_KEEP_ALIVE },
	{ "content-length", HTTP_CONTENT_LENGTH },
	{ "x-forwarded-for", HTTP_X_FORWARDED_FOR },
	{ "proxy-connection", HTTP_PROXY_CONNECTION },
	{ "x-forwarded-host", HTTP_X_FORWARDED_HOST },
	{ "x-forwarded-port", HTTP_X_FORWARDED_PORT },
	{ "transfer-encoding", HTTP_TRANSFER_ENCODING },
	{ "x-forwarded-proto", HTTP_X_FORWARDED_PROTO },
	{ "proxy-authenticate", HTTP_PROXY_AUTHENTICATE },
	{ "proxy-authorization", HTTP_PROXY_AUTHORIZATION },
};

static enum http_field_id identify(struct slice name)
{
	/* first[n]: where the names of n bytes begin in the table above */
	static const unsigned char first[24] = { 0, 0, 0, 1, 1, 3, 3, 4, 6, 8,
		10, 12, 12, 12, 12, 13, 14, 17, 19, 20, 21, 21, 21, 21 };
	size_t n = name.len;

	if (n < 23)
		for (size_t i = first[n]; i < first[n + 1]; i++)
			if (strncasecmp(known_fields[i].name, name.p, n) == 0)
				return known_fields[i].id;
	if (n > 12 && strncasecmp(name.p, "x-forwarded-", 12) == 0)
		return HTTP_X_FORWARDED_OTHER;
	return HTTP_OTHER;
}

static int parse_field(
    struct slice line, struct http_field *f, struct http_refusal *why)
{
	size_t n = 0;

	if ((class_of(line.p[0]) & IS_BLANK) != 0)
		return refuse(why, 400, "a field is folded over two lines");
	while (n < line.len && (class_of(line.p[n]) & IN_TOKEN) != 0)
		n++;
	if (n == 0 || n == line.len || line.p[n] != ':')
		return refuse(why, 400, "a field has no proper name");
	f->name = slice_make(line.p, n);
	f->value = slice_trim(slice_make(line.p + n + 1, line.len - n - 1));
	if (!all_in(f->value, IN_VALUE))
		return refuse(why, 400, "a field has a control byte");
	f->id = identify(f->name);
	return 0;
}

/* ---- what single fields say ---------------------------------------------- */

static int read_length(
    struct http_head *h, struct slice v, struct http_refusal *why)
{
	struct err err;

	if (h->has_length)
		return refuse(why, 400, "Content-Length is given twice");
	if (num_slice_u64(v, &h->content_length, &err) < 0 ||
	    h->content_length > INT64_MAX)
		return refuse(why, 400, "Content-Length is no number");
	h->has_length = true;
	return 0;
}

static int read_coding(
    struct http_head *h, struct slice v, struct http_refusal *why)
{
	if (h->body == HTTP_BODY_CHUNKED)
		return refuse(why, 400, "Transfer-Encoding is given twice");
	if (!slice_ieq(v, "chunked"))
		return refuse(
		    why, 400, "Transfer-Encoding is other than chunked");
	if (h->minor == 0)
		return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
	h->body = HTTP_BODY_CHUNKED;
	return 0;
}

static int read_host(
    struct http_head *h, struct slice v, struct http_refusal *why)
{
	if (h->has_host)
		return refuse(why, 400, "Host is given twice");
	if (!httphead_is_host(v))
		return refuse(why, 400, "Host is no host name");
	h->host = v;
	h->has_host = true;
	return 0;
}

static void read_connection(struct http_head *h, struct slice v)
{
	struct slice word;

	while (slice_split(&v, ',', &word)) {
		word = slice_trim(word);
		if (slice_ieq(word, "close"))
			h->named |= HTTP_NAMED_CLOSE;
		else if (slice_ieq(word, "keep-alive"))
			h->named |= HTTP_NAMED_KEEP_ALIVE;
		else if (slice_ieq(word, "upgrade"))
			h->named |= HTTP_NAMED_UPGRADE;
		else if (word.len > 0)
			h->named |= HTTP_NAMED_OTHER;
	}
}

static void read_te(struct http_head *h, struct slice v)
{
	struct slice word;

	while (slice_split(&v, ',', &word))
		if (slice_ieq(slice_trim(word), "trailers"))
			h->accepts_trailers = true;
}

static int note_field(struct http_head *h, const struct http_field *f,
    bool is_request, struct http_refusal *why)
{
	if (f->id == HTTP_OTHER)
		return 0;
	if (f->id == HTTP_CONTENT_LENGTH)
		return read_length(h, f->value, why);
	if (f->id == HTTP_TRANSFER_ENCODING)
		return read_coding(h, f->value, why);
	if (f->id == HTTP_HOST && is_request)
		return read_host(h, f->value, why);
	if (f->id == HTTP_CONNECTION)
		read_connection(h, f->value);
	if (f->id == HTTP_UPGRADE)
		h->upgrade = f->value;
	if (f->id == HTTP_TE)
		read_te(h, f->value);
	if (f->id == HTTP_EXPECT && slice_ieq(f->value, "100-continue"))
		h->expects_continue = true;
	return 0;
}

static int parse_fields(struct reader *r, struct http_head *h, bool is_request,
    struct http_refusal *why)
{
	struct slice line;

	while (next_line(r, &line) && line.len > 0) {
		struct http_field *f = &h->fields[h->n_fields];

		if (h->n_fields == HTTPHEAD_MAX_FIELDS)
			return refuse(
			    why, 431, "the head has more than 256 fields");
		if (parse_field(line, f, why) < 0 ||
		    note_field(h, f, is_request, why) < 0)
			return -1;
		h->n_fields++;
	}
	if (r->p != r->end || r->end[-2] != '\r' || r->end[-1] != '\n')
		return refuse(why, 400, "a line ends without CR");
	if (h->has_length && h->body == HTTP_BODY_CHUNKED)
		return refuse(why, 400,
		    "Content-Length and Transfer-Encoding contradict");
	if (h->has_length)
		h->body = HTTP_BODY_LENGTH;
	return 0;
}

/* All but the fields, whose 10 KiB need no clearing. */
static void head_init(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
}

/* ---- requests ------------------------------------------------------------ */

/* Is it "HTTP/" DIGIT "." DIGIT, and one of 1.0 and 1.1? */
static int parse_version(
    struct slice s, struct http_head *h, struct http_refusal *why)
{
	if (s.len != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.' ||
	    s.p[5] < '0' || s.p[5] > '9' || s.p[7] < '0' || s.p[7] > '9')
		return refuse(why, 400, "the first line has no HTTP version");
	if (s.p[5] != '1' || s.p[7] > '1')
		return refuse(why, 505, "only HTTP/1.0 and HTTP/1.1 are known");
	h->minor = s.p[7] - '0';
	return 0;
}

static int parse_request_line(
    struct slice line, struct http_head *h, struct http_refusal *why)
{
	size_t m = 0, t;

	while (m < line.len && (class_of(line.p[m]) & IN_TOKEN) != 0)
		m++;
	if (m == 0 || m == line.len || line.p[m] != ' ')
		return refuse(why, 400, "the request has no proper method");
	t = m + 1;
	while (t < line.len && (class_of(line.p[t]) & IN_TARGET) != 0)
		t++;
	if (t == m + 1 || t == line.len || line.p[t] != ' ')
		return refuse(why, 400, "the request has no proper target");
	h->method = slice_make(line.p, m);
	h->target = slice_make(line.p + m + 1, t - m - 1);
	return parse_version(
	    slice_make(line.p + t + 1, line.len - t - 1), h, why);
}

int httphead_parse_request(
    const char *p, size_t len, struct http_head *out, struct http_refusal *why)
{
	struct reader r = { .p = p, .end = p + len };
	struct slice line;

	head_init(out);
	if (!next_line(&r, &line) || line.len == 0)
		return refuse(why, 400, "the request has no first line");
	if (parse_request_line(line, out, why) < 0 ||
	    parse_fields(&r, out, true, why) < 0)
		return -1;
	if (out->minor == 1 && !out->has_host)
		return refuse(why, 400, "an HTTP/1.1 request needs a Host");
	return 0;
}

/* ---- responses ----------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int parse_status_line(
    struct slice line, struct http_head *h, struct http_refusal *why)
{
	const char *p = line.p;

	if (line.len < 12 || p[8] != ' ' || !is_digit(p[9]) ||
	    !is_digit(p[10]) || !is_digit(p[11]) || p[9] == '0' ||
	    (line.len > 12 && p[12] != ' '))
		return refuse(why, 400, "the response has no status line");
	h->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	if (line.len > 13)
		h->reason = slice_make(p + 13, line.len - 13);
	if (!all_in(h->reason, IN_VALUE))
		return refuse(why, 400, "the reason has a control byte");
	return parse_version(slice_make(p, 8), h, why);
}

int httphead_parse_response(
    const char *p, size_t len, struct http_head *out, struct http_refusal *why)
{
	struct reader r = { .p = p, .end = p + len };
	struct slice line;

	head_init(out);
	if (!next_line(&r, &line))
		return refuse(why, 400, "the response has no first line");
	if (parse_status_line(line, out, why) < 0)
		return -1;
	return parse_fields(&r, out, false, why);
}

/* ---- trailers ------------------------------------------------------------ */

static bool may_trail(const struct http_field *f)
{
	static const char *const never[] = { "authorization", "cache-control",
		"content-encoding", "content-range", "content-type", "cookie",
		"max-forwards", "range", "set-cookie" };

	if (f->id != HTTP_OTHER && f->id != HTTP_DATE)
		return false;
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		if (slice_ieq(f->name, never[i]))
			return false;
	return true;
}

int httphead_parse_trailers(
    const char *p, size_t len, struct http_head *out, struct http_refusal *why)
{
	struct reader r = { .p = p, .end = p + len };
	struct slice line;

	head_init(out);
	while (next_line(&r, &line) && line.len > 0) {
		struct http_field *f = &out->fields[out->n_fields];

		if (out->n_fields == HTTPHEAD_MAX_FIELDS)
			return refuse(why, 431, "there are too many trailers");
		if (parse_field(line, f, why) < 0)
			return -1;
		if (!may_trail(f))
			return refuse(why, 400,
			    "a field that must stand in the head trails");
		out->n_fields++;
	}
	if (r.p != r.end)
		return refuse(why, 400, "the trailers do not end properly");
	return 0;
}

/* ---- questions ----------------------------------------------------------- */

enum http_body httphead_response_body(
    const struct http_head *h, bool request_is_head)
{
	if (request_is_head || h->status < 200 || h->status == 204 ||
	    h->status == 304)
		return HTTP_BODY_NONE;
	if (h->body == HTTP_BODY_NONE)
		return HTTP_BODY_UNTIL_CLOSE;
	return h->body;
}

bool httphead_keeps_alive(const struct http_head *h)
{
	if ((h->named & HTTP_NAMED_CLOSE) != 0)
		return false;
	return h->minor == 1 || (h->named & HTTP_NAMED_KEEP_ALIVE) != 0;
}

bool httphead_names(const struct http_head *h, struct slice name)
{
	for (size_t i = 0; i < h->n_fields; i++) {
		struct slice rest = h->fields[i].value, word;

		if (h->fields[i].id != HTTP_CONNECTION)
			continue;
		while (slice_split(&rest, ',', &word)) {
			word = slice_trim(word);
			if (word.len == name.len &&
			    strncasecmp(word.p, name.p, name.len) == 0)
				return true;
		}
	}
	return false;
}

bool httphead_is_hop_by_hop(
    const struct http_head *h, const struct http_field *f)
{
	switch (f->id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_AUTHENTICATE:
	case HTTP_PROXY_AUTHORIZATION:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TE:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return true;
	case HTTP_HOST:
	case HTTP_CONTENT_LENGTH:
		return false;
	case HTTP_OTHER:
	case HTTP_DATE:
	case HTTP_EXPECT:
	case HTTP_FORWARDED:
	case HTTP_LOCATION:
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
	return (h->named & HTTP_NAMED_OTHER) != 0 && httphead_names(h, f->name);
}

const struct http_field *httphead_find(
    const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_fields; i++)
		if (slice_ieq(h->fields[i].name, name))
			return &h->fields[i];
	return NULL;
}
