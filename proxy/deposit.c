/*
 * Messages between the engine and its parent: see deposit.h. Both are the same
 * program on the same machine, so numbers are as the machine has them.
 */
#include "proxy/deposit.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "proxy/route.h"

#define TEXT_MAX 1024

/* ---- coding -------------------------------------------------------------- */

struct wire {
	uint32_t type, generation;
	uint16_t kind, port;
	uint32_t len; /* of the text or items behind it */
};

void deposit_encode(struct buf *out, const struct deposit *d)
{
	struct slice rest = d->items.len > 0 ? d->items : d->text;
	const struct wire w = {
		.type = d->type,
		.generation = d->generation,
		.kind = (uint16_t)d->kind,
		.port = d->port,
		.len = (uint32_t)rest.len,
	};

	buf_append(out, (const char *)&w, sizeof w);
	buf_slice(out, rest);
}

static bool has_text(uint32_t type)
{
	return type == DEPOSIT_SOCKET || type == DEPOSIT_NOTIFY;
}

/* How many items of these types there are; -1: not whole. */
static int count_items(uint32_t type, struct slice items)
{
	struct deposit_tunnel t;
	uint32_t slot;
	int n = 0;

	if (type == DEPOSIT_TUNNELS)
		while (deposit_next_tunnel(&items, &t))
			n++;
	if (type == DEPOSIT_DROP)
		while (deposit_next_slot(&items, &slot))
			n++;
	return items.len == 0 ? n : -1;
}

/* The descriptors that go with it. */
static size_t fds_of(uint32_t type, int n_items)
{
	if (type == DEPOSIT_TUNNELS)
		return 2 * (size_t)n_items;
	return type == DEPOSIT_PAGE || type == DEPOSIT_SOCKET ||
	       type == DEPOSIT_WORD;
}

static int fail_decode(struct slice in, size_t n_fds, struct err *err)
{
	return err_set(err, ERR_PROTOCOL,
	    "a message of %zu bytes and %zu descriptors is malformed", in.len,
	    n_fds);
}

int deposit_decode(
    struct slice in, size_t n_fds, struct deposit *out, struct err *err)
{
	struct slice rest;
	struct wire w;
	int n_items;

	if (in.len < sizeof w)
		return fail_decode(in, n_fds, err);
	memcpy(&w, in.p, sizeof w);
	rest = slice_make(in.p + sizeof w, in.len - sizeof w);
	if (w.type == 0 || w.type >= DEPOSIT_N_TYPES || w.len != rest.len ||
	    w.kind >= PARCEL_N_LISTENERS ||
	    (has_text(w.type) && rest.len > TEXT_MAX))
		return fail_decode(in, n_fds, err);
	*out = (struct deposit){ .type = (enum deposit_type)w.type,
		.generation = w.generation,
		.kind = (enum parcel_listener)w.kind,
		.port = w.port };
	if (has_text(w.type))
		out->text = rest;
	else
		out->items = rest;
	n_items = count_items(w.type, out->items);
	if (n_items < 0 || n_fds != fds_of(w.type, n_items))
		return fail_decode(in, n_fds, err);
	return 0;
}

/* ---- items --------------------------------------------------------------- */

struct wire_tunnel {
	uint32_t slot, key_len;
};

void deposit_put_tunnel(struct buf *items, const struct deposit_tunnel *t)
{
	const struct wire_tunnel w = { t->slot, (uint32_t)t->key.len };

	buf_append(items, (const char *)&w, sizeof w);
	buf_slice(items, t->key);
}

bool deposit_next_tunnel(struct slice *items, struct deposit_tunnel *out)
{
	struct wire_tunnel w;
	const char *key = items->p + sizeof w;

	if (items->len < sizeof w)
		return false;
	memcpy(&w, items->p, sizeof w);
	if (w.key_len > ROUTE_KEY_MAX || w.key_len > items->len - sizeof w)
		return false;
	out->slot = w.slot;
	out->key = slice_make(key, w.key_len);
	*items = slice_make(key + w.key_len, items->len - sizeof w - w.key_len);
	return true;
}

void deposit_put_slot(struct buf *items, uint32_t slot)
{
	buf_append(items, (const char *)&slot, sizeof slot);
}

bool deposit_next_slot(struct slice *items, uint32_t *out)
{
	if (items->len < sizeof *out)
		return false;
	memcpy(out, items->p, sizeof *out);
	*items = slice_make(items->p + sizeof *out, items->len - sizeof *out);
	return true;
}

/* ---- on the socket ------------------------------------------------------- */

int deposit_send(int fd, const struct deposit *d, const int *fds, size_t n_fds,
    struct err *err)
{
	struct buf b;
	struct err why;
	int rc;

	buf_init(&b, DEPOSIT_MAX);
	deposit_encode(&b, d);
	assert(!b.overflow);
	rc = sock_send_packet(fd, b.data, b.len, fds, n_fds, &why);
	buf_fini(&b);
	if (rc == 0)
		return 1;
	/* The kernel's bounds of packets, and of descriptors, on their way. */
	if (why.code == ERR_BUSY || why.sys_errno == ETOOMANYREFS ||
	    why.sys_errno == ENOBUFS)
		return 0;
	*err = why;
	return -1;
}

void deposit_in_init(struct deposit_in *in)
{
	in->n_fds = 0;
}

void deposit_in_fini(struct deposit_in *in)
{
	while (in->n_fds > 0)
		fd_close(&in->fds[--in->n_fds]);
}

int deposit_steal_fd(struct deposit_in *in, size_t i)
{
	int fd = in->fds[i];

	in->fds[i] = -1;
	return fd;
}

int deposit_receive(
    struct deposit_in *in, int fd, struct deposit *out, struct err *err)
{
	size_t len;
	int rc;

	deposit_in_fini(in);
	/* A peer that died with something unread says so once, before what it
	 * had sent. */
	do
		rc = sock_recv_packet(fd, in->bytes, sizeof in->bytes, &len,
		    in->fds, DEPOSIT_FDS_MAX, &in->n_fds, err);
	while (rc < 0 && err->sys_errno == ECONNRESET);
	if (rc < 0)
		return err->code == ERR_BUSY ? 0 : -1;
	if (rc == 0)
		return err_set(err, ERR_UNAVAILABLE,
		    "the other process has closed the connection");
	if (deposit_decode(slice_make(in->bytes, len), in->n_fds, out, err) < 0)
		return -1;
	return 1;
}
