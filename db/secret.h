/*
 * Random secrets that are shown once and kept as digests. Private to db/.
 */
#ifndef CARREL_DB_SECRET_H
#define CARREL_DB_SECRET_H

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/mac.h"

/* No secret that we know is longer: what is, is not one of ours. */
#define SECRET_TEXT_MAX 255

/* The column `digest` of `text`; false: too short or long to be a secret. */
static inline bool secret_digest(
    const char *text, unsigned char out[MAC_SHA256_LEN])
{
	size_t len = strnlen(text, SECRET_TEXT_MAX + 1);

	if (len < 8 || len > SECRET_TEXT_MAX)
		return false;
	mac_sha256(text, len, out);
	return true;
}

/* The same for one that we just made. */
static inline void secret_digest_own(
    const char *text, unsigned char out[MAC_SHA256_LEN])
{
	bool fits = secret_digest(text, out);

	assert(fits);
}

#endif
