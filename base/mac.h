/*
 * Digests and comparison of secrets (OpenSSL's libcrypto).
 */
#ifndef CARREL_BASE_MAC_H
#define CARREL_BASE_MAC_H

#include <stdbool.h>
#include <stddef.h>

#define MAC_SHA256_LEN 32
#define MAC_SHA1_LEN   20

void mac_sha256(const void *p, size_t n, unsigned char out[MAC_SHA256_LEN]);
/* Lower-case hex of it, 65 bytes with NUL. */
void mac_sha256_hex(const void *p, size_t n, char out[65]);
void mac_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n,
    unsigned char out[MAC_SHA256_LEN]);
/* Only for protocols that demand it (OAuth 1.0: RFC 5849 3.4.2). */
void mac_hmac_sha1(const void *key, size_t key_len, const void *p, size_t n,
    unsigned char out[MAC_SHA1_LEN]);
/* Constant time in the content; lengths may differ (then false). */
bool mac_equal(const void *a, size_t a_len, const void *b, size_t b_len);
/* False when either is NULL. */
bool mac_equal_str(const char *a, const char *b);

#endif
