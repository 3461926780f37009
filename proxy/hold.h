/*
 * What a tunnel has to do so that it outlives the engine: its descriptors are
 * deposited with the parent, and a slot of the shared page (proxy/page.h) says
 * at every moment whether bytes of it are in the engine's hands. Belongs to the
 * tunnel's worker. A tunnel that is not deposited (no parent, TLS, no slot, a
 * parent that is slow) works as well, and is not protected.
 */
#ifndef CARREL_PROXY_HOLD_H
#define CARREL_PROXY_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "proxy/page.h"

struct cell;
struct lifeline;
struct transport;

/* A slot that moves with a tunnel at rest. All zero: none. */
struct held {
	struct lifeline *line;
	uint32_t slot;
};

/* The parent lets go of it; the sockets are left alone. */
void held_drop(struct held *h);

/* One per worker. */
struct holds {
	struct lifeline *line; /* NULL: there is no parent */
	struct loop *loop;
	struct list due;          /* tunnels that are to be deposited */
	struct timer soon, later; /* the next packets */
};

void holds_init(struct holds *hs, struct loop *l);
void holds_fini(struct holds *hs);

/* One per tunnel; what it points to is the tunnel's. */
struct hold {
	struct list link;
	page_hand *hand; /* own, or of the page */
	page_hand own;
	uint32_t slot;
	const struct transport *client, *target;
	const struct cell *cell;
};

void hold_init(struct hold *h, const struct transport *client,
    const struct transport *target, const struct cell *cell);
/* Deposit it in a moment, together with others; one that is over by then costs
 * the parent nothing. */
void hold_ask(struct holds *hs, struct hold *h);
/* The tunnel is over: end its sockets for good and let the parent drop them. */
void hold_over(struct holds *hs, struct hold *h);
/* Into a box and out of it; *held is empty afterwards. */
struct held hold_leave(struct holds *hs, struct hold *h);
void hold_enter(struct holds *hs, struct hold *h, struct held *held);

/* Before anything is read; the process may be killed at any moment after. */
static inline void hold_begin(struct hold *h)
{
	atomic_store_explicit(h->hand, PAGE_IN_HAND, memory_order_seq_cst);
}

/* Afterwards: is anything left that was read and not written? */
static inline void hold_end(struct hold *h, bool is_in_hand)
{
	if (!is_in_hand)
		atomic_store_explicit(
		    h->hand, PAGE_QUIET, memory_order_release);
}

#endif
