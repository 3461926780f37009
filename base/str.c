/*
 * Strings and views: see str.h.
 */
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct slice slice_of(const char *s)
{
	return slice_make(s, s != NULL ? strlen(s) : 0);
}

struct slice slice_make(const char *p, size_t len)
{
	return (struct slice){ .p = p, .len = len };
}

bool slice_eq(struct slice a, const char *b)
{
	return slice_same(a, slice_of(b));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool slice_ieq(struct slice a, const char *b)
{
	if (a.len != strlen(b))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.p[i]) != lower(b[i]))
			return false;
	return true;
}

bool slice_same(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool slice_starts(struct slice a, const char *prefix)
{
	size_t len = strlen(prefix);

	return a.len >= len && (len == 0 || memcmp(a.p, prefix, len) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool slice_split(struct slice *rest, char sep, struct slice *out)
{
	const char *at;

	if (rest->len == 0)
		return false;
	at = memchr(rest->p, sep, rest->len);
	if (at == NULL) {
		*out = *rest;
		*rest = slice_make(rest->p + rest->len, 0);
		return true;
	}
	*out = slice_make(rest->p, (size_t)(at - rest->p));
	*rest = slice_make(at + 1, rest->len - out->len - 1);
	return true;
}

int str_copy(char *dst, size_t cap, const char *src)
{
	return str_copy_slice(dst, cap, slice_of(src));
}

int str_copy_slice(char *dst, size_t cap, struct slice s)
{
	if (cap == 0)
		return -1;
	if (s.len >= cap) {
		dst[0] = '\0';
		return -1;
	}
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}

int str_format(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (cap == 0)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(dst, cap, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap) {
		dst[0] = '\0';
		return -1;
	}
	return 0;
}

bool str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), end = strlen(suffix);

	return len >= end && memcmp(s + len - end, suffix, end) == 0;
}

void str_lower_ascii(char *s)
{
	for (; *s != '\0'; s++)
		*s = lower(*s);
}

/*
 * Length of the well-formed UTF-8 sequence that p begins with, 0 when there is
 * none: the table of RFC 3629 section 4 (no surrogates, no overlong forms).
 */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool utf8_valid(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;

	for (size_t i = 0; i < len;) {
		size_t n = u[i] == 0 ? 0 : utf8_length(u + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

bool str_has_control(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_control((unsigned char)p[i]))
			return true;
	return false;
}

/*
 * Bytes that may be shown as they are from p on; 0: this one may not. U+0080
 * to U+009F are control characters too: terminals obey them.
 */
static size_t printable_length(const unsigned char *p, size_t len)
{
	if (is_control(p[0]) || (len > 1 && p[0] == 0xc2 && p[1] < 0xa0))
		return 0;
	return utf8_length(p, len);
}

/* The text did not fit: end it in dots after the first `keep` bytes. */
static void cut(char *dst, size_t cap, size_t keep)
{
	size_t room = cap - 1 - keep;
	size_t n_dots = room < 3 ? room : 3;

	memset(dst + keep, '.', n_dots);
	dst[keep + n_dots] = '\0';
}

void str_printable(char *dst, size_t cap, const char *src, size_t len)
{
	const unsigned char *u = (const unsigned char *)src;
	size_t out = 0, keep = 0;

	if (cap == 0)
		return;
	for (size_t i = 0; i < len;) {
		size_t n = printable_length(u + i, len - i);
		size_t width = n > 0 ? n : 1;

		if (out + width > cap - 1) {
			cut(dst, cap, keep);
			return;
		}
		if (n > 0)
			memcpy(dst + out, src + i, n);
		else
			dst[out] = '?';
		i += width;
		out += width;
		if (out + 3 <= cap - 1)
			keep = out;
	}
	dst[out] = '\0';
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Words beyond this are no typing errors of each other. */
#define DISTANCE_MAX 127

size_t str_distance(const char *a, const char *b, size_t limit)
{
	size_t a_len = strnlen(a, DISTANCE_MAX + 1);
	size_t b_len = strnlen(b, DISTANCE_MAX + 1);
	size_t row[DISTANCE_MAX + 1];

	if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX)
		return limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t swap = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(swap, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[b_len] <= limit ? row[b_len] : limit + 1;
}

void hex_encode(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(const char *s, unsigned char *out, size_t cap, size_t *n_out)
{
	size_t n = strlen(s) / 2;

	if (strlen(s) % 2 != 0 || n > cap)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(s[2 * i]), low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	*n_out = n;
	return 0;
}

static const char b64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_";

int b64url_encode(const void *p, size_t n, char *out, size_t cap)
{
	const unsigned char *u = p;
	size_t len = n / 3 * 4 + (n % 3 != 0 ? n % 3 + 1 : 0);
	uint32_t acc = 0;
	unsigned n_bits = 0;
	size_t at = 0;

	if (n > SIZE_MAX / 2 || len >= cap) {
		if (cap > 0)
			out[0] = '\0';
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | u[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			out[at++] = b64url_digits[acc >> (n_bits - 6) & 63];
	}
	if (n_bits > 0)
		out[at++] = b64url_digits[acc << (6 - n_bits) & 63];
	out[at] = '\0';
	return 0;
}

static int b64url_digit(char c)
{
	const char *at = c != '\0' ? strchr(b64url_digits, c) : NULL;

	return at != NULL ? (int)(at - b64url_digits) : -1;
}

int b64url_decode(struct slice s, unsigned char *out, size_t cap, size_t *n_out)
{
	uint32_t acc = 0;
	unsigned n_bits = 0;
	size_t at = 0;

	if (s.len % 4 == 1 || s.len / 4 * 3 + s.len % 4 * 3 / 4 > cap)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		int digit = b64url_digit(s.p[i]);

		if (digit < 0)
			return -1;
		acc = acc << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[at++] = (unsigned char)(acc >> n_bits & 255);
		}
	}
	/* Left-over bits that are not zero: two spellings of one value. */
	if ((acc & ((1u << n_bits) - 1)) != 0)
		return -1;
	*n_out = at;
	return 0;
}
