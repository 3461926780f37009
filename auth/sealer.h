/*
 * Sealing what must not be read from the database file alone:
 * XChaCha20-Poly1305 by libsodium. The keys stand in a file of their own, one a
 * line (64 hex digits): the first one seals, all of them open, so that a key is
 * changed by putting a new line before the others.
 */
#ifndef CARREL_AUTH_SEALER_H
#define CARREL_AUTH_SEALER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct sealer;

/*
 * The file must be ours alone (0600). When it does not exist and `make` is set,
 * it is made with one new key. NULL with err.
 */
struct sealer *sealer_open(const char *path, bool make, struct err *err);
void sealer_close(struct sealer **s);

/*
 * `context` says whose it is ("auth_state 17"): what was sealed for one is not
 * opened for another. Both results are texts in `a`.
 */
const char *sealer_seal(const struct sealer *s, struct arena *a,
    const char *context, const char *text);
/* NOT_FOUND: sealed by a key that is not in the file; DENIED: changed, or of
 * another context. */
int sealer_unseal(const struct sealer *s, struct arena *a, const char *context,
    const char *sealed, const char **out, struct err *err) MUST_CHECK;

#endif
