/*
 * Digests and comparison of secrets: see mac.h.
 */
#include "base/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* SHA-256 cannot fail but for memory or a broken installation of OpenSSL. */
static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "%s failed in libcrypto: is OpenSSL complete?\n", what);
	abort();
}

void mac_sha256(const void *p, size_t n, unsigned char out[MAC_SHA256_LEN])
{
	if (EVP_Digest(p, n, out, NULL, EVP_sha256(), NULL) != 1)
		broken("SHA-256");
}

void mac_sha256_hex(const void *p, size_t n, char out[65])
{
	unsigned char digest[MAC_SHA256_LEN];

	mac_sha256(p, n, digest);
	hex_encode(digest, sizeof digest, out);
}

void mac_hmac_sha256(const void *key, size_t key_len, const void *p, size_t n,
    unsigned char out[MAC_SHA256_LEN])
{
	if (key_len > INT32_MAX || HMAC(EVP_sha256(), key_len > 0 ? key : "",
				       (int)key_len, p, n, out, NULL) == NULL)
		broken("HMAC-SHA-256");
}

void mac_hmac_sha1(const void *key, size_t key_len, const void *p, size_t n,
    unsigned char out[MAC_SHA1_LEN])
{
	if (key_len > INT32_MAX || HMAC(EVP_sha1(), key_len > 0 ? key : "",
				       (int)key_len, p, n, out, NULL) == NULL)
		broken("HMAC-SHA-1");
}

bool mac_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	return a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0;
}

bool mac_equal_str(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return false;
	return mac_equal(a, strlen(a), b, strlen(b));
}
