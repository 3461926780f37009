/*
 * The keys with which this hub signs as an OpenID provider: RSA, made here, one
 * file (openid.json, 0600) below the state directory's keys/. A file that
 * others could read or that is damaged is refused, never replaced in silence.
 *
 * Keys turn: a new one is published a day before it signs, because relying
 * parties keep the set for a while, and an old one a day after it last did.
 * Knows no HTTP and no clock.
 */
#ifndef CARREL_AUTH_OPENID_KEYS_H
#define CARREL_AUTH_OPENID_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define OPENID_KEY_LIFE_S  (90 * 86400) /* then the next one is made */
#define OPENID_KEY_EARLY_S 86400        /* published before it signs */
#define OPENID_KEY_LATE_S  86400        /* published after it signed */

struct openid_keys;

/* `dir` exists. Without a file the first key is made, which takes a moment. */
int openid_keys_open(const char *dir, int64_t now_s, struct openid_keys **out,
    struct err *err) MUST_CHECK;
void openid_keys_close(struct openid_keys **k);

/* {"keys": [...]}, public members only; a new reference. */
json_t *openid_keys_public(const struct openid_keys *k);
/* A signed JWT (RS256) with these claims, malloc'ed. */
int openid_keys_sign(const struct openid_keys *k, const json_t *claims,
    int64_t now_s, char **out, struct err *err) MUST_CHECK;

/* Is it time for a new key? */
bool openid_keys_is_due(const struct openid_keys *k, int64_t now_s);
/* A new private key as text, malloc'ed (wipe it); NULL: it failed. Slow and
 * without a state of ours: for a thread. */
char *openid_key_make(void);
/*
 * Put `fresh` (NULL: none) beside the others, drop those that are published
 * long enough, write the file if anything changed. -1: the keys are as before.
 */
int openid_keys_turn(struct openid_keys *k, const char *fresh, int64_t now_s,
    struct err *err) MUST_CHECK;

#endif
