/*
 * Logins that came of a secret which many share remember which one: when it is
 * changed, they end (hub/app.c). What is remembered is a digest under a key of
 * this hub, from which nobody guesses the secret.
 */
#ifndef CARREL_AUTH_ORIGIN_H
#define CARREL_AUTH_ORIGIN_H

#include "auth/identity.h"
#include "auth/keys.h"

/* Of a secret of this kind of login ("dummy"). keys NULL: while options are
 * only checked; then it means nothing. */
void origin_of(const struct keys *keys, const char *kind, const char *secret,
    unsigned char out[ORIGIN_LEN]);

#endif
