/*
 * Tunnels: see relay.h.
 */
#include "proxy/relay.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/door.h"
#include "proxy/route_limits.h"
#include "proxy/transport.h"
#include "proxy/worker.h"

#define TOUCH_MS      1000
#define READS_AT_ONCE 8
/* One side has ended: how long the other may be silent. */
#define HALF_OPEN_MS  300000

struct tunnel {
	struct transport client, target;
	struct list link;
	struct worker *worker;
	struct cell *cell;
	struct hold hold;
	int64_t touched_ms; /* when the cell was told last */
	uint64_t n_bytes;   /* that the cell was not told yet */
	struct defer again;
	struct timer timer; /* runs only when half of it has ended */
	bool is_over;
};

static void tell_cell(struct tunnel *t)
{
	cell_add_bytes(t->cell, t->n_bytes);
	t->n_bytes = 0;
}

void relay_close(struct tunnel *t)
{
	struct worker *w = t->worker;

	tell_cell(t);
	cell_tunnel_closed(t->cell);
	hold_over(&w->holds, &t->hold);
	cell_closed(t->cell);
	cell_unref(&t->cell);
	defer_cancel(&t->again);
	timer_stop(&t->timer);
	door_leave(w, &t->client.ticket);
	transport_close(&t->client);
	transport_close(&t->target);
	list_del(&t->link);
	free(t);
	w->n_tunnels--;
	metric_set(&w->metrics.open_tunnels, w->n_tunnels);
	worker_one_less(w);
}

void relay_close_all(struct worker *w)
{
	while (!list_empty(&w->tunnels))
		relay_close(LIST_ITEM(w->tunnels.next, struct tunnel, link));
}

/* It has been told that one side ended. */
static bool is_half_open(const struct tunnel *t)
{
	return t->client.shut || t->target.shut;
}

int64_t relay_patience_ms(
    const struct worker *w, const struct cell *cell, bool is_half_open)
{
	int64_t idle_s = route_limits_choose(
	    cell_limits(cell).tunnel_idle_s, w->config->tunnel_idle_s);
	int64_t ms = idle_s > 0 ? idle_s * 1000 + TOUCH_MS : INT64_MAX / 2;

	return is_half_open && ms > HALF_OPEN_MS ? HALF_OPEN_MS : ms;
}

static int64_t patience_ms(const struct tunnel *t)
{
	return relay_patience_ms(t->worker, t->cell, is_half_open(t));
}

static void arm(struct tunnel *t);

static void note_traffic(struct tunnel *t, size_t n)
{
	int64_t now = worker_now_ms(t->worker);

	t->n_bytes += n;
	if (now - t->touched_ms < TOUCH_MS)
		return;
	t->touched_ms = now;
	cell_touch(t->cell, worker_wall_ms(t->worker));
	tell_cell(t);
	/* The route may have got another limit. */
	arm(t);
}

/* One direction. true: there is more to do at once. */
static bool pump(struct tunnel *t, struct transport *from, struct transport *to)
{
	char *scratch = t->worker->scratch;

	if (transport_flush(to) < 0) {
		t->is_over = true;
		return false;
	}
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n;

		if (transport_is_blocked(to) || !from->readable)
			return false;
		n = transport_recv(from, scratch, WORKER_SCRATCH);
		if (n == TRANSPORT_AGAIN)
			return false;
		if (n > 0)
			note_traffic(t, (size_t)n);
		if (n < 0 || (n > 0 && transport_send_bytes(
					   to, scratch, (size_t)n) < 0)) {
			t->is_over = true;
			return false;
		}
		if (n == 0)
			return false;
	}
	return true;
}

static void on_timer(struct timer *timer, void *arg)
{
	struct tunnel *t = arg;

	(void)timer;
	if (worker_now_ms(t->worker) - t->touched_ms < patience_ms(t)) {
		arm(t);
		return;
	}
	if (!is_half_open(t))
		metric_add(&t->worker->metrics.errors[METRICS_TUNNEL_IDLE], 1);
	relay_close(t);
}

/* Lazily: a timer that fires too early looks again. */
static void arm(struct tunnel *t)
{
	int64_t due_ms = t->touched_ms + patience_ms(t);

	if (due_ms >= INT64_MAX / 2 ||
	    (timer_running(&t->timer) && t->timer.due_ms <= due_ms))
		return;
	timer_start(t->worker->loop, &t->timer,
	    due_ms - worker_now_ms(t->worker), on_timer, t);
}

/* It has not been idle yet, and the cell hears of its first bytes at once. */
static void begin_time(struct tunnel *t)
{
	t->touched_ms = worker_now_ms(t->worker) - TOUCH_MS;
	arm(t);
}

/* Pass an end on when all before it is sent. */
static void pass_end(
    struct tunnel *t, const struct transport *from, struct transport *to)
{
	if (!from->eof || to->shut || transport_is_blocked(to))
		return;
	transport_shut(to);
	t->touched_ms = worker_now_ms(t->worker);
	arm(t);
}

static void on_again(void *arg);

static void rest(struct tunnel *t, bool more)
{
	hold_end(&t->hold, transport_is_blocked(&t->client) ||
			       transport_is_blocked(&t->target));
	if (more)
		defer_call(t->worker->loop, &t->again, on_again, t);
}

static void run(struct tunnel *t)
{
	bool more;

	hold_begin(&t->hold);
	more = pump(t, &t->client, &t->target);
	more = pump(t, &t->target, &t->client) || more;
	pass_end(t, &t->client, &t->target);
	pass_end(t, &t->target, &t->client);
	if (t->is_over || (t->client.shut && t->target.shut))
		relay_close(t);
	else
		rest(t, more);
}

static void on_again(void *arg)
{
	run(arg);
}

static void on_client(struct watch *watch, uint32_t events, void *arg)
{
	struct tunnel *t = arg;

	(void)watch;
	transport_note(&t->client, events);
	run(t);
}

static void on_target(struct watch *watch, uint32_t events, void *arg)
{
	struct tunnel *t = arg;

	(void)watch;
	transport_note(&t->target, events);
	run(t);
}

/* Takes the cell's reference. */
static struct tunnel *tunnel_new(struct worker *w, struct cell *cell)
{
	struct tunnel *t = xcalloc(1, sizeof *t);

	t->worker = w;
	t->cell = cell;
	hold_init(&t->hold, &t->client, &t->target, cell);
	cell_opened(cell);
	cell_tunnel_opened(cell);
	list_add_tail(&w->tunnels, &t->link);
	w->n_tunnels++;
	metric_set(&w->metrics.open_tunnels, w->n_tunnels);
	return t;
}

int relay_begin(struct worker *w, struct transport *client,
    struct transport *target, struct cell *cell, struct err *err)
{
	struct tunnel *t = tunnel_new(w, cell);
	int rc;

	rc = transport_move(&t->client, client, on_client, t, err);
	if (rc == 0)
		rc = transport_move(&t->target, target, on_target, t, err);
	if (rc < 0) {
		relay_close(t);
		return -1;
	}
	begin_time(t);
	/* What was readable before the move is no new edge for everybody. */
	defer_call(w->loop, &t->again, on_again, t);
	hold_ask(&w->holds, &t->hold);
	worker_more_tunnels(w);
	return 0;
}

/* ---- moving -------------------------------------------------------------- */

static struct box *box_up(struct tunnel *t)
{
	struct box *b = xcalloc(1, sizeof *b);

	list_init(&b->link);
	b->cell = cell_ref(t->cell);
	b->held = hold_leave(&t->worker->holds, &t->hold);
	b->client = transport_leave(&t->client);
	b->target = transport_leave(&t->target);
	relay_close(t);
	return b;
}

void relay_box_all(struct worker *w, struct list *out)
{
	list_for_each (it, &w->tunnels) {
		struct tunnel *t = LIST_ITEM(it, struct tunnel, link);

		if (!transport_is_plain(&t->client) ||
		    !transport_is_plain(&t->target))
			continue;
		list_add_tail(out, &box_up(t)->link);
	}
}

int relay_unbox(struct worker *w, struct box *b, struct err *err)
{
	struct tunnel *t = tunnel_new(w, cell_ref(b->cell));
	int rc =
	    transport_enter(&t->client, w->loop, &b->client, on_client, t, err);

	if (rc == 0)
		rc = transport_enter(
		    &t->target, w->loop, &b->target, on_target, t, err);
	if (rc == 0)
		hold_enter(&w->holds, &t->hold, &b->held);
	relay_box_free(b);
	if (rc < 0) {
		relay_close(t);
		return -1;
	}
	door_readmit(w, &t->client);
	begin_time(t);
	t->client.readable = t->target.readable = true;
	defer_call(w->loop, &t->again, on_again, t);
	return 0;
}

void relay_box_free(struct box *b)
{
	list_del(&b->link);
	held_drop(&b->held);
	cell_unref(&b->cell);
	transport_rest_free(&b->client);
	transport_rest_free(&b->target);
	free(b);
}
