/*
 * See text.h.
 */
#include "hub/cli/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/buf.h"
#include "base/str.h"

/* Invisible, or turning what stands around it: zero-width marks, direction,
 * line separators, byte order marks. */
static bool is_treacherous(wchar_t c)
{
	return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

/* The bytes of one character of a valid text. */
static size_t char_len(const char *s, size_t left, wchar_t *out)
{
	mbstate_t state = { 0 };
	size_t n = mbrtowc(out, s, left, &state);

	return n == 0 || n > left ? 0 : n;
}

static void add_char(struct buf *b, const char *s, size_t n, wchar_t c)
{
	if (iswprint((wint_t)c) && !is_treacherous(c))
		buf_append(b, s, n);
	else
		buf_printf(b, c < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)c);
}

const char *text_clean(struct arena *a, const char *s, enum text_lines lines)
{
	size_t left = strlen(s);
	struct buf b;

	buf_init(&b, 6 * left + 1);
	while (left > 0) {
		wchar_t c;
		size_t n = char_len(s, left, &c);
		if (lines == TEXT_KEEP_LINES && (*s == '\n' || *s == '\t')) {
			n = 1;
			buf_char(&b, *s);
		} else if (n == 0) {
			n = 1;
			buf_printf(&b, "\\x%02x", (unsigned char)*s);
		} else {
			add_char(&b, s, n, c);
		}
		s += n;
		left -= n;
	}
	const char *out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

/* How many bytes fit into `width` columns, and how many columns they have. */
static size_t measure(const char *s, size_t width, size_t *columns_out)
{
	size_t left = strlen(s), at = 0, columns = 0;

	while (left > 0) {
		wchar_t c;
		size_t n = char_len(s + at, left, &c);
		int w = n > 0 ? wcwidth(c) : 1;
		if (n == 0)
			n = 1;
		if (columns + (size_t)(w > 0 ? w : 0) > width)
			break;
		columns += (size_t)(w > 0 ? w : 0);
		at += n;
		left -= n;
	}
	*columns_out = columns;
	return at;
}

size_t text_width(const char *s)
{
	size_t columns;

	(void)measure(s, SIZE_MAX, &columns);
	return columns;
}

const char *text_cut(struct arena *a, const char *s, size_t width)
{
	size_t columns, n;

	if (text_width(s) <= width)
		return s;
	n = measure(s, width > 0 ? width - 1 : 0, &columns);
	return arena_printf(a, "%.*s\u2026", (int)n, s);
}
