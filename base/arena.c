/*
 * Request-life memory: see arena.h. Chunks are bumped through; what is larger
 * than a chunk gets one of its own.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_FIRST ((size_t)2048)
#define CHUNK_MAX   ((size_t)64 * 1024)

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap, used;
	alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){ .head = NULL };
}

void arena_fini(struct arena *a)
{
	while (a->head != NULL) {
		struct arena_chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	a->used_bytes = 0;
}

static struct arena_chunk *chunk_new(size_t cap)
{
	struct arena_chunk *c = xmalloc(sizeof *c + cap);

	c->next = NULL;
	c->cap = cap;
	c->used = 0;
	return c;
}

/* A fresh head twice the size of the last, or a private chunk behind it. */
static struct arena_chunk *chunk_for(struct arena *a, size_t size)
{
	size_t cap = a->head != NULL ? a->head->cap * 2 : CHUNK_FIRST;
	struct arena_chunk *c;

	if (cap > CHUNK_MAX)
		cap = CHUNK_MAX;
	if (size <= cap / 2 || a->head == NULL) {
		c = chunk_new(size > cap ? size : cap);
		c->next = a->head;
		a->head = c;
		return c;
	}
	c = chunk_new(size);
	c->next = a->head->next;
	a->head->next = c;
	return c;
}

/* Room with whatever stood in it before: a chunk is not zeroed as a whole,
 * because most of it is never used. */
static void *take(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->head;
	void *p;

	assert(size <= SIZE_MAX / 4);
	size = (size > 0 ? size + align - 1 : align) / align * align;
	if (c == NULL || size > c->cap - c->used)
		c = chunk_for(a, size);
	p = c->data + c->used;
	c->used += size;
	a->used_bytes += size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(take(a, size), 0, size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;
	bool is_over = __builtin_mul_overflow(n, size, &total);

	assert(!is_over);
	return arena_alloc(a, is_over ? SIZE_MAX : total);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_memdup(a, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = take(a, len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *copy = take(a, n);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *arena_join(struct arena *a, const char *const *parts, size_t n)
{
	size_t len = 0;
	char *out, *end;

	for (size_t i = 0; i < n; i++)
		len += strlen(parts[i]);
	out = end = arena_alloc(a, len + 1);
	for (size_t i = 0; i < n; i++) {
		len = strlen(parts[i]);
		memcpy(end, parts[i], len);
		end += len;
	}
	return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char text[256];
	va_list again;
	char *s;
	int n;

	va_copy(again, ap);
	/* What is short is formatted once. */
	n = vsnprintf(text, sizeof text, fmt, again);
	va_end(again);
	assert(n >= 0);
	if ((size_t)n < sizeof text)
		return arena_memdup(a, text, (size_t)n + 1);
	s = take(a, (size_t)n + 1);
	n = vsnprintf(s, (size_t)n + 1, fmt, ap);
	assert(n >= 0);
	return s;
}
