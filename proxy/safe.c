/*
 * Descriptors that the parent keeps: see safe.h.
 */
#include "proxy/safe.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "proxy/page.h"

void safe_init(struct safe *s, size_t n_slots)
{
	*s = (struct safe){ .n_slots = n_slots };
}

/* ---- tunnels ------------------------------------------------------------- */

static void empty(struct safe *s, struct safe_tunnel *t)
{
	if (t->client < 0)
		return;
	fd_close(&t->client);
	fd_close(&t->target);
	free(t->key);
	t->key = NULL;
	s->n_tunnels--;
}

/* Its peers must not take it for a proper end. */
static void reset(struct safe *s, struct safe_tunnel *t)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(t->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	(void)setsockopt(t->target, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	empty(s, t);
}

static int no_slot(uint32_t slot, struct err *err)
{
	return err_set(
	    err, ERR_PROTOCOL, "there is no slot %u", (unsigned)slot);
}

static void grow(struct safe *s, uint32_t slot)
{
	size_t cap = s->cap > 0 ? s->cap : 64;

	while (cap <= slot)
		cap *= 2;
	if (cap == s->cap)
		return;
	s->tunnels = xreallocarray(s->tunnels, cap, sizeof *s->tunnels);
	for (; s->cap < cap; s->cap++)
		s->tunnels[s->cap] =
		    (struct safe_tunnel){ .client = -1, .target = -1 };
}

static int put(struct safe *s, const struct deposit_tunnel *t, int client,
    int target, struct err *err)
{
	struct safe_tunnel *it;

	if (t->slot >= s->n_slots) {
		fd_close(&client);
		fd_close(&target);
		return no_slot(t->slot, err);
	}
	grow(s, t->slot);
	it = &s->tunnels[t->slot];
	empty(s, it);
	*it = (struct safe_tunnel){ client, target,
		xstrndup(t->key.p, t->key.len) };
	s->n_tunnels++;
	return 0;
}

static int put_all(struct safe *s, struct deposit_in *in,
    const struct deposit *d, struct err *err)
{
	struct slice items = d->items;
	struct deposit_tunnel t;

	for (size_t i = 0; deposit_next_tunnel(&items, &t); i += 2) {
		int client = deposit_steal_fd(in, i);
		int target = deposit_steal_fd(in, i + 1);

		if (put(s, &t, client, target, err) < 0)
			return -1;
	}
	return 0;
}

static int drop_all(struct safe *s, const struct deposit *d, struct err *err)
{
	struct slice items = d->items;
	uint32_t slot;

	while (deposit_next_slot(&items, &slot)) {
		if (slot >= s->n_slots)
			return no_slot(slot, err);
		if (slot < s->cap)
			empty(s, &s->tunnels[slot]);
	}
	return 0;
}

/* ---- taking -------------------------------------------------------------- */

int safe_take(struct safe *s, struct deposit_in *in, const struct deposit *d,
    struct err *err)
{
	if (d->type == DEPOSIT_SOCKET)
		return sockets_add(&s->fresh, deposit_steal_fd(in, 0), d->kind,
		    d->port, d->text, err);
	if (d->type == DEPOSIT_TUNNELS)
		return put_all(s, in, d, err);
	if (d->type == DEPOSIT_DROP)
		return drop_all(s, d, err);
	if (d->type == DEPOSIT_READY) {
		sockets_clear(&s->sockets);
		s->sockets = s->fresh;
		s->fresh = (struct sockets){ .n = 0 };
	}
	if (d->type == DEPOSIT_NO_SOCKETS) {
		sockets_clear(&s->sockets);
		sockets_clear(&s->fresh);
	}
	return 0;
}

/* ---- letting go ---------------------------------------------------------- */

void safe_release(struct safe *s)
{
	for (size_t i = 0; i < s->cap; i++)
		empty(s, &s->tunnels[i]);
	sockets_clear(&s->sockets);
	sockets_clear(&s->fresh);
}

void safe_fini(struct safe *s)
{
	safe_release(s);
	free(s->tunnels);
	safe_init(s, 0);
}

size_t safe_judge(struct safe *s, struct page *page)
{
	size_t n = 0;

	sockets_clear(&s->fresh);
	for (size_t i = 0; i < s->cap; i++) {
		struct safe_tunnel *t = &s->tunnels[i];

		if (t->client < 0 ||
		    atomic_load(page_hand_of(page, (uint32_t)i)) == PAGE_QUIET)
			continue;
		reset(s, t);
		n++;
	}
	return n;
}

size_t safe_give_up(struct safe *s)
{
	size_t n = s->n_tunnels;

	for (size_t i = 0; i < s->cap; i++)
		if (s->tunnels[i].client >= 0)
			reset(s, &s->tunnels[i]);
	return n;
}

/* ---- giving back --------------------------------------------------------- */

void safe_rewind(struct safe *s)
{
	s->socket_at = s->slot_at = 0;
	s->has_said_go = false;
}

static int give_socket(struct safe *s, int fd, struct err *err)
{
	const struct socket_item *it = &s->sockets.items[s->socket_at];
	const struct deposit d = {
		.type = DEPOSIT_SOCKET,
		.kind = it->kind,
		.port = it->port,
		.text = slice_of(it->text),
	};
	int rc = deposit_send(fd, &d, &it->fd, 1, err);

	if (rc > 0)
		s->socket_at++;
	return rc;
}

/* One packet of them; those behind `slot_at` are left. */
static int give_tunnels(struct safe *s, int fd, struct err *err)
{
	struct deposit d = { .type = DEPOSIT_TUNNELS };
	int fds[DEPOSIT_FDS_MAX], rc = 1;
	uint32_t at = s->slot_at;
	struct buf items;
	size_t n = 0;

	buf_init(&items, DEPOSIT_MAX);
	for (; at < s->cap && n < DEPOSIT_AT_ONCE && items.len <= DEPOSIT_ROOM;
	     at++) {
		const struct safe_tunnel *t = &s->tunnels[at];

		if (t->client < 0)
			continue;
		deposit_put_tunnel(
		    &items, &(struct deposit_tunnel){ at, slice_of(t->key) });
		fds[2 * n] = t->client;
		fds[2 * n + 1] = t->target;
		n++;
	}
	d.items = slice_make(items.data, items.len);
	if (n > 0)
		rc = deposit_send(fd, &d, fds, 2 * n, err);
	buf_fini(&items);
	if (rc > 0)
		s->slot_at = at;
	return rc;
}

int safe_give(struct safe *s, int fd, struct err *err)
{
	const struct deposit go = { .type = DEPOSIT_GO };
	int rc = 1;

	while (rc > 0 && s->socket_at < s->sockets.n)
		rc = give_socket(s, fd, err);
	while (rc > 0 && s->slot_at < s->cap)
		rc = give_tunnels(s, fd, err);
	if (rc > 0 && !s->has_said_go) {
		rc = deposit_send(fd, &go, NULL, 0, err);
		s->has_said_go = rc > 0;
	}
	return rc;
}
