/*
 * HTTP server: checks of the request's head that libmicrohttpd leaves out, and
 * access to its headers. Whatever two readers of the same bytes could
 * understand differently is refused (RFC 9112 sections 2.2, 3.2, 5.1, 6.3).
 */
#include "base/httpd_priv.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"

/* What a walk over the headers finds. */
struct scan {
	unsigned n_host, n_length, n_coding;
	bool has_bad_name, is_chunked;
	uint64_t length;
	const char *next; /* where the next line must begin */
	bool is_broken;
};

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *p, size_t n)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z') || (c && strchr(others, c))))
			return false;
	}
	return n > 0;
}

static enum MHD_Result scan_header(void *cls, enum MHD_ValueKind kind,
    const char *name, size_t name_len, const char *value, size_t value_len)
{
	struct scan *s = cls;
	struct slice n = slice_make(name, name_len);

	(void)kind;
	s->is_broken |= name != s->next || !value;
	s->next = value ? value + value_len + 2 : NULL;
	if (!is_token(name, name_len)) {
		s->has_bad_name = true;
	} else if (slice_ieq(n, "Host")) {
		s->n_host++;
	} else if (slice_ieq(n, "Content-Length")) {
		s->n_length++;
		s->length = value ? strtoull(value, NULL, 10) : 0;
	} else if (slice_ieq(n, "Transfer-Encoding")) {
		s->n_coding++;
		s->is_chunked =
		    slice_ieq(slice_make(value, value_len), "chunked");
	}
	return MHD_YES;
}

static int refuse(int status, const char *why, const char **why_out)
{
	*why_out = why;
	return status;
}

/* Origin form, "*", or the path inside the absolute form (RFC 9112 3.2). */
static int split_target(struct http_reply_state *st)
{
	struct http_req *req = &st->req;
	const char *path = req->target;
	const char *query;

	if (str_has_control(path, strlen(path)) || strchr(path, ' '))
		return -1;
	if (str_starts(path, "http://") || str_starts(path, "https://")) {
		path = strstr(path, "://") + 3;
		path += strcspn(path, "/?");
	}
	query = strchr(path, '?');
	req->query = query ? query + 1 : NULL;
	req->path =
	    query ? arena_strndup(&req->arena, path, (size_t)(query - path))
		  : path;
	if (*req->path == '\0' && path != req->target)
		req->path = "/";
	return *req->path == '/' || str_eq(req->path, "*") ? 0 : -1;
}

/*
 * libmicrohttpd hands out pointers into the bytes as they came, so the lines
 * must join without a gap: method, one space, target, one space, version, CRLF,
 * each header and its CRLF, CRLF. Whatever it skips or takes in silence breaks
 * the chain: a NUL, a bare LF, a folded line, more spaces, and a line with an
 * empty name, which it takes for the end of the head.
 */
static bool is_contiguous(const struct http_reply_state *st,
    const struct http_line *line, const struct scan *s)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    st->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *end = line->method + info->header_size;

	return !s->is_broken && s->next + 2 == end &&
	       line->url == line->method + strlen(line->method) + 1 &&
	       line->version == line->url + strlen(st->req.target) + 1;
}

static int check_framing(
    const struct scan *s, bool is_1_0, const char **why_out)
{
	if (s->has_bad_name)
		return refuse(
		    400, "a header name has a forbidden character", why_out);
	if (s->n_host > 1 || (s->n_host == 0 && !is_1_0))
		return refuse(400,
		    "the request must have exactly one Host header", why_out);
	if (s->n_length && s->n_coding)
		return refuse(400,
		    "the request has both Content-Length and "
		    "Transfer-Encoding",
		    why_out);
	if (s->n_length > 1 || s->n_coding > 1)
		return refuse(400,
		    "the request says the length of its body more than once",
		    why_out);
	if (s->n_coding && (is_1_0 || !s->is_chunked))
		return refuse(400,
		    "the only Transfer-Encoding accepted is chunked, in "
		    "HTTP/1.1",
		    why_out);
	return 0;
}

static int check_size(
    struct http_reply_state *st, const struct scan *s, const char **why_out)
{
	const struct httpd_options *opt = &st->req.httpd->opt;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    st->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	if (info->header_size > opt->max_head_bytes)
		return refuse(431,
		    "the request's headers are longer than this server accepts",
		    why_out);
	if (s->length > opt->max_body_bytes)
		return refuse(413,
		    "the request body is longer than this server accepts",
		    why_out);
	return 0;
}

int httpd_head_check(struct http_reply_state *st, const struct http_line *line,
    const char **why_out)
{
	struct scan s = { .next = line->version + strlen("HTTP/1.1\r\n") };
	int status;

	st->req.method = arena_strdup(&st->req.arena, line->method);
	(void)MHD_get_connection_values_n(
	    st->conn, MHD_HEADER_KIND, scan_header, &s);
	st->has_body = s.n_coding > 0 || s.length > 0;
	if (!is_contiguous(st, line, &s))
		return refuse(
		    400, "the head of the request is malformed", why_out);
	if (!is_token(line->method, strlen(line->method)))
		return refuse(400, "the method is malformed", why_out);
	if (split_target(st))
		return refuse(400, "the request target is malformed", why_out);
	status = check_framing(&s, str_eq(line->version, "HTTP/1.0"), why_out);
	if (status)
		return status;
	return check_size(st, &s, why_out);
}

/* ---- the peer ----------------------------------------------------------- */

static void put_address(int family, const void *raw, char *out, size_t cap)
{
	if (!inet_ntop(family, raw, out, (socklen_t)cap))
		out[0] = '\0';
}

void httpd_peer_text(const struct sockaddr *sa, char *out, size_t cap)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	out[0] = '\0';
	if (!sa)
		return;
	if (sa->sa_family == AF_INET) {
		memcpy(&in4, sa, sizeof in4);
		put_address(AF_INET, &in4.sin_addr, out, cap);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof in6);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
			put_address(
			    AF_INET, &in6.sin6_addr.s6_addr[12], out, cap);
		else
			put_address(AF_INET6, &in6.sin6_addr, out, cap);
	}
}

/* ---- headers ------------------------------------------------------------ */

/* libmicrohttpd keeps blanks at the end of a value; they are no part of it. */
static const char *trimmed(const struct http_req *req, const char *value)
{
	struct slice s = slice_trim(slice_of(value));

	if (s.p == value && value[s.len] == '\0')
		return value;
	return arena_strndup(&req->state->req.arena, s.p, s.len);
}

const char *http_header(const struct http_req *req, const char *name)
{
	const char *value = NULL;

	if (req->state->conn)
		value = MHD_lookup_connection_value(
		    req->state->conn, MHD_HEADER_KIND, name);
	return value ? trimmed(req, value) : NULL;
}

/* A head is smaller: the connection's pool bounds it. */
#define LIST_MAX ((size_t)1 << 20)

struct joining {
	const char *name;
	size_t n;
	struct buf text;
};

static enum MHD_Result join_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct joining *j = cls;

	(void)kind;
	if (!slice_ieq(slice_of(name), j->name))
		return MHD_YES;
	if (j->n++ > 0)
		buf_str(&j->text, ", ");
	buf_str(&j->text, value ? value : "");
	return MHD_YES;
}

const char *http_header_list(struct http_req *req, const char *name)
{
	struct joining j = { .name = name };
	const char *list = NULL;

	buf_init(&j.text, LIST_MAX);
	if (req->state->conn)
		(void)MHD_get_connection_values(
		    req->state->conn, MHD_HEADER_KIND, join_header, &j);
	assert(!j.text.overflow);
	if (j.n > 0)
		list = arena_strdup(&req->arena, buf_view(&j.text));
	buf_fini(&j.text);
	return list;
}

struct count {
	const char *name;
	size_t n;
};

static enum MHD_Result count_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct count *c = cls;

	(void)kind, (void)value;
	c->n += slice_ieq(slice_of(name), c->name);
	return MHD_YES;
}

size_t http_header_count(const struct http_req *req, const char *name)
{
	struct count c = { .name = name };

	if (req->state->conn)
		(void)MHD_get_connection_values(
		    req->state->conn, MHD_HEADER_KIND, count_header, &c);
	return c.n;
}

int http_peer_uid(const struct http_req *req, uid_t *uid_out, struct err *err)
{
	pid_t pid;

	return sock_peer(req->state->fd, uid_out, &pid, err);
}
