/*
 * Messages of a takeover: see parcel.h. Numbers are little-endian; a text is
 * its length in 32 bits and its bytes. The first byte of each part says whether
 * more parts follow.
 */
#include "proxy/parcel.h"

#include <assert.h>
#include <string.h>

#include "base/fd.h"
#include "proxy/route.h"

#define MAGIC     0x4c525243u /* "CRRL" */
#define PART_MAX  32768
#define TEXT_MAX  1024
#define FLAGS_ALL 3

/* ---- numbers ------------------------------------------------------------- */

static void put_number(struct buf *b, uint64_t v, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		buf_char(b, (char)(v >> (8 * i) & 0xff));
}

static void put_text(struct buf *b, struct slice s)
{
	put_number(b, s.len, 4);
	buf_slice(b, s);
}

/* What is left to read; once `bad` it stays so and all is zero. */
struct cursor {
	struct slice rest;
	bool bad;
};

static struct slice take_bytes(struct cursor *c, size_t n)
{
	struct slice s = slice_make(c->rest.p, n);

	if (c->bad || n > c->rest.len) {
		c->bad = true;
		return slice_make("", 0);
	}
	c->rest = slice_make(c->rest.p + n, c->rest.len - n);
	return s;
}

static uint64_t take_number(struct cursor *c, size_t n_bytes)
{
	struct slice s = take_bytes(c, n_bytes);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	return v;
}

static uint64_t take_limited(struct cursor *c, size_t n_bytes, uint64_t max)
{
	uint64_t v = take_number(c, n_bytes);

	if (v <= max)
		return v;
	c->bad = true;
	return 0;
}

static struct slice take_text(struct cursor *c, size_t max)
{
	return take_bytes(c, (size_t)take_limited(c, 4, max));
}

/* ---- messages ------------------------------------------------------------ */

void parcel_encode(struct buf *b, const struct parcel *p)
{
	put_number(b, p->type, 1);
	switch (p->type) {
	case PARCEL_HELLO:
		put_number(b, MAGIC, 4);
		put_number(b, p->version, 4);
		break;
	case PARCEL_WELCOME:
		put_number(b, p->version, 4);
		put_number(b, p->n_lines, 8);
		break;
	case PARCEL_REFUSE:
	case PARCEL_TICKETS:
		put_text(b, p->text);
		break;
	case PARCEL_LISTENER:
		put_number(b, p->kind, 1);
		put_number(b, p->port, 2);
		put_text(b, p->text);
		break;
	case PARCEL_ROUTE:
		put_number(b, p->has_route, 1);
		put_number(b, (uint64_t)p->last_ms, 8);
		put_text(b, p->key);
		put_text(b, p->object);
		break;
	case PARCEL_TUNNEL:
		put_number(b, p->cell, 4);
		put_number(b,
		    (uint64_t)(p->client_shut ? 1 : 0) +
			(p->target_shut ? 2 : 0),
		    1);
		put_text(b, p->to_client);
		put_text(b, p->to_target);
		break;
	case PARCEL_COUNTERS:
	case PARCEL_ACTIVITY:
		put_text(b, p->items);
		break;
	case PARCEL_ROUTES_END:
	case PARCEL_PREPARED:
	case PARCEL_TUNNELS_END:
	case PARCEL_READY:
	case PARCEL_GO:
	case PARCEL_DONE:
	case PARCEL_GOODBYE:
		break;
	}
}

static void take_hello(struct cursor *c, struct parcel *p)
{
	c->bad = c->bad || take_number(c, 4) != MAGIC;
	p->version = (uint32_t)take_number(c, 4);
}

static void take_listener(struct cursor *c, struct parcel *p)
{
	p->kind =
	    (enum parcel_listener)take_limited(c, 1, PARCEL_N_LISTENERS - 1);
	p->port = (uint16_t)take_number(c, 2);
	p->text = take_text(c, TEXT_MAX);
}

static void take_route(struct cursor *c, struct parcel *p)
{
	p->has_route = take_limited(c, 1, 1) == 1;
	p->last_ms = (int64_t)take_limited(c, 8, INT64_MAX);
	p->key = take_text(c, ROUTE_KEY_MAX);
	p->object = take_text(c, PARCEL_MAX);
}

static void take_tunnel(struct cursor *c, struct parcel *p)
{
	uint64_t flags;

	p->cell = (uint32_t)take_number(c, 4);
	flags = take_limited(c, 1, FLAGS_ALL);
	p->client_shut = (flags & 1) != 0;
	p->target_shut = (flags & 2) != 0;
	p->to_client = take_text(c, PARCEL_MAX);
	p->to_target = take_text(c, PARCEL_MAX);
	/* Nothing can wait for an end that we have ended. */
	if ((p->client_shut && p->to_client.len > 0) ||
	    (p->target_shut && p->to_target.len > 0))
		c->bad = true;
}

static void take_items(struct cursor *c, struct parcel *p, size_t size)
{
	p->items = take_text(c, PARCEL_MAX);
	if (p->items.len % size != 0)
		c->bad = true;
}

#define COUNTER_SIZE  12
#define ACTIVITY_SIZE 12

/* How many descriptors go with it. */
static bool is_fd_count(enum parcel_type type, size_t n)
{
	switch (type) {
	case PARCEL_WELCOME:
		return n == 1 || n == 2;
	case PARCEL_LISTENER:
		return n >= 1 && n <= PARCEL_FDS_MAX;
	case PARCEL_TUNNEL:
		return n == 2;
	case PARCEL_HELLO:
	case PARCEL_REFUSE:
	case PARCEL_TICKETS:
	case PARCEL_ROUTE:
	case PARCEL_COUNTERS:
	case PARCEL_ACTIVITY:
	case PARCEL_ROUTES_END:
	case PARCEL_PREPARED:
	case PARCEL_TUNNELS_END:
	case PARCEL_READY:
	case PARCEL_GO:
	case PARCEL_DONE:
	case PARCEL_GOODBYE:
		break;
	}
	return n == 0;
}

static void take_members(struct cursor *c, struct parcel *p)
{
	switch (p->type) {
	case PARCEL_HELLO:
		take_hello(c, p);
		break;
	case PARCEL_WELCOME:
		p->version = (uint32_t)take_number(c, 4);
		p->n_lines = take_number(c, 8);
		break;
	case PARCEL_REFUSE:
	case PARCEL_TICKETS:
		p->text = take_text(c, TEXT_MAX);
		break;
	case PARCEL_LISTENER:
		take_listener(c, p);
		break;
	case PARCEL_ROUTE:
		take_route(c, p);
		break;
	case PARCEL_TUNNEL:
		take_tunnel(c, p);
		break;
	case PARCEL_COUNTERS:
		take_items(c, p, COUNTER_SIZE);
		break;
	case PARCEL_ACTIVITY:
		take_items(c, p, ACTIVITY_SIZE);
		break;
	case PARCEL_ROUTES_END:
	case PARCEL_PREPARED:
	case PARCEL_TUNNELS_END:
	case PARCEL_READY:
	case PARCEL_GO:
	case PARCEL_DONE:
	case PARCEL_GOODBYE:
		break;
	}
}

int parcel_decode(
    struct slice in, size_t n_fds, struct parcel *out, struct err *err)
{
	struct cursor c = { .rest = in };
	uint64_t type = take_limited(&c, 1, PARCEL_TICKETS);

	*out = (struct parcel){ .type = (enum parcel_type)type };
	if (type == 0)
		return err_set(err, ERR_PROTOCOL, "a message of no known type");
	take_members(&c, out);
	if (c.bad || c.rest.len > 0)
		return err_set(err, ERR_PROTOCOL,
		    "message %u of %zu bytes is malformed", (unsigned)type,
		    in.len);
	if (!is_fd_count(out->type, n_fds))
		return err_set(err, ERR_PROTOCOL,
		    "message %u came with %zu descriptors", (unsigned)type,
		    n_fds);
	return 0;
}

/* ---- items --------------------------------------------------------------- */

void parcel_put_counter(struct buf *out, struct parcel_counter c)
{
	put_number(out, c.family, 2);
	put_number(out, c.index, 2);
	put_number(out, c.value, 8);
}

bool parcel_next_counter(struct slice *items, struct parcel_counter *out)
{
	struct cursor c = { .rest = *items };

	out->family = (uint16_t)take_number(&c, 2);
	out->index = (uint16_t)take_number(&c, 2);
	out->value = take_number(&c, 8);
	*items = c.rest;
	return !c.bad;
}

void parcel_put_activity(struct buf *out, struct parcel_activity a)
{
	put_number(out, a.cell, 4);
	put_number(out, (uint64_t)a.last_ms, 8);
}

bool parcel_next_activity(struct slice *items, struct parcel_activity *out)
{
	struct cursor c = { .rest = *items };

	out->cell = (uint32_t)take_number(&c, 4);
	out->last_ms = (int64_t)take_limited(&c, 8, INT64_MAX);
	*items = c.rest;
	return !c.bad;
}

/* ---- sending ------------------------------------------------------------- */

void parcel_out_init(struct parcel_out *o)
{
	*o = (struct parcel_out){ .n_fds = 0 };
	buf_init(&o->data, 2 * PARCEL_MAX);
}

void parcel_out_fini(struct parcel_out *o)
{
	buf_fini(&o->data);
}

void parcel_out_set(
    struct parcel_out *o, const struct parcel *p, const int *fds, size_t n_fds)
{
	assert(o->at == o->data.len && n_fds <= PARCEL_FDS_MAX);
	buf_reset(&o->data);
	o->at = 0;
	parcel_encode(&o->data, p);
	o->n_fds = n_fds;
	if (n_fds > 0)
		memcpy(o->fds, fds, n_fds * sizeof *fds);
}

int parcel_flush(struct parcel_out *o, int fd, struct err *err)
{
	char part[PART_MAX + 1];

	if (o->data.overflow || o->data.len > PARCEL_MAX)
		return err_set(err, ERR_LIMIT,
		    "a message of the takeover has more than %zu bytes",
		    PARCEL_MAX);
	while (o->at < o->data.len) {
		size_t left = o->data.len - o->at;
		size_t n = left < PART_MAX ? left : PART_MAX;
		struct err why;

		part[0] = n < left;
		memcpy(part + 1, o->data.data + o->at, n);
		if (sock_send_packet(fd, part, n + 1, o->fds, o->n_fds, &why) <
		    0) {
			if (why.code == ERR_BUSY)
				return 0;
			*err = why;
			return -1;
		}
		o->at += n;
		o->n_fds = 0;
	}
	return 1;
}

/* ---- receiving ----------------------------------------------------------- */

static void drop_fds(struct parcel_in *in)
{
	while (in->n_fds > 0)
		fd_close(&in->fds[--in->n_fds]);
}

void parcel_in_init(struct parcel_in *in)
{
	*in = (struct parcel_in){ .is_whole = true };
	buf_init(&in->data, PARCEL_MAX);
}

void parcel_in_fini(struct parcel_in *in)
{
	drop_fds(in);
	buf_fini(&in->data);
}

/* One part. As parcel_receive, but 1: something came. */
static int receive_part(struct parcel_in *in, int fd, struct err *err)
{
	char part[PART_MAX + 1];
	int fds[PARCEL_FDS_MAX];
	size_t len, n_fds;
	int rc;

	rc = sock_recv_packet(
	    fd, part, sizeof part, &len, fds, PARCEL_FDS_MAX, &n_fds, err);
	if (rc < 0)
		return err->code == ERR_BUSY ? 0 : -1;
	if (rc == 0)
		return err_set(err, ERR_UNAVAILABLE,
		    "the other proxy has closed the connection");
	if (in->is_whole) {
		drop_fds(in);
		buf_reset(&in->data);
		memcpy(in->fds, fds, n_fds * sizeof *fds);
		in->n_fds = n_fds;
	} else if (n_fds > 0) {
		while (n_fds > 0)
			fd_close(&fds[--n_fds]);
		return err_set(err, ERR_PROTOCOL,
		    "descriptors came in the middle of a message");
	}
	if (len < 2 || (part[0] != 0 && part[0] != 1))
		return err_set(err, ERR_PROTOCOL, "a malformed part");
	in->is_whole = part[0] == 0;
	buf_append(&in->data, part + 1, len - 1);
	if (in->data.overflow)
		return err_set(err, ERR_LIMIT,
		    "a message has more than %zu bytes", PARCEL_MAX);
	return 1;
}

int parcel_receive(
    struct parcel_in *in, int fd, struct parcel *p, struct err *err)
{
	do {
		int rc = receive_part(in, fd, err);

		if (rc <= 0)
			return rc;
	} while (!in->is_whole);
	if (parcel_decode(
		slice_make(in->data.data, in->data.len), in->n_fds, p, err) < 0)
		return -1;
	return 1;
}
