/*
 * Any bytes as a message between engine and parent: what is taken stays inside
 * the bytes, is the same when it is written again, and does the parent no harm.
 * The first byte says how many descriptors came along.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxy/deposit.h"
#include "proxy/safe.h"

#define N_SLOTS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_again(struct slice in, size_t n_fds, const struct deposit *d)
{
	struct deposit again;
	struct err err;
	struct buf b;

	buf_init(&b, DEPOSIT_MAX);
	deposit_encode(&b, d);
	must(!b.overflow && b.len == in.len &&
	     memcmp(b.data, in.p, in.len) == 0);
	must(deposit_decode(slice_make(b.data, b.len), n_fds, &again, &err) ==
	     0);
	buf_fini(&b);
}

/* The parent's whole reaction; its descriptors are real ones. */
static void use(const struct deposit *d, size_t n_fds)
{
	static struct deposit_in in;
	struct safe safe;
	struct err err;

	deposit_in_init(&in);
	for (; in.n_fds < n_fds; in.n_fds++)
		in.fds[in.n_fds] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	safe_init(&safe, N_SLOTS);
	(void)safe_take(&safe, &in, d, &err);
	must(safe.n_tunnels <= DEPOSIT_AT_ONCE && safe.cap <= 2 * N_SLOTS);
	safe_fini(&safe);
	deposit_in_fini(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct deposit d;
	struct slice in;
	struct err err;
	size_t n_fds;

	if (size < 1 || size > DEPOSIT_MAX)
		return 0;
	n_fds = data[0] % (DEPOSIT_FDS_MAX + 1);
	in = slice_make((const char *)data + 1, size - 1);
	if (deposit_decode(in, n_fds, &d, &err) < 0) {
		must(err.code == ERR_PROTOCOL);
		return 0;
	}
	must(d.kind < PARCEL_N_LISTENERS && d.type < DEPOSIT_N_TYPES);
	must(d.text.len <= in.len && d.items.len <= in.len);
	check_again(in, n_fds, &d);
	use(&d, n_fds);
	return 0;
}
