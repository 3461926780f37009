/*
 * One growable, bounded byte buffer. Invariants: len <= cap <= max;
 * data[len] == 0 whenever data != NULL, so that the content can be read as a C
 * string. An append that would pass `max` appends nothing and sets `overflow`,
 * which stays set until buf_reset: build all, then ask once.
 */
#ifndef CARREL_BASE_BUF_H
#define CARREL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
	char *data;
	size_t len, cap, max;
	bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
/* Empty it, keep the memory, clear `overflow`. */
void buf_reset(struct buf *b);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_char(struct buf *b, char c);
void buf_str(struct buf *b, const char *s);
void buf_slice(struct buf *b, struct slice s);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Room for n more bytes: pointer to write at, NULL if past max (overflow set).
 */
char *buf_reserve(struct buf *b, size_t n);
/* n bytes were written at buf_reserve's pointer. */
void buf_commit(struct buf *b, size_t n);
/* Drop n bytes from the front. */
void buf_consume(struct buf *b, size_t n);
/* The content as a C string, "" when empty; valid until the next change. */
const char *buf_view(const struct buf *b);
/* The caller owns the returned string (free()); the buffer is empty after. */
char *buf_steal(struct buf *b);

#endif
