/*
 * Codes of authenticator apps: RFC 6238 with what every app can do (HMAC-SHA-1,
 * 30 seconds, six digits), computed by liboath. A secret is handled as people
 * type it, in base32.
 */
#ifndef CARREL_AUTH_TOTP_H
#define CARREL_AUTH_TOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define TOTP_SECRET_LEN 32 /* base32 of 20 bytes (RFC 4226 section 4, R6) */
#define TOTP_STEP_S     30
#define TOTP_DIGITS     6

void totp_secret_new(char out[TOTP_SECRET_LEN + 1]);

/*
 * Is `typed` (spaces do not count) a code of now, or of the step before or
 * after (RFC 6238 section 5.2: slow typists, clocks that differ)? Codes up to
 * `last_step` are used up. 1 with *step_out, 0, or -1: the secret is none.
 */
int totp_check(const char *secret, const char *typed, int64_t now_s,
    int64_t last_step, int64_t *step_out, struct err *err) MUST_CHECK;

/* For people to type: groups of four. Both are texts in `a`. */
const char *totp_spaced(struct arena *a, const char *secret);
/* "otpauth://totp/...", as apps read it. */
const char *totp_uri(
    struct arena *a, const char *secret, const char *issuer, const char *name);

#endif
