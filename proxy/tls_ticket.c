/*
 * Keys of session tickets: see tls_ticket.h. RFC 5077 4: AES-CBC for the state,
 * HMAC over all.
 */
#include "proxy/tls_ticket.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"

#define NAME_LEN 16
#define N_KEYS   2

struct key {
	unsigned char name[NAME_LEN], cipher[32], mac[32];
	int64_t since_s;
};

struct tls_tickets {
	pthread_mutex_t lock;
	struct key keys[N_KEYS]; /* the one in use, the one before it */
	size_t n_keys;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int index_in_ctx = -1;

static void make_index(void)
{
	index_in_ctx = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *t = xcalloc(1, sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void tls_tickets_free(struct tls_tickets **tp)
{
	struct tls_tickets *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	mem_wipe(t, sizeof *t);
	free(t);
}

/* ---- keys ---------------------------------------------------------------- */

static void renew(struct tls_tickets *t, int64_t now)
{
	struct key *k = &t->keys[0];

	if (t->n_keys > 0 && now - k->since_s < TLS_TICKET_S)
		return;
	t->keys[1] = *k;
	rand_bytes(k->name, sizeof k->name);
	rand_bytes(k->cipher, sizeof k->cipher);
	rand_bytes(k->mac, sizeof k->mac);
	k->since_s = now;
	if (t->n_keys < N_KEYS)
		t->n_keys++;
}

static struct key current_key(struct tls_tickets *t)
{
	struct key k;

	pthread_mutex_lock(&t->lock);
	renew(t, clock_wall_s());
	k = t->keys[0];
	pthread_mutex_unlock(&t->lock);
	return k;
}

static bool find_key(
    struct tls_tickets *t, const unsigned char *name, struct key *out)
{
	bool found = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_keys && !found; i++) {
		found = memcmp(t->keys[i].name, name, NAME_LEN) == 0;
		if (found)
			*out = t->keys[i];
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

/* ---- from one process to the next ---------------------------------------- */

#define SAVED_LEN (NAME_LEN + 32 + 32 + 8)

_Static_assert(N_KEYS *SAVED_LEN <= TLS_TICKETS_BYTES, "all of them");

void tls_tickets_save(struct tls_tickets *t, struct buf *out)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_keys; i++) {
		const struct key *k = &t->keys[i];
		uint64_t since = (uint64_t)k->since_s;

		buf_append(out, k->name, sizeof k->name);
		buf_append(out, k->cipher, sizeof k->cipher);
		buf_append(out, k->mac, sizeof k->mac);
		for (int b = 0; b < 8; b++)
			buf_char(out, (char)(since >> (8 * b) & 0xff));
	}
	pthread_mutex_unlock(&t->lock);
}

static struct key load_key(const char *p, int64_t now)
{
	uint64_t since = 0;
	struct key k;

	memcpy(k.name, p, sizeof k.name);
	memcpy(k.cipher, p + NAME_LEN, sizeof k.cipher);
	memcpy(k.mac, p + NAME_LEN + 32, sizeof k.mac);
	for (int b = 0; b < 8; b++)
		since |= (uint64_t)(unsigned char)p[NAME_LEN + 64 + b]
			 << (8 * b);
	/* A clock that was set must not keep a key for ever. */
	k.since_s = since <= (uint64_t)now ? (int64_t)since : now;
	return k;
}

int tls_tickets_load(struct tls_tickets *t, struct slice saved, struct err *err)
{
	size_t n = saved.len / SAVED_LEN;

	if (n > N_KEYS || saved.len % SAVED_LEN != 0)
		return err_set(err, ERR_PROTOCOL,
		    "ticket keys of %zu bytes are none", saved.len);
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < n; i++)
		t->keys[i] = load_key(saved.p + i * SAVED_LEN, clock_wall_s());
	if (n > 0)
		t->n_keys = n;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* ---- OpenSSL's question -------------------------------------------------- */

static int set_mac(EVP_MAC_CTX *mac, struct key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, k->mac, sizeof k->mac),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(struct tls_tickets *t, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct key k = current_key(t);
	int ok;

	memcpy(name, k.name, NAME_LEN);
	rand_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
	ok = EVP_EncryptInit_ex(
		 cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1 &&
	     set_mac(mac, &k) == 1;
	mem_wipe(&k, sizeof k);
	return ok ? 1 : -1;
}

/* 0: not one of ours, or too old: a full handshake. 2: and give a new one. */
static int open_ticket(struct tls_tickets *t, const unsigned char *name,
    const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct key k;
	int ok;

	if (!find_key(t, name, &k))
		return 0;
	ok = EVP_DecryptInit_ex(
		 cipher, EVP_aes_256_cbc(), NULL, k.cipher, iv) == 1 &&
	     set_mac(mac, &k) == 1;
	mem_wipe(&k, sizeof k);
	return ok ? 2 : -1;
}

static int on_ticket(SSL *s, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
	struct tls_tickets *t =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(s), index_in_ctx);

	if (seals != 0)
		return seal(t, name, iv, cipher, mac);
	return open_ticket(t, name, iv, cipher, mac);
}

int tls_tickets_use(
    struct tls_tickets *t, struct ssl_ctx_st *ctx, struct err *err)
{
	pthread_once(&once, make_index);
	if (index_in_ctx < 0 || SSL_CTX_set_ex_data(ctx, index_in_ctx, t) != 1)
		return err_set(err, ERR_INTERNAL, "TLS tickets");
	SSL_CTX_set_timeout(ctx, TLS_TICKET_S);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	return 0;
}
