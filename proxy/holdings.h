/*
 * Who holds what: the routes (and what is left of deleted ones) with the most
 * open requests and tunnels, tunnels, or bytes. Reads the activity cells on the
 * API's thread, some at a time, so neither the workers nor other calls wait.
 */
#ifndef CARREL_PROXY_HOLDINGS_H
#define CARREL_PROXY_HOLDINGS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/loop.h"

#define HOLDINGS_MAX 1000

struct holdings;
struct table;

enum holdings_order {
	HOLDINGS_BY_OPEN,
	HOLDINGS_BY_TUNNELS,
	HOLDINGS_BY_BYTES,
	HOLDINGS_N_ORDERS,
};

/* "open", "tunnels", "bytes"; -1 for another word. */
int holdings_order_parse(const char *word, enum holdings_order *out) MUST_CHECK;

/* json: the answer, borrowed. The holdings are gone after the call. */
typedef void holdings_fn(const struct buf *json, void *arg);

/* fn is called later, once. At most `limit` (1 to HOLDINGS_MAX) are listed. */
struct holdings *holdings_begin(struct loop *l, struct table *t,
    enum holdings_order order, size_t limit, holdings_fn *fn, void *arg);
/* fn will not be called. Sets NULL; accepts NULL inside. */
void holdings_cancel(struct holdings **h);

#endif
