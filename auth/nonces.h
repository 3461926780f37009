/*
 * What may be used once within a window of time: a bounded memory of digests.
 * Each is forgotten when its window is over; a full memory says so instead of
 * forgetting one that could come again.
 */
#ifndef CARREL_AUTH_NONCES_H
#define CARREL_AUTH_NONCES_H

#include <stddef.h>
#include <stdint.h>

#define NONCES_MAX 8192

struct nonce {
	unsigned char digest[16];
	int64_t until_s;
};

/* Zeroed at first. */
struct nonces {
	struct nonce items[NONCES_MAX]; /* a ring, oldest at `first` */
	size_t first, n;
};

enum nonce_verdict { NONCE_NEW, NONCE_USED, NONCE_FULL };

/* `text` is remembered until `until_s`, which never goes back much: memory is
 * freed in the order of calls. */
enum nonce_verdict nonces_use(
    struct nonces *o, const char *text, int64_t now_s, int64_t until_s);

#endif
