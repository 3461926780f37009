/*
 * Who holds what: see holdings.h. The table may change between two parts of the
 * walk: a route that comes or goes meanwhile may be missing, and one that came
 * twice is listed once.
 */
#include "proxy/holdings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "proxy/cell.h"
#include "proxy/table.h"

#define CELLS_AT_ONCE 2048
#define JSON_MAX      ((size_t)1 << 26)

struct holder {
	char *key;
	int64_t open, tunnels;
	uint64_t bytes;
	uint64_t rank; /* the number that it is ordered by */
};

struct holdings {
	struct loop *loop;
	struct table *table;
	enum holdings_order order;
	size_t limit;
	holdings_fn *fn;
	void *arg;
	struct timer timer;
	size_t pos; /* in the walk */
	int64_t open, tunnels;
	uint64_t bytes;
	/* The greatest so far, as a heap: the least of them first. */
	size_t n;
	struct holder heap[];
};

static const char *const order_names[HOLDINGS_N_ORDERS] = {
	[HOLDINGS_BY_OPEN] = "open",
	[HOLDINGS_BY_TUNNELS] = "tunnels",
	[HOLDINGS_BY_BYTES] = "bytes",
};

int holdings_order_parse(const char *word, enum holdings_order *out)
{
	for (int i = 0; i < HOLDINGS_N_ORDERS; i++)
		if (str_eq(word, order_names[i])) {
			*out = (enum holdings_order)i;
			return 0;
		}
	return -1;
}

/* ---- the heap ------------------------------------------------------------ */

static void swap(struct holder *a, struct holder *b)
{
	struct holder c = *a;

	*a = *b;
	*b = c;
}

static void sift_up(struct holdings *h, size_t i)
{
	while (i > 0 && h->heap[i].rank < h->heap[(i - 1) / 2].rank) {
		swap(&h->heap[i], &h->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static void sift_down(struct holdings *h)
{
	size_t i = 0;

	for (;;) {
		size_t least = i;

		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < h->n; k++)
			if (h->heap[k].rank < h->heap[least].rank)
				least = k;
		if (least == i)
			return;
		swap(&h->heap[i], &h->heap[least]);
		i = least;
	}
}

static void consider(struct holdings *h, const struct holder *one)
{
	if (one->rank == 0)
		return;
	if (h->n < h->limit) {
		h->heap[h->n] = *one;
		h->heap[h->n].key = xstrdup(one->key);
		sift_up(h, h->n++);
		return;
	}
	if (one->rank <= h->heap[0].rank)
		return;
	free(h->heap[0].key);
	h->heap[0] = *one;
	h->heap[0].key = xstrdup(one->key);
	sift_down(h);
}

/* ---- the answer ---------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;
	int rc = strcmp(x->key, y->key);

	if (rc != 0)
		return rc;
	return (x->rank < y->rank) - (x->rank > y->rank);
}

static int by_rank(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	return strcmp(x->key, y->key);
}

static void sort(struct holdings *h)
{
	size_t n = 0;

	qsort(h->heap, h->n, sizeof h->heap[0], by_key);
	for (size_t i = 0; i < h->n; i++) {
		if (n > 0 && str_eq(h->heap[n - 1].key, h->heap[i].key))
			free(h->heap[i].key);
		else
			h->heap[n++] = h->heap[i];
	}
	h->n = n;
	qsort(h->heap, h->n, sizeof h->heap[0], by_rank);
}

static void write_holder(
    struct buf *b, const struct table *t, const struct holder *one)
{
	json_t *key = json_string_nocheck(one->key);
	size_t len;
	char *text = json_text(key, &len);

	buf_str(b, "{\"route\":");
	buf_append(b, text, len);
	buf_printf(b,
	    ",\"open\":%lld,\"tunnels\":%lld,\"bytes\":%llu,\"data\":",
	    (long long)one->open, (long long)one->tunnels,
	    (unsigned long long)one->bytes);
	if (!table_write_one(t, one->key, b))
		buf_str(b, "null");
	buf_char(b, '}');
	free(text);
	json_decref(key);
}

static void finish(struct holdings *h)
{
	struct buf b;

	sort(h);
	buf_init(&b, JSON_MAX);
	buf_printf(&b,
	    "{\"order\":\"%s\",\"routes\":%zu,\"open\":%lld,\"tunnels\":%lld,"
	    "\"bytes\":%llu,\"holders\":[",
	    order_names[h->order], table_count(h->table), (long long)h->open,
	    (long long)h->tunnels, (unsigned long long)h->bytes);
	for (size_t i = 0; i < h->n; i++) {
		if (i > 0)
			buf_char(&b, ',');
		write_holder(&b, h->table, &h->heap[i]);
	}
	buf_str(&b, "]}");
	h->fn(&b, h->arg);
	buf_fini(&b);
	holdings_cancel(&h);
}

/* ---- the walk ------------------------------------------------------------ */

static void look_at(struct holdings *h, const struct table_cell *c)
{
	/* What a worker counts while we read may be one off. */
	int64_t open = cell_open_count(c->cell);
	int64_t tunnels = cell_tunnel_count(c->cell);
	struct holder one = {
		.key = (char *)(uintptr_t)c->key,
		.open = open > 0 ? open : 0,
		.tunnels = tunnels > 0 ? tunnels : 0,
		.bytes = cell_bytes(c->cell),
	};

	h->open += one.open;
	h->tunnels += one.tunnels;
	h->bytes += one.bytes;
	one.rank = h->order == HOLDINGS_BY_OPEN      ? (uint64_t)one.open
		   : h->order == HOLDINGS_BY_TUNNELS ? (uint64_t)one.tunnels
						     : one.bytes;
	consider(h, &one);
}

static void on_turn(struct timer *timer, void *arg)
{
	struct holdings *h = arg;
	struct table_cell c;

	(void)timer;
	for (int i = 0; i < CELLS_AT_ONCE; i++) {
		if (!table_next_cell(h->table, &h->pos, &c)) {
			finish(h);
			return;
		}
		look_at(h, &c);
	}
	timer_start(h->loop, &h->timer, 0, on_turn, h);
}

struct holdings *holdings_begin(struct loop *l, struct table *t,
    enum holdings_order order, size_t limit, holdings_fn *fn, void *arg)
{
	struct holdings *h =
	    xcalloc(1, sizeof *h + limit * sizeof(struct holder));

	h->loop = l;
	h->table = t;
	h->order = order;
	h->limit = limit;
	h->fn = fn;
	h->arg = arg;
	timer_start(l, &h->timer, 0, on_turn, h);
	return h;
}

void holdings_cancel(struct holdings **hp)
{
	struct holdings *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	timer_stop(&h->timer);
	for (size_t i = 0; i < h->n; i++)
		free(h->heap[i].key);
	free(h);
}
