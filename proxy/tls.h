/*
 * TLS contexts: certificates, keys and rules of the public port, of the API, of
 * the way to targets. A context is immutable and counted; each connection holds
 * the one that it began with, so a new one takes over without disturbing it.
 */
#ifndef CARREL_PROXY_TLS_H
#define CARREL_PROXY_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct ssl_ctx_st;
struct tls_tickets;

/* All borrowed for the call. */
struct tls_options {
	/*
	 * PEM files, pairs by position. One list may be empty: then the files
	 * of the other have both. The first pair is the server's default.
	 */
	const char *const *keys, *const *certs;
	size_t n_keys, n_certs;
	const char *passphrase; /* of the keys; NULL: none */
	const char *ca;         /* whom we believe; NULL: the system's */
	bool adds_system_ca;    /* the system's too */
	/* A server: clients must show a certificate; a client: check it. */
	bool verifies;
	const char *protocol; /* "TLS", "TLSv1_2", "TLSv1_3"; NULL: the first */
	const char *ciphers;  /* NULL: our own list */
	const char *dhparam;  /* PEM; NULL: no finite-field exchange */
	bool offers_h2;       /* a server: HTTP/2 before HTTP/1.1 */
};

/* NULL with err: which file, and what is wrong with it. */
struct ssl_ctx_st *tls_server_new(
    const struct tls_options *o, struct tls_tickets *tickets, struct err *err);
struct ssl_ctx_st *tls_client_new(const struct tls_options *o, struct err *err);
struct ssl_ctx_st *tls_ref(struct ssl_ctx_st *ctx);
/* Drops one reference and sets NULL; accepts NULL inside. */
void tls_unref(struct ssl_ctx_st **ctx);

#endif
