/*
 * Secret keys of this hub: one file each below the state directory's keys/,
 * mode 0600, made on first use. A key that others could read or that has the
 * wrong length is refused, never replaced in silence.
 */
#ifndef CARREL_AUTH_KEYS_H
#define CARREL_AUTH_KEYS_H

#include "base/err.h"

#define KEY_LEN 32

struct keys {
	unsigned char xsrf[KEY_LEN];
	unsigned char origin[KEY_LEN]; /* auth/origin.h */
};

/* `dir` is made (0700) when absent. */
int keys_load(const char *dir, struct keys *out, struct err *err) MUST_CHECK;
void keys_wipe(struct keys *k);

#endif
