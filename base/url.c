/*
 * URLs, percent coding, query strings and cookies. Parsers here are strict
 * and copy what they return into the caller's arena; messages never repeat a
 * query or a value, because both carry secrets.
 */
#include "base/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "base/num.h"

/* No URL that Carrel handles comes near this; longer ones are refused. */
#define URL_MAX ((size_t)64 << 10)

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* ---- percent coding ----------------------------------------------------- */

static int decode(struct arena *a, struct slice s, bool plus_is_space,
    const char **out, struct err *err)
{
	char *d = arena_alloc(a, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '%') {
			int hi = s.len - i > 2 ? hex_value(s.p[i + 1]) : -1;
			int lo = s.len - i > 2 ? hex_value(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return err_set(err, ERR_INVALID,
				    "broken percent escape at byte %zu: "
				    "'%%' needs two hex digits after it",
				    i);
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		d[n++] = c;
	}
	d[n] = '\0';
	if (!utf8_valid(d, n))
		return err_set(err, ERR_INVALID,
		    "percent-decoded text is not UTF-8 or has a NUL byte");
	*out = d;
	return 0;
}

int url_decode(
    struct arena *a, struct slice s, const char **out, struct err *err)
{
	return decode(a, s, false, out, err);
}

static char *put_escape(char *d, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	*d++ = '%';
	*d++ = digits[c >> 4];
	*d++ = digits[c & 15];
	return d;
}

/* Escape all but the unreserved bytes and those of `keep`. */
static const char *escape(struct arena *a, const char *s, const char *keep)
{
	char *out = arena_array(a, strlen(s) + 1, 3);
	char *d = out;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_unreserved(c) || strchr(keep, *s))
			*d++ = *s;
		else
			d = put_escape(d, c);
	}
	*d = '\0';
	return out;
}

const char *url_escape_segment(struct arena *a, const char *s)
{
	return escape(a, s, "@");
}

const char *url_quote(struct arena *a, const char *s, bool keep_slash)
{
	return escape(a, s, keep_slash ? "/" : "");
}

const char *url_escape_path(struct arena *a, const char *s)
{
	return escape(a, s, "@/");
}

/* ---- joining ------------------------------------------------------------ */

static struct slice strip_slashes(const char *s)
{
	size_t n;

	while (*s == '/')
		s++;
	n = strlen(s);
	while (n && s[n - 1] == '/')
		n--;
	return slice_make(s, n);
}

/* Length needed at most, and the last part that is not empty. */
static size_t join_measure(const char *first, va_list ap, const char **last_out)
{
	size_t cap = 2;

	*last_out = NULL;
	for (const char *p = first; p; p = va_arg(ap, const char *)) {
		cap += strlen(p) + 1;
		if (*p)
			*last_out = p;
	}
	return cap;
}

const char *url_join(struct arena *a, const char *first, ...)
{
	const char *last;
	char *out;
	va_list ap;
	size_t n = 0;

	va_start(ap, first);
	out = arena_alloc(a, join_measure(first, ap, &last) + 1);
	va_end(ap);
	if (!last)
		return out;
	if (*first == '/')
		out[n++] = '/';
	va_start(ap, first);
	for (const char *p = first; p; p = va_arg(ap, const char *)) {
		struct slice s = strip_slashes(p);

		if (!s.len)
			continue;
		if (n && out[n - 1] != '/')
			out[n++] = '/';
		memcpy(out + n, s.p, s.len);
		n += s.len;
	}
	va_end(ap);
	if (last[strlen(last) - 1] == '/' && (n == 0 || out[n - 1] != '/'))
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

/* ---- absolute URLs ------------------------------------------------------ */

static const struct {
	const char *prefix;
	enum url_scheme scheme;
	uint16_t port;
} schemes[] = {
	{ "http://", URL_HTTP, 80 },
	{ "https://", URL_HTTPS, 443 },
	{ "http+unix://", URL_HTTP_UNIX, 0 },
	{ "unix+http://", URL_HTTP_UNIX, 0 },
};

static int parse_scheme(struct slice *rest, struct url *out, struct err *err)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t n = strlen(schemes[i].prefix);

		if (rest->len < n ||
		    !slice_ieq(slice_make(rest->p, n), schemes[i].prefix))
			continue;
		out->scheme = schemes[i].scheme;
		out->port = schemes[i].port;
		*rest = slice_make(rest->p + n, rest->len - n);
		return 0;
	}
	return err_set(err, ERR_INVALID,
	    "the URL must begin with http://, https:// or http+unix://");
}

/* Blanks and control bytes never belong into a URL; a fragment is never sent.
 */
static int check_bytes(const char *text, size_t len, struct err *err)
{
	if (len > URL_MAX)
		return err_set(err, ERR_LIMIT,
		    "the URL is longer than %zu bytes", URL_MAX);
	if (str_has_control(text, len) || memchr(text, ' ', len))
		return err_set(err, ERR_INVALID,
		    "the URL has a blank or a control character");
	if (!utf8_valid(text, len))
		return err_set(err, ERR_INVALID, "the URL is not UTF-8");
	if (memchr(text, '#', len))
		return err_set(err, ERR_INVALID,
		    "the URL has a fragment ('#...'); leave it out");
	return 0;
}

static int parse_port(struct slice s, struct url *out, struct err *err)
{
	uint64_t port;

	if (!s.len)
		return 0;
	if (num_slice_u64(s, &port, NULL) || port == 0 || port > 65535)
		return err_set(err, ERR_INVALID,
		    "the URL's port must be a number from 1 to 65535");
	out->port = (uint16_t)port;
	out->has_port = true;
	return 0;
}

/* What follows the host: nothing, or ':' and the port. */
static int parse_port_part(struct slice s, struct url *out, struct err *err)
{
	if (!s.len)
		return 0;
	if (s.p[0] != ':')
		return err_set(err, ERR_INVALID,
		    "the URL's host must be followed by ':port' or a path");
	return parse_port(slice_make(s.p + 1, s.len - 1), out, err);
}

static int parse_ipv6(
    struct arena *a, struct slice auth, struct url *out, struct err *err)
{
	const char *end = memchr(auth.p, ']', auth.len);
	struct in6_addr addr;
	size_t used;
	char *host;

	if (!end)
		return err_set(err, ERR_INVALID,
		    "the URL's IPv6 address has no closing ']'");
	host = arena_strndup(a, auth.p + 1, (size_t)(end - auth.p - 1));
	if (inet_pton(AF_INET6, host, &addr) != 1)
		return err_set(err, ERR_INVALID,
		    "the URL has no valid IPv6 address between '[' and ']'");
	str_lower_ascii(host);
	out->host = host;
	used = (size_t)(end - auth.p) + 1;
	return parse_port_part(
	    slice_make(auth.p + used, auth.len - used), out, err);
}

static int parse_host(
    struct arena *a, struct slice auth, struct url *out, struct err *err)
{
	size_t n = 0;
	char *host;

	while (n < auth.len && auth.p[n] != ':') {
		unsigned char c = (unsigned char)auth.p[n++];

		if (!is_alnum(c) && c != '-' && c != '.' && c != '_')
			return err_set(err, ERR_INVALID,
			    "the URL's host may have letters, digits, '-', "
			    "'.' and '_' only");
	}
	if (n == 0 || n > 255)
		return err_set(err, ERR_INVALID,
		    n ? "the URL's host is longer than 255 bytes"
		      : "the URL has no host");
	host = arena_strndup(a, auth.p, n);
	str_lower_ascii(host);
	out->host = host;
	return parse_port_part(slice_make(auth.p + n, auth.len - n), out, err);
}

static int parse_socket(
    struct arena *a, struct slice auth, struct url *out, struct err *err)
{
	out->host = "";
	if (url_decode(a, auth, &out->socket_path, err))
		return err_wrap(err, "the URL's socket path");
	if (out->socket_path[0] != '/' || out->socket_path[1] == '\0')
		return err_set(err, ERR_INVALID,
		    "the URL's socket path must be absolute and escaped, as "
		    "in http+unix://%%2Frun%%2Fname.sock/");
	if (str_has_control(out->socket_path, strlen(out->socket_path)))
		return err_set(err, ERR_INVALID,
		    "the URL's socket path has a control character");
	return 0;
}

static int parse_authority(
    struct arena *a, struct slice auth, struct url *out, struct err *err)
{
	if (auth.len && memchr(auth.p, '@', auth.len))
		return err_set(err, ERR_INVALID,
		    "the URL has a user name or password before the host; "
		    "leave it out");
	if (out->scheme == URL_HTTP_UNIX)
		return parse_socket(a, auth, out, err);
	if (auth.len && auth.p[0] == '[')
		return parse_ipv6(a, auth, out, err);
	return parse_host(a, auth, out, err);
}

int url_parse(
    struct arena *a, const char *text, struct url *out, struct err *err)
{
	struct slice rest = slice_of(text);
	const char *path, *query;
	size_t n = 0;

	memset(out, 0, sizeof *out);
	if (check_bytes(text, rest.len, err) || parse_scheme(&rest, out, err))
		return -1;
	while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	if (parse_authority(a, slice_make(rest.p, n), out, err))
		return -1;
	path = rest.p + n;
	query = strchr(path, '?');
	if (*path == '/')
		out->path = query
				? arena_strndup(a, path, (size_t)(query - path))
				: arena_strdup(a, path);
	else
		out->path = "/";
	out->query = query ? arena_strdup(a, query + 1) : NULL;
	return 0;
}

const char *url_origin(struct arena *a, const struct url *u)
{
	const char *scheme = u->scheme == URL_HTTPS ? "https" : "http";
	uint16_t usual = u->scheme == URL_HTTPS ? 443 : 80;
	bool is_v6 = strchr(u->host, ':') != NULL;

	if (u->scheme == URL_HTTP_UNIX)
		return arena_printf(
		    a, "http+unix://%s", url_quote(a, u->socket_path, false));
	if (u->port == usual)
		return arena_printf(
		    a, is_v6 ? "%s://[%s]" : "%s://%s", scheme, u->host);
	return arena_printf(a, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme,
	    u->host, (unsigned)u->port);
}

/* ---- pairs -------------------------------------------------------------- */

static int parse_pair(
    struct arena *a, struct slice part, struct url_pair *out, struct err *err)
{
	struct slice name = part, value = slice_make("", 0);
	const char *eq = memchr(part.p, '=', part.len);

	if (eq) {
		name.len = (size_t)(eq - part.p);
		value = slice_make(eq + 1, part.len - name.len - 1);
	}
	if (decode(a, name, true, &out->name, err) ||
	    decode(a, value, true, &out->value, err))
		return -1;
	return 0;
}

int url_parse_pairs(struct arena *a, struct slice s, size_t max_pairs,
    struct url_pairs *out, struct err *err)
{
	struct slice rest = s, part;
	size_t n = 0;

	memset(out, 0, sizeof *out);
	while (slice_split(&rest, '&', &part))
		n += part.len > 0;
	if (n > max_pairs)
		return err_set(err, ERR_LIMIT,
		    "%zu parameters, at most %zu are accepted", n, max_pairs);
	if (n == 0)
		return 0;
	out->items = arena_array(a, n, sizeof *out->items);
	rest = s;
	while (slice_split(&rest, '&', &part)) {
		if (part.len == 0)
			continue;
		if (parse_pair(a, part, &out->items[out->n], err))
			return err_wrap(err, "parameter %zu", out->n + 1);
		out->n++;
	}
	return 0;
}

const char *url_pair_get(const struct url_pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->items[i].name, name))
			return p->items[i].value;
	return NULL;
}

size_t url_pair_count(const struct url_pairs *p, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += str_eq(p->items[i].name, name);
	return n;
}

static void append_urlencoded(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char escaped[3];

		if (is_unreserved(c)) {
			buf_char(b, *s);
		} else if (c == ' ') {
			buf_char(b, '+');
		} else {
			(void)put_escape(escaped, c);
			buf_append(b, escaped, sizeof escaped);
		}
	}
}

void url_pair_append(struct buf *b, const char *name, const char *value)
{
	if (b->len)
		buf_char(b, '&');
	append_urlencoded(b, name);
	buf_char(b, '=');
	append_urlencoded(b, value);
}

/* ---- cookies ------------------------------------------------------------ */

bool cookie_find(
    struct slice header, const char *name, size_t *pos, struct slice *value_out)
{
	while (*pos < header.len) {
		const char *start = header.p + *pos;
		size_t left = header.len - *pos;
		const char *semi = memchr(start, ';', left);
		size_t n = semi ? (size_t)(semi - start) : left;
		const char *eq = n ? memchr(start, '=', n) : NULL;

		*pos += semi ? n + 1 : n;
		if (!eq || !slice_eq(slice_trim(slice_make(
					 start, (size_t)(eq - start))),
			       name))
			continue;
		*value_out = slice_trim(
		    slice_make(eq + 1, (size_t)(start + n - eq) - 1));
		return true;
	}
	return false;
}
