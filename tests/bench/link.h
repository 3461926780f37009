/*
 * One client connection of the load generator: plain or TLS, never blocking.
 */
#ifndef CARREL_TESTS_BENCH_LINK_H
#define CARREL_TESTS_BENCH_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "base/err.h"

struct link {
	int fd; /* -1: closed */
	SSL *ssl;
	bool shaken; /* the TLS handshake is over; true without TLS */
};

/* A context for clients that believe any certificate; ends the program when
 * OpenSSL cannot make one. With resume, the last session is offered again. */
SSL_CTX *link_context(bool resume);

/* ctx NULL: plain. */
int link_open(struct link *l, const struct sockaddr_in *to, SSL_CTX *ctx,
    struct err *err) MUST_CHECK;
void link_close(struct link *l);
/* 1 connected and shaken, 0 not yet, -1 failed. */
int link_shake(struct link *l);
/* Bytes moved; 0: later; -1: ended or failed. */
ssize_t link_read(struct link *l, void *p, size_t cap);
ssize_t link_write(struct link *l, const void *p, size_t n);
/* Was this TLS session a resumed one? */
bool link_is_resumed(const struct link *l);

#endif
