/*
 * See oauth1.h.
 */
#include "auth/oauth1.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/str.h"

/* 20 bytes in base64 with its padding. */
#define SIGNATURE_LEN 28

/* Section 3.6 encodes as url_quote does: all but letters, digits, "-._~". */
static const char *encode(struct arena *a, const char *s)
{
	return url_quote(a, s, false);
}

static int compare(const void *x, const void *y)
{
	const struct url_pair *p = x, *q = y;
	int rc = strcmp(p->name, q->name);

	return rc ? rc : strcmp(p->value, q->value);
}

/* Section 3.4.1.3.2: encoded first, then sorted. */
static const char *normalise(struct arena *a, const struct url_pairs *params)
{
	struct url_pair *items =
	    arena_array(a, params->n + 1, sizeof(struct url_pair));
	struct buf b;
	size_t n = 0;

	for (size_t i = 0; i < params->n; i++) {
		const struct url_pair *p = &params->items[i];

		if (strcmp(p->name, "oauth_signature") != 0)
			items[n++] = (struct url_pair){ encode(a, p->name),
				encode(a, p->value) };
	}
	qsort(items, n, sizeof *items, compare);
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%s=%s", i > 0 ? "&" : "", items[i].name,
		    items[i].value);
	const char *out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

const char *oauth1_base_string(struct arena *a, const char *method,
    const char *uri, const struct url_pairs *params)
{
	return arena_printf(a, "%s&%s&%s", method, encode(a, uri),
	    encode(a, normalise(a, params)));
}

/* base64 -> the bytes of a MAC. */
static bool decode(const char *text, unsigned char out[MAC_SHA1_LEN])
{
	unsigned char raw[MAC_SHA1_LEN + 1];
	char url[SIGNATURE_LEN];
	size_t n = 0;

	if (strlen(text) != SIGNATURE_LEN || text[SIGNATURE_LEN - 1] != '=')
		return false;
	for (size_t i = 0; i < SIGNATURE_LEN - 1; i++) {
		char c = text[i];

		if (c == '-' || c == '_')
			return false;
		url[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	if (b64url_decode(
		slice_make(url, SIGNATURE_LEN - 1), raw, sizeof raw, &n) != 0 ||
	    n != MAC_SHA1_LEN)
		return false;
	memcpy(out, raw, MAC_SHA1_LEN);
	return true;
}

bool oauth1_is_signed(
    const char *base_string, const char *secret, const char *signature)
{
	unsigned char mac[MAC_SHA1_LEN], given[MAC_SHA1_LEN];
	struct arena a;
	char *key;
	bool is_right;

	arena_init(&a);
	key = arena_printf(&a, "%s&", encode(&a, secret));
	mac_hmac_sha1(key, strlen(key), base_string, strlen(base_string), mac);
	is_right = decode(signature, given) &&
		   mac_equal(mac, sizeof mac, given, sizeof given);
	mem_wipe(key, strlen(key));
	mem_wipe(mac, sizeof mac);
	arena_fini(&a);
	return is_right;
}
