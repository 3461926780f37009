/*
 * Signatures of OAuth 1.0 (RFC 5849 section 3.4), HMAC-SHA1 with a consumer's
 * secret and no token: what LTI 1.1 signs its forms with. Pure.
 */
#ifndef CARREL_AUTH_OAUTH1_H
#define CARREL_AUTH_OAUTH1_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/url.h"

/*
 * The signature base string, in `a`. `uri` is scheme, host and path, as
 * 3.4.1.2 wants them; `params` are those of query and body together, decoded,
 * in any order; oauth_signature is left out of them.
 */
const char *oauth1_base_string(struct arena *a, const char *method,
    const char *uri, const struct url_pairs *params);
/* Is `signature` (base64, as oauth_signature has it) the right one? */
bool oauth1_is_signed(
    const char *base_string, const char *secret, const char *signature);

#endif
