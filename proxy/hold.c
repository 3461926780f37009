/*
 * Tunnels that outlive the engine: see hold.h.
 */
#include "proxy/hold.h"

#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"
#include "proxy/cell.h"
#include "proxy/deposit.h"
#include "proxy/lifeline.h"
#include "proxy/transport.h"

#define SOON_MS  20
#define LATER_MS 1000 /* when there is no slot */

void held_drop(struct held *h)
{
	struct lifeline *line = h->line;

	h->line = NULL;
	if (line == NULL)
		return;
	lifeline_drop(line, h->slot);
	lifeline_flush(line);
}

/* ---- depositing ---------------------------------------------------------- */

static void on_time(struct timer *t, void *arg);

static void flush_soon(struct holds *hs)
{
	if (!timer_running(&hs->soon))
		timer_start(hs->loop, &hs->soon, SOON_MS, on_time, hs);
}

/* Bytes wait for a socket. */
static bool is_in_hand(const struct hold *h)
{
	return transport_is_blocked(h->client) ||
	       transport_is_blocked(h->target);
}

struct packet {
	struct buf items;
	struct hold *holds[DEPOSIT_AT_ONCE];
	int fds[DEPOSIT_FDS_MAX];
	size_t n;
};

static void add(struct packet *p, struct page *page, struct hold *h)
{
	const struct deposit_tunnel t = { h->slot,
		slice_of(cell_key(h->cell)) };

	atomic_store(page_hand_of(page, h->slot),
	    is_in_hand(h) ? PAGE_IN_HAND : PAGE_QUIET);
	deposit_put_tunnel(&p->items, &t);
	p->fds[2 * p->n] = h->client->watch.fd;
	p->fds[2 * p->n + 1] = h->target->watch.fd;
	p->holds[p->n++] = h;
}

/* As many of those that are due as one packet has room for. */
static void fill(struct holds *hs, struct packet *p)
{
	struct page *page = lifeline_page(hs->line);

	p->n = 0;
	buf_reset(&p->items);
	list_for_each (it, &hs->due) {
		struct hold *h = LIST_ITEM(it, struct hold, link);

		if (p->n == DEPOSIT_AT_ONCE || p->items.len > DEPOSIT_ROOM)
			return;
		h->slot = page_slot_take(page);
		if (h->slot == PAGE_NO_SLOT)
			return;
		add(p, page, h);
	}
}

/* 1: the parent will have them; 0 later; -1 never. */
static int send_packet(struct holds *hs, struct packet *p)
{
	struct page *page = lifeline_page(hs->line);
	int rc = lifeline_deposit(hs->line, &p->items, p->fds, 2 * p->n);

	for (size_t i = 0; i < p->n; i++) {
		struct hold *h = p->holds[i];

		if (rc <= 0) {
			page_slot_give(page, h->slot);
			h->slot = PAGE_NO_SLOT;
			continue;
		}
		h->hand = page_hand_of(page, h->slot);
		list_del(&h->link);
	}
	return rc;
}

static void deposit_due(struct holds *hs)
{
	struct packet p;
	int rc = 1;

	buf_init(&p.items, DEPOSIT_MAX);
	while (rc > 0 && !list_empty(&hs->due)) {
		fill(hs, &p);
		if (p.n == 0)
			break;
		rc = send_packet(hs, &p);
	}
	buf_fini(&p.items);
	if (rc < 0 || list_empty(&hs->due))
		return;
	if (rc == 0)
		flush_soon(hs);
	else
		timer_start(hs->loop, &hs->later, LATER_MS, on_time, hs);
}

static void on_time(struct timer *t, void *arg)
{
	struct holds *hs = arg;

	(void)t;
	lifeline_flush(hs->line);
	deposit_due(hs);
}

/* ---- a worker ------------------------------------------------------------ */

void holds_init(struct holds *hs, struct loop *l)
{
	*hs = (struct holds){ .loop = l };
	list_init(&hs->due);
}

void holds_fini(struct holds *hs)
{
	timer_stop(&hs->soon);
	timer_stop(&hs->later);
}

/* ---- a tunnel ------------------------------------------------------------ */

void hold_init(struct hold *h, const struct transport *client,
    const struct transport *target, const struct cell *cell)
{
	list_init(&h->link);
	h->hand = &h->own;
	h->slot = PAGE_NO_SLOT;
	h->client = client;
	h->target = target;
	h->cell = cell;
}

void hold_ask(struct holds *hs, struct hold *h)
{
	if (hs->line == NULL || !transport_is_plain(h->client) ||
	    !transport_is_plain(h->target))
		return;
	list_add_tail(&hs->due, &h->link);
	flush_soon(hs);
}

/* The parent has these too: to close ours would end nothing. */
static void end_socket(const struct transport *t)
{
	if (transport_is_open(t))
		(void)shutdown(t->watch.fd, SHUT_RDWR);
}

void hold_over(struct holds *hs, struct hold *h)
{
	list_del(&h->link);
	if (h->slot == PAGE_NO_SLOT)
		return;
	hold_begin(h);
	end_socket(h->client);
	end_socket(h->target);
	lifeline_drop(hs->line, h->slot);
	flush_soon(hs);
	h->slot = PAGE_NO_SLOT;
	h->hand = &h->own;
}

struct held hold_leave(struct holds *hs, struct hold *h)
{
	struct held held = { .line = NULL };

	list_del(&h->link);
	if (h->slot == PAGE_NO_SLOT)
		return held;
	held = (struct held){ .line = hs->line, .slot = h->slot };
	h->slot = PAGE_NO_SLOT;
	h->hand = &h->own;
	return held;
}

void hold_enter(struct holds *hs, struct hold *h, struct held *held)
{
	if (held->line == NULL) {
		hold_ask(hs, h);
		return;
	}
	h->slot = held->slot;
	h->hand = page_hand_of(lifeline_page(held->line), held->slot);
	held->line = NULL;
}
