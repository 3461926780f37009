/*
 * TLS in front of a server that knows none (libmicrohttpd's own is GnuTLS): it
 * accepts, ends TLS here, and hands the plain bytes over by a socketpair. For
 * the REST API: a few hundred connections, on the main loop.
 */
#ifndef CARREL_PROXY_TLS_GATE_H
#define CARREL_PROXY_TLS_GATE_H

#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"

struct ssl_ctx_st;
struct tls_gate;

/* A client is through: takes fd. The address is that of the client. */
typedef void tls_gate_fn(
    int fd, const struct sockaddr *peer, socklen_t len, void *arg);

/* Takes listen_fd, and a reference of ctx; on failure too. */
struct tls_gate *tls_gate_open(struct loop *l, int listen_fd,
    struct ssl_ctx_st *ctx, tls_gate_fn *fn, void *arg, struct err *err);
/* Accept from this one in place of the one before. Takes it. */
int tls_gate_listen(
    struct tls_gate *g, int listen_fd, struct err *err) MUST_CHECK;
void tls_gate_close(struct tls_gate **g);
/* For connections from now on; takes the reference. */
void tls_gate_set(struct tls_gate *g, struct ssl_ctx_st *ctx);

#endif
