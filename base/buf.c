/*
 * One growable, bounded byte buffer: see buf.h. After an overflow nothing more
 * is appended, so that the content is never a text with a hole in it.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAP 64

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

static void grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > 0 ? b->cap : FIRST_CAP;

	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max)
		cap = b->max;
	b->data = xreallocarray(b->data, cap + 1, 1);
	b->cap = cap;
	b->data[b->len] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
	if (b->overflow || n > b->max - b->len) {
		b->overflow = true;
		return NULL;
	}
	if (b->data == NULL || n > b->cap - b->len)
		grow(b, b->len + n);
	return b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->len);
	if (b->data == NULL)
		return;
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	char *at = buf_reserve(b, n);

	if (at == NULL || n == 0)
		return;
	memcpy(at, p, n);
	buf_commit(b, n);
}

void buf_char(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_str(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_slice(struct buf *b, struct slice s)
{
	buf_append(b, s.p, s.len);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->data != NULL ? b->cap - b->len + 1 : 0;
	va_list again;
	int n;

	if (b->overflow)
		return;
	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		/* Take the half-written text back before anything else. */
		if (room > 0)
			b->data[b->len] = '\0';
		if (buf_reserve(b, (size_t)n) == NULL)
			goto out;
		n = vsnprintf(
		    b->data + b->len, b->cap - b->len + 1, fmt, again);
		assert(n >= 0);
	}
	buf_commit(b, (size_t)n);
out:
	va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

const char *buf_view(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *buf_steal(struct buf *b)
{
	char *s = b->data != NULL ? b->data : xstrdup("");

	b->data = NULL;
	b->len = b->cap = 0;
	return s;
}
