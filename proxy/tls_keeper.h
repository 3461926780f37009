/*
 * Keeps a TLS context up to date with its files: makes it, looks every few
 * seconds whether a file is another one, makes it anew then or when it is told
 * to. What cannot be loaded is reported and changes nothing.
 */
#ifndef CARREL_PROXY_TLS_KEEPER_H
#define CARREL_PROXY_TLS_KEEPER_H

#include "base/err.h"
#include "base/loop.h"
#include "proxy/tls.h"

struct tls_keeper;

/* There is a new context; borrowed for the call. */
typedef void tls_changed_fn(struct ssl_ctx_st *ctx, void *arg);

struct tls_keeper_options {
	const char *name; /* for messages: "public port" */
	struct loop *loop;
	/* Its strings and lists live as long as the keeper. */
	struct tls_options tls;
	/* Until all files are there: without certificate and CA. */
	bool may_be_absent;
	struct tls_tickets *tickets; /* of a server; NULL: a client */
	tls_changed_fn *fn;
	void *arg;
};

/* NULL with err: the first context cannot be made. */
struct tls_keeper *tls_keeper_new(
    const struct tls_keeper_options *opt, struct err *err);
void tls_keeper_free(struct tls_keeper **k);
/* The present context; borrowed. */
struct ssl_ctx_st *tls_keeper_ctx(const struct tls_keeper *k);
/* Load the files now. */
void tls_keeper_reload(struct tls_keeper *k);

#endif
