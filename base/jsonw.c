/*
 * See jsonw.h.
 */
#include "base/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void jsonw_init(struct jsonw *w)
{
	buf_init(&w->buf, JSONW_MAX);
	w->needs_comma = false;
}

void jsonw_fini(struct jsonw *w)
{
	buf_fini(&w->buf);
}

char *jsonw_steal(struct jsonw *w, size_t *len_out)
{
	assert(!w->buf.overflow);
	*len_out = w->buf.len;
	w->needs_comma = false;
	return buf_steal(&w->buf);
}

struct jsonw_mark jsonw_mark(const struct jsonw *w)
{
	return (struct jsonw_mark){ w->buf.len, w->needs_comma };
}

void jsonw_undo(struct jsonw *w, struct jsonw_mark mark)
{
	assert(mark.len <= w->buf.len);
	w->buf.len = mark.len;
	if (w->buf.data != NULL)
		w->buf.data[mark.len] = '\0';
	w->needs_comma = mark.needs_comma;
}

static void separate(struct jsonw *w)
{
	if (w->needs_comma)
		buf_char(&w->buf, ',');
	w->needs_comma = true;
}

void jsonw_open(struct jsonw *w, char bracket)
{
	separate(w);
	buf_char(&w->buf, bracket);
	w->needs_comma = false;
}

void jsonw_close(struct jsonw *w, char bracket)
{
	buf_char(&w->buf, bracket);
	w->needs_comma = true;
}

/* RFC 8259 section 7: what must be escaped, and nothing else. */
static void escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char *const words[] = {
		['\b'] = "\\b",
		['\t'] = "\\t",
		['\n'] = "\\n",
		['\f'] = "\\f",
		['\r'] = "\\r",
		['"'] = "\\\"",
		['\\'] = "\\\\",
	};

	if (c < sizeof words / sizeof words[0] && words[c] != NULL) {
		buf_append(b, words[c], 2);
		return;
	}
	buf_append(b, "\\u00", 4);
	buf_char(b, hex[c >> 4]);
	buf_char(b, hex[c & 15]);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

static void quote(struct buf *b, const char *s, size_t len)
{
	size_t from = 0;

	buf_char(b, '"');
	for (size_t i = 0; i < len; i++) {
		if (is_plain((unsigned char)s[i]))
			continue;
		buf_append(b, s + from, i - from);
		escape(b, (unsigned char)s[i]);
		from = i + 1;
	}
	buf_append(b, s + from, len - from);
	buf_char(b, '"');
}

/* After a name comes its value, without a comma between them. */
static void named(struct jsonw *w)
{
	buf_char(&w->buf, ':');
	w->needs_comma = false;
}

void jsonw_key(struct jsonw *w, const char *word)
{
	separate(w);
	buf_char(&w->buf, '"');
	buf_append(&w->buf, word, strlen(word));
	buf_char(&w->buf, '"');
	named(w);
}

void jsonw_str(struct jsonw *w, const char *s)
{
	separate(w);
	if (s == NULL)
		buf_append(&w->buf, "null", 4);
	else
		quote(&w->buf, s, strlen(s));
}

void jsonw_int(struct jsonw *w, int64_t n)
{
	separate(w);
	buf_printf(&w->buf, "%" PRId64, n);
}

void jsonw_bool(struct jsonw *w, bool truth)
{
	separate(w);
	if (truth)
		buf_append(&w->buf, "true", 4);
	else
		buf_append(&w->buf, "false", 5);
}

void jsonw_null(struct jsonw *w)
{
	jsonw_str(w, NULL);
}

void jsonw_text(struct jsonw *w, const char *json, size_t len)
{
	separate(w);
	buf_append(&w->buf, json, len);
}

/* jansson knows best how a fraction is written. */
static void put_real(struct jsonw *w, const json_t *value)
{
	char text[64];
	size_t n = json_dumpb(
	    value, text, sizeof text, JSON_COMPACT | JSON_ENCODE_ANY);

	assert(n > 0 && n <= sizeof text);
	separate(w);
	buf_append(&w->buf, text, n);
}

static void put(struct jsonw *w, const json_t *value, int depth);

static void put_object(struct jsonw *w, const json_t *value, int depth)
{
	json_t *object = (json_t *)value, *member;
	const char *key;

	jsonw_open(w, '{');
	json_object_foreach (object, key, member) {
		separate(w);
		quote(&w->buf, key, strlen(key));
		named(w);
		put(w, member, depth + 1);
	}
	jsonw_close(w, '}');
}

static void put_array(struct jsonw *w, const json_t *value, int depth)
{
	const json_t *item;
	size_t i;

	jsonw_open(w, '[');
	json_array_foreach (value, i, item)
		put(w, item, depth + 1);
	jsonw_close(w, ']');
}

static void put(struct jsonw *w, const json_t *value, int depth)
{
	assert(depth < JSONW_DEPTH_MAX);
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(w, value, depth);
		break;
	case JSON_ARRAY:
		put_array(w, value, depth);
		break;
	case JSON_STRING:
		separate(w);
		quote(&w->buf, json_string_value(value),
		    json_string_length(value));
		break;
	case JSON_INTEGER:
		jsonw_int(w, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(w, value);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jsonw_bool(w, json_is_true(value));
		break;
	case JSON_NULL:
		jsonw_null(w);
		break;
	}
}

void jsonw_value(struct jsonw *w, const json_t *value)
{
	put(w, value, 0);
}
