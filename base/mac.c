/*
 * Digests and comparison of secrets: see mac.h.
 */
#include "base/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <pthread.h>
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

/*
 * Found once: EVP_sha256() and HMAC() look for the algorithm at each call,
 * which takes longer than the work. They belong to the process, and nothing
 * changes them; `keyless` is only copied.
 */
static struct {
	pthread_once_t once;
	EVP_MD *sha256;
	EVP_MAC_CTX *keyless; /* HMAC-SHA-256 */
} found = { .once = PTHREAD_ONCE_INIT };

static void find_algorithms(void)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 6),
		OSSL_PARAM_END,
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	found.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	found.keyless = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	if (found.sha256 == NULL || found.keyless == NULL ||
	    EVP_MAC_CTX_set_params(found.keyless, params) != 1)
		broken("SHA-256");
}

void mac_sha256(const void *p, size_t n, unsigned char out[MAC_SHA256_LEN])
{
	pthread_once(&found.once, find_algorithms);
	if (EVP_Digest(p, n, out, NULL, found.sha256, NULL) != 1)
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
	EVP_MAC_CTX *ctx;
	size_t len = 0;

	pthread_once(&found.once, find_algorithms);
	ctx = EVP_MAC_CTX_dup(found.keyless);
	if (ctx == NULL ||
	    EVP_MAC_init(ctx, key_len > 0 ? key : (const void *)"", key_len,
		NULL) != 1 ||
	    EVP_MAC_update(ctx, p, n) != 1 ||
	    EVP_MAC_final(ctx, out, &len, MAC_SHA256_LEN) != 1)
		broken("HMAC-SHA-256");
	EVP_MAC_CTX_free(ctx);
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
