/*
 * See origin.h.
 */
#include "auth/origin.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/mem.h"

#define TEXT_MAX 2048

static_assert(ORIGIN_LEN == MAC_SHA256_LEN, "an origin is an HMAC");

void origin_of(const struct keys *keys, const char *kind, const char *secret,
    unsigned char out[ORIGIN_LEN])
{
	struct buf b;

	memset(out, 0, ORIGIN_LEN);
	if (!keys)
		return;
	/* No kind has a NUL in its name: nothing is ambiguous. */
	buf_init(&b, TEXT_MAX);
	buf_append(&b, kind, strlen(kind) + 1);
	buf_str(&b, secret);
	assert(!b.overflow);
	mac_hmac_sha256(keys->origin, sizeof keys->origin, b.data, b.len, out);
	mem_wipe(b.data, b.len);
	buf_fini(&b);
}
