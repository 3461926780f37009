/*
 * Any bytes as a message of a takeover: what is taken stays inside the bytes,
 * keeps its bounds, and is the same when it is written and read again. The
 * first byte says how many descriptors came along.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/metrics.h"
#include "proxy/parcel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_inside(struct slice whole, struct slice part)
{
	must(part.len == 0 ||
	     (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void check_again(struct slice in, size_t n_fds, const struct parcel *p)
{
	struct parcel again;
	struct err err;
	struct buf b;

	buf_init(&b, 2 * PARCEL_MAX);
	parcel_encode(&b, p);
	must(!b.overflow && b.len == in.len &&
	     memcmp(b.data, in.p, in.len) == 0);
	must(
	    parcel_decode(slice_make(b.data, b.len), n_fds, &again, &err) == 0);
	buf_fini(&b);
}

static void use_items(const struct parcel *p)
{
	static struct metrics m;
	struct slice rest = p->items;
	struct parcel_activity a;
	struct parcel_counter c;
	size_t n = 0;

	if (p->type == PARCEL_COUNTERS) {
		for (; parcel_next_counter(&rest, &c); n++)
			metrics_take(&m, c.family, c.index, c.value);
		must(n == p->items.len / 12);
	}
	if (p->type == PARCEL_ACTIVITY)
		for (; parcel_next_activity(&rest, &a); n++)
			must(a.last_ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parcel p;
	struct slice in;
	struct err err;
	size_t n_fds;

	if (size < 1 || size > PARCEL_MAX)
		return 0;
	n_fds = data[0] % (PARCEL_FDS_MAX + 2);
	in = slice_make((const char *)data + 1, size - 1);
	if (parcel_decode(in, n_fds, &p, &err) < 0) {
		must(err.code == ERR_PROTOCOL);
		return 0;
	}
	check_inside(in, p.text);
	check_inside(in, p.key);
	check_inside(in, p.object);
	check_inside(in, p.to_client);
	check_inside(in, p.to_target);
	check_inside(in, p.items);
	must(p.kind < PARCEL_N_LISTENERS && p.last_ms >= 0);
	check_again(in, n_fds, &p);
	use_items(&p);
	return 0;
}
