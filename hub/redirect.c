/*
 * The redirect validator. What a browser might read as a host is refused: two
 * slashes in front, backslashes (they become %5C), control bytes (browsers drop
 * tab and newline), anything that does not begin with a slash.
 */
#include "hub/redirect.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/domain.h"

static const char host_chars[] = "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

/* Percent-encode what RFC 3986 allows nowhere, and the backslash. */
static const char *encode(struct arena *a, const char *s)
{
	static const char never[] = " \"<>\\^`{|}";
	struct buf b;

	buf_init(&b, strlen(s) * 3 + 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c <= 0x20 || c >= 0x7f || strchr(never, *s))
			buf_printf(&b, "%%%02X", c);
		else
			buf_char(&b, *s);
	}
	const char *out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

const char *redirect_header(struct arena *a, const char *location)
{
	return encode(a, location);
}

/* Exactly one slash in front, whatever was there. */
static const char *one_slash(struct arena *a, const char *rest)
{
	while (*rest == '/' || *rest == '\\')
		rest++;
	return encode(a, arena_printf(a, "/%s", rest));
}

/* The hub's own address, or with the same port one below it. */
static bool is_ours(struct arena *a, const struct url *u,
    const struct url *ours, const struct config *cfg)
{
	if (strcasecmp(url_origin(a, u), url_origin(a, ours)) == 0)
		return true;
	return u->port == ours->port && cfg && domain_is_below(cfg, u->host);
}

/* "//host..." or "scheme://host...": ours when the origin is. */
static const char *from_absolute(struct arena *a, const char *next,
    const char *public_origin, const struct config *cfg)
{
	const char *slashes = strstr(next, "//");
	const char *host = slashes + 2;
	size_t n_host = strcspn(host, "/?#\\");
	struct url u, ours;
	struct err err;

	if (!public_origin || n_host == 0 || host[n_host] == '\\' ||
	    strspn(host, host_chars) != n_host ||
	    url_parse(a, public_origin, &ours, &err) != 0)
		return NULL;
	const char *text = arena_printf(
	    a, "%.*s//%.*s", (int)(slashes - next), next, (int)n_host, host);
	if (slashes == next)
		text = arena_printf(a, "%s:%s",
		    ours.scheme == URL_HTTPS ? "https" : "http", text);
	if (url_parse(a, text, &u, &err) != 0 || !is_ours(a, &u, &ours, cfg))
		return NULL;
	return one_slash(a, host + n_host);
}

static bool is_absolute(const char *next)
{
	return str_starts(next, "//") || str_starts(next, "http://") ||
	       str_starts(next, "https://");
}

const char *redirect_next(struct arena *a, const char *next,
    const char *public_origin, const struct config *cfg)
{
	size_t len = next ? strlen(next) : 0;

	if (len == 0 || len > REDIRECT_NEXT_MAX || str_has_control(next, len) ||
	    !utf8_valid(next, len))
		return NULL;
	if (is_absolute(next))
		return from_absolute(a, next, public_origin, cfg);
	if (next[0] != '/')
		return NULL;
	return encode(a, next);
}
