/*
 * Error pages that the error target gave a moment ago, by status and address: a
 * tab that asks a stopped server again and again costs the hub one page in two
 * seconds. What is kept is bounded: a few pages of a bounded size. The error
 * target is asked without cookies, so a page belongs to nobody. One worker's.
 */
#ifndef CARREL_PROXY_PAGES_H
#define CARREL_PROXY_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define PAGES_FRESH_MS 2000
#define PAGES_N        64
#define PAGES_BODY_MAX 65536

struct pages;

struct page {
	const char *type;    /* NULL: none */
	struct slice fields; /* lines with CRLF */
	struct slice body;
};

struct pages *pages_new(void);
void pages_free(struct pages **p);
/* false: there is none, or it is too old. Borrowed until the next pages_put. */
bool pages_find(const struct pages *p, int status, struct slice url,
    int64_t now_ms, struct page *out);
/* Copies; takes the place of the oldest. A page that is too long is left out.
 */
void pages_put(struct pages *p, int status, struct slice url, int64_t now_ms,
    const struct page *page);

#endif
