/*
 * Lines of the access log: see access_line.h.
 */
#include "proxy/access_line.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "proxy/rewrite.h"

/* Bytes of the line at most, escapes included. */
#define PATH_MAX_SHOWN   1500
#define NAME_MAX_SHOWN   400
#define METHOD_MAX_SHOWN 40

/* The path without what may hold a secret: "" when the target has none. */
static struct slice path_of(struct slice target)
{
	struct rewrite_target split;

	if (rewrite_split_target(target, &split) < 0)
		return slice_make("", 0);
	return split.path;
}

/*
 * s with quotes, control bytes and all beyond ASCII escaped: of these, `form`
 * and two digits say the number. What does not fit `max` bytes ends in "...".
 */
static void escape(
    struct buf *out, struct slice s, size_t max, const char *form)
{
	size_t end = out->len + max - strlen("...\\u00ff");

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (out->len > end) {
			buf_str(out, "...");
			return;
		}
		if (c == '"' || c == '\\') {
			buf_char(out, '\\');
			buf_char(out, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			buf_printf(out, "%s%02x", form, c);
		} else {
			buf_char(out, (char)c);
		}
	}
}

/* ---- JSON ---------------------------------------------------------------- */

static void member(
    struct buf *out, const char *name, struct slice value, size_t max)
{
	buf_printf(out, ",\"%s\":", name);
	if (value.len == 0) {
		buf_str(out, "null");
		return;
	}
	buf_char(out, '"');
	escape(out, value, max, "\\u00");
	buf_char(out, '"');
}

static struct slice or_empty(const char *s)
{
	return slice_of(s != NULL ? s : "");
}

void access_line_json(struct buf *out, const struct access_entry *e)
{
	char at[CLOCK_ISO_MAX];

	clock_format_iso_ms(e->wall_us, at);
	buf_printf(out, "{\"time\":\"%s\"", at);
	member(out, "client", or_empty(e->client), NAME_MAX_SHOWN);
	member(out, "method", e->method, METHOD_MAX_SHOWN);
	member(out, "path", path_of(e->target), PATH_MAX_SHOWN);
	buf_printf(out,
	    ",\"http\":\"1.%d\",\"tls\":%s,\"upgrade\":%s,\"status\":%d,"
	    "\"bytes\":%llu,\"ms\":%lld",
	    e->minor, e->is_secure ? "true" : "false",
	    e->is_upgrade ? "true" : "false", e->status,
	    (unsigned long long)e->n_bytes, (long long)e->took_ms);
	member(out, "route", or_empty(e->route), NAME_MAX_SHOWN);
	member(out, "target", or_empty(e->origin), NAME_MAX_SHOWN);
	buf_str(out, "}\n");
}

/* ---- combined ------------------------------------------------------------ */

static void text_or_dash(struct buf *out, struct slice s, size_t max)
{
	if (s.len == 0)
		buf_char(out, '-');
	else
		escape(out, s, max, "\\x");
}

void access_line_combined(struct buf *out, const struct access_entry *e)
{
	time_t at = (time_t)(e->wall_us / 1000000);
	char when[40];
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL ||
	    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm) == 0)
		when[0] = '\0';
	text_or_dash(out, or_empty(e->client), NAME_MAX_SHOWN);
	buf_printf(out, " - - [%s] \"", when);
	text_or_dash(out, e->method, METHOD_MAX_SHOWN);
	buf_char(out, ' ');
	text_or_dash(out, path_of(e->target), PATH_MAX_SHOWN);
	buf_printf(out, " HTTP/1.%d\" %d %llu \"-\" \"-\"\n", e->minor,
	    e->status, (unsigned long long)e->n_bytes);
}
