/*
 * See nonces.h.
 */
#include "auth/nonces.h"

#include <string.h>

#include "base/mac.h"

static struct nonce *item(struct nonces *o, size_t i)
{
	return &o->items[(o->first + i) % NONCES_MAX];
}

static void drop_old(struct nonces *o, int64_t now_s)
{
	while (o->n > 0 && item(o, 0)->until_s < now_s) {
		o->first = (o->first + 1) % NONCES_MAX;
		o->n--;
	}
}

enum nonce_verdict nonces_use(
    struct nonces *o, const char *text, int64_t now_s, int64_t until_s)
{
	unsigned char digest[MAC_SHA256_LEN];
	struct nonce *added;

	drop_old(o, now_s);
	mac_sha256(text, strlen(text), digest);
	for (size_t i = 0; i < o->n; i++) {
		if (!memcmp(
			item(o, i)->digest, digest, sizeof item(o, i)->digest))
			return NONCE_USED;
	}
	if (o->n == NONCES_MAX)
		return NONCE_FULL;
	added = item(o, o->n++);
	memcpy(added->digest, digest, sizeof added->digest);
	added->until_s = until_s;
	return NONCE_NEW;
}
