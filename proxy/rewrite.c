/*
 * Heads on their way through: see rewrite.h. Runs of fields that stay are
 * copied in one piece from the head as it came.
 */
#include "proxy/rewrite.h"

#include <string.h>
#include <strings.h>

#include "proxy/config.h"
#include "proxy/route.h"

/* ---- copying runs -------------------------------------------------------- */

struct copier {
	struct buf *out;
	const struct http_head *head;
	const char *end; /* of the last field's line */
	const char *run; /* where the run in hand begins; NULL: none */
};

static const char *line_begin(const struct copier *c, size_t i)
{
	return i < c->head->n_fields ? c->head->fields[i].name.p : c->end;
}

static void keep(struct copier *c, size_t i)
{
	if (c->run == NULL)
		c->run = line_begin(c, i);
}

/* Field i is left out, or something else is written in its place. */
static void cut(struct copier *c, size_t i)
{
	if (c->run != NULL)
		buf_append(c->out, c->run, (size_t)(line_begin(c, i) - c->run));
	c->run = NULL;
}

static void field(struct buf *out, struct slice name, struct slice value)
{
	buf_slice(out, name);
	buf_append(out, ": ", 2);
	buf_slice(out, value);
	buf_append(out, "\r\n", 2);
}

static void field_str(struct buf *out, const char *name, const char *value)
{
	field(out, slice_of(name), slice_of(value));
}

/* ---- request targets ----------------------------------------------------- */

int rewrite_split_target(struct slice target, struct rewrite_target *out)
{
	const char *end = target.p + target.len, *mark;

	*out = (struct rewrite_target){ .path = target };
	if (target.p[0] != '/') {
		if (target.len < 8 || strncasecmp(target.p, "http://", 7) != 0)
			return -1;
		out->authority.p = mark = target.p + 7;
		while (mark < end && *mark != '/' && *mark != '?')
			mark++;
		out->authority.len = (size_t)(mark - out->authority.p);
		if (out->authority.len == 0 ||
		    !httphead_is_host(out->authority))
			return -1;
		out->path = slice_make(mark, (size_t)(end - mark));
	}
	mark =
	    out->path.len > 0 ? memchr(out->path.p, '?', out->path.len) : NULL;
	if (mark == NULL)
		mark = end;
	out->query = slice_make(mark, (size_t)(end - mark));
	out->path.len = (size_t)(mark - out->path.p);
	if (out->path.len == 0)
		out->path = slice_make("/", 1);
	return 0;
}

/* The request's own path: the whole, or what is behind the prefix. */
static void own_path(struct buf *out, const struct rewrite_request *r)
{
	struct slice rest = r->rest;

	if (r->config->include_prefix) {
		buf_slice(out, r->split.path);
		return;
	}
	/* An escaped slash divided prefix and rest */
	if (rest.len >= 3 && rest.p[0] == '%') {
		buf_char(out, '/');
		rest = slice_make(rest.p + 3, rest.len - 3);
	}
	buf_slice(out, rest);
}

static void write_path(struct buf *out, const struct rewrite_request *r)
{
	const struct target *t = r->target;
	bool prepends = r->config->prepend_path;
	size_t begin = out->len;

	if (prepends && (r->config->include_prefix || r->rest.len > 0))
		buf_slice(out, t->path);
	else if (prepends)
		buf_slice(out, t->whole_path);
	own_path(out, r);
	if (out->len == begin)
		buf_char(out, '/');
	if (!prepends || t->query.len == 0) {
		buf_slice(out, r->split.query);
		return;
	}
	buf_char(out, '?');
	buf_slice(out, t->query);
	if (r->split.query.len > 1) {
		buf_char(out, '&');
		buf_append(out, r->split.query.p + 1, r->split.query.len - 1);
	}
}

/* ---- requests ------------------------------------------------------------ */

static bool is_custom(const struct config *c, struct slice name)
{
	for (size_t i = 0; i < c->custom_headers.n; i++)
		if (slice_ieq(name, c->custom_headers.items[i].name))
			return true;
	return false;
}

/* "8000" of "host:8000", else the scheme's port. */
static struct slice host_port(struct slice host, bool is_secure)
{
	for (size_t i = host.len; i > 0; i--) {
		char c = host.p[i - 1];

		if (c == ':' && i < host.len)
			return slice_make(host.p + i, host.len - i);
		if (c < '0' || c > '9')
			break;
	}
	return slice_of(is_secure ? "443" : "80");
}

static struct slice forwarded_scheme(const struct rewrite_request *r)
{
	if (r->is_secure)
		return slice_of(r->is_upgrade ? "wss" : "https");
	return slice_of(r->is_upgrade ? "ws" : "http");
}

static struct slice forwarded_value(
    const struct rewrite_request *r, enum http_field_id id)
{
	if (id == HTTP_X_FORWARDED_FOR)
		return slice_of(r->peer);
	if (id == HTTP_X_FORWARDED_PORT)
		return host_port(r->host, r->is_secure);
	if (id == HTTP_X_FORWARDED_PROTO)
		return forwarded_scheme(r);
	return r->is_upgrade ? slice_make(NULL, 0) : r->host;
}

static bool is_last_of_its_kind(const struct http_head *h, size_t i)
{
	for (size_t j = i + 1; j < h->n_fields; j++)
		if (h->fields[j].id == h->fields[i].id)
			return false;
	return true;
}

/* A forwarded field of a trusted peer: our own value is added to it. */
static void extend_forwarded(
    struct copier *c, const struct rewrite_request *r, size_t i)
{
	const struct http_field *f = &r->head->fields[i];
	struct slice ours = forwarded_value(r, f->id);

	if (f->id == HTTP_X_FORWARDED_HOST || ours.len == 0 ||
	    !is_last_of_its_kind(r->head, i)) {
		keep(c, i);
		return;
	}
	cut(c, i);
	buf_slice(c->out, f->name);
	buf_append(c->out, ": ", 2);
	buf_slice(c->out, f->value);
	if (f->value.len > 0)
		buf_char(c->out, ',');
	buf_slice(c->out, ours);
	buf_append(c->out, "\r\n", 2);
}

static void write_host(
    struct copier *c, const struct rewrite_request *r, size_t i)
{
	const struct http_field *f = &r->head->fields[i];
	/* A unix socket has no name that a Host could say. */
	bool is_changed =
	    r->config->change_origin && r->target->socket_path == NULL;
	struct slice value =
	    is_changed ? slice_of(r->target->authority) : r->host;

	if (value.p == f->value.p) {
		keep(c, i);
		return;
	}
	cut(c, i);
	field(c->out, f->name, value);
}

/* Fields that say where a request comes from. */
static bool is_origin_field(enum http_field_id id)
{
	return id == HTTP_FORWARDED || id == HTTP_X_FORWARDED_FOR ||
	       id == HTTP_X_FORWARDED_HOST || id == HTTP_X_FORWARDED_PORT ||
	       id == HTTP_X_FORWARDED_PROTO || id == HTTP_X_FORWARDED_OTHER ||
	       id == HTTP_X_REAL_IP || id == HTTP_X_SCHEME;
}

/* Those of them that the proxy says itself. */
static bool is_said_by_us(enum http_field_id id)
{
	return id == HTTP_X_FORWARDED_FOR || id == HTTP_X_FORWARDED_HOST ||
	       id == HTTP_X_FORWARDED_PORT || id == HTTP_X_FORWARDED_PROTO;
}

static bool request_field_stays(
    const struct rewrite_request *r, const struct http_field *f)
{
	if (f->id == HTTP_TRANSFER_ENCODING)
		return true;
	if (f->id == HTTP_UPGRADE)
		return r->is_upgrade;
	if (is_origin_field(f->id) && !r->peer_is_trusted)
		return false;
	return !httphead_is_hop_by_hop(r->head, f);
}

static void request_field(
    struct copier *c, const struct rewrite_request *r, size_t i)
{
	const struct http_field *f = &r->head->fields[i];

	if (f->id == HTTP_HOST)
		write_host(c, r, i);
	else if (is_said_by_us(f->id) && r->peer_is_trusted &&
		 r->config->x_forward)
		extend_forwarded(c, r, i);
	else if (request_field_stays(r, f))
		keep(c, i);
	else
		cut(c, i);
}

static bool has(const struct http_head *h, enum http_field_id id)
{
	for (size_t i = 0; i < h->n_fields; i++)
		if (h->fields[i].id == id)
			return true;
	return false;
}

static void add_forwarded(struct buf *out, const struct rewrite_request *r)
{
	static const struct {
		enum http_field_id id;
		const char *name;
	} fields[] = {
		{ HTTP_X_FORWARDED_FOR, "X-Forwarded-For" },
		{ HTTP_X_FORWARDED_PORT, "X-Forwarded-Port" },
		{ HTTP_X_FORWARDED_PROTO, "X-Forwarded-Proto" },
		{ HTTP_X_FORWARDED_HOST, "X-Forwarded-Host" },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct slice value = forwarded_value(r, fields[i].id);

		if (value.len == 0 ||
		    is_custom(r->config, slice_of(fields[i].name)))
			continue;
		if (!r->peer_is_trusted || !has(r->head, fields[i].id))
			field(out, slice_of(fields[i].name), value);
	}
}

static void add_request_fields(struct buf *out, const struct rewrite_request *r)
{
	const struct config_headers *custom = &r->config->custom_headers;

	if (!r->head->has_host && !is_custom(r->config, slice_of("Host")))
		field_str(out, "Host", r->target->authority);
	if (r->is_upgrade)
		field_str(out, "Connection", "Upgrade");
	else if (r->head->accepts_trailers)
		buf_str(out, "TE: trailers\r\nConnection: TE\r\n");
	if (r->config->x_forward)
		add_forwarded(out, r);
	for (size_t i = 0; i < custom->n; i++)
		field_str(out, custom->items[i].name, custom->items[i].value);
}

void rewrite_request(struct buf *out, const struct rewrite_request *r)
{
	struct copier c = {
		.out = out,
		.head = r->head,
		.end = r->text.p + r->text.len - 2,
	};

	buf_slice(out, r->head->method);
	buf_char(out, ' ');
	write_path(out, r);
	buf_append(out, " HTTP/1.1\r\n", 11);
	for (size_t i = 0; i < r->head->n_fields; i++) {
		if (r->config->custom_headers.n > 0 &&
		    is_custom(r->config, r->head->fields[i].name))
			cut(&c, i);
		else
			request_field(&c, r, i);
	}
	cut(&c, r->head->n_fields);
	add_request_fields(out, r);
	buf_append(out, "\r\n", 2);
}

/* ---- responses ----------------------------------------------------------- */

/* host[:port] of a URL with the scheme's own port left out. */
static struct slice plain_authority(struct slice authority, const char *port)
{
	size_t n = strlen(port);

	if (authority.len > n && authority.p[authority.len - n - 1] == ':' &&
	    memcmp(authority.p + authority.len - n, port, n) == 0)
		authority.len -= n + 1;
	return authority;
}

/* Does this Location lead to the target? Then its parts are given. */
static bool leads_to_target(struct slice location, const struct target *t,
    struct slice *scheme, struct slice *rest)
{
	const char *mark = memmem(location.p, location.len, "://", 3);
	const char *end = location.p + location.len, *at;
	struct slice authority;

	if (mark == NULL || t->socket_path != NULL)
		return false;
	*scheme = slice_make(location.p, (size_t)(mark - location.p));
	if (!slice_ieq(*scheme, "http") && !slice_ieq(*scheme, "https"))
		return false;
	at = mark + 3;
	while (at < end && *at != '/' && *at != '?' && *at != '#')
		at++;
	authority = slice_make(mark + 3, (size_t)(at - mark - 3));
	*rest = slice_make(at, (size_t)(end - at));
	authority = plain_authority(
	    authority, slice_ieq(*scheme, "https") ? "443" : "80");
	return slice_ieq(authority, t->authority);
}

static bool is_redirect(int status)
{
	return status == 201 || (status >= 301 && status <= 303) ||
	       status == 307 || status == 308;
}

/* true: the field was written anew. */
static bool write_location(
    struct copier *c, const struct rewrite_response *r, size_t i)
{
	const struct http_field *f = &r->head->fields[i];
	struct slice scheme, rest;

	if ((!r->config->auto_rewrite && r->config->protocol_rewrite == NULL) ||
	    !is_redirect(r->head->status) ||
	    !leads_to_target(f->value, r->target, &scheme, &rest))
		return false;
	cut(c, i);
	buf_slice(c->out, f->name);
	buf_append(c->out, ": ", 2);
	if (r->config->protocol_rewrite != NULL)
		scheme = slice_of(r->config->protocol_rewrite);
	buf_slice(c->out, scheme);
	buf_append(c->out, "://", 3);
	if (r->config->auto_rewrite && r->host.len > 0)
		buf_slice(c->out, r->host);
	else
		buf_str(c->out, r->target->authority);
	buf_slice(c->out, rest);
	buf_append(c->out, "\r\n", 2);
	return true;
}

static bool response_field_stays(
    const struct rewrite_response *r, const struct http_field *f)
{
	if (f->id == HTTP_CONTENT_LENGTH)
		return r->keeps_length;
	if (f->id == HTTP_UPGRADE)
		return r->is_upgrade;
	if (f->id == HTTP_TRAILER)
		return r->re_chunks;
	return !httphead_is_hop_by_hop(r->head, f);
}

static void add_response_fields(
    struct buf *out, const struct rewrite_response *r)
{
	if (r->is_interim)
		return;
	if (r->is_upgrade) {
		field_str(out, "Connection", "Upgrade");
		return;
	}
	if (!has(r->head, HTTP_DATE))
		field_str(out, "Date", r->date);
	if (r->re_chunks)
		buf_str(out, "Transfer-Encoding: chunked\r\n");
	if (r->closes)
		buf_str(out, "Connection: close\r\n");
	else if (r->says_keep_alive)
		buf_str(out, "Connection: keep-alive\r\n");
}

void rewrite_response(struct buf *out, const struct rewrite_response *r)
{
	struct copier c = {
		.out = out,
		.head = r->head,
		.end = r->text.p + r->text.len - 2,
	};
	const char digits[] = {
		(char)('0' + r->head->status / 100),
		(char)('0' + r->head->status / 10 % 10),
		(char)('0' + r->head->status % 10),
		' ',
	};

	buf_append(out, "HTTP/1.1 ", 9);
	buf_append(out, digits, sizeof digits);
	buf_slice(out, r->head->reason);
	buf_append(out, "\r\n", 2);
	for (size_t i = 0; i < r->head->n_fields; i++) {
		const struct http_field *f = &r->head->fields[i];

		if (f->id == HTTP_LOCATION && write_location(&c, r, i))
			continue;
		if (response_field_stays(r, f))
			keep(&c, i);
		else
			cut(&c, i);
	}
	cut(&c, r->head->n_fields);
	add_response_fields(out, r);
	buf_append(out, "\r\n", 2);
}
