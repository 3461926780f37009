/*
 * OpenSSL's calls on a connection, as a transport needs them: each says what it
 * waits for, none leaves an error behind in the thread's queue. Knows no
 * contexts (tls.h) and no events (transport.h).
 */
#ifndef CARREL_PROXY_TLS_IO_H
#define CARREL_PROXY_TLS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/err.h"

struct ssl_st;
struct ssl_ctx_st;

enum tls_outcome {
	TLS_DONE,       /* all that was asked for */
	TLS_WANTS_IN,   /* the socket is empty */
	TLS_WANTS_ROOM, /* the socket is full */
	TLS_ENDED,      /* the peer said that it will send no more */
	TLS_BROKEN,     /* nothing can be read or written any more */
};

/*
 * A connection on fd, which is borrowed. host: we are the client, and the
 * peer's certificate has to be for this name or number; NULL: the server.
 */
struct ssl_st *tls_io_new(struct ssl_ctx_st *ctx, int fd, const char *host);
/* Safe on NULL; says nothing to the peer. */
void tls_io_free(struct ssl_st **s);

/* TLS_BROKEN: err says why. */
enum tls_outcome tls_io_shake(struct ssl_st *s, struct err *err);
bool tls_io_was_resumed(struct ssl_st *s);
/* ALPN came to "h2". */
bool tls_io_chose_h2(struct ssl_st *s);
/*
 * Bytes that came, whatever *why there are no more of them. may_stop: a read of
 * the socket that gets less than it asked for has emptied it, and nobody has
 * announced the end of the stream: the next byte is a new edge.
 */
size_t tls_io_read(struct ssl_st *s, void *p, size_t cap, bool may_stop,
    enum tls_outcome *why);
/*
 * Bytes that were taken. Those that were not must be what comes next: a record
 * may be half out. The kernel gets several records as one run of bytes.
 */
size_t tls_io_write(
    struct ssl_st *s, const struct iovec *iov, size_t n, enum tls_outcome *why);
/* TLS_WANTS_IN: nothing has come that would have to be read. */
enum tls_outcome tls_io_peek(struct ssl_st *s);
/* Say that we will send no more. */
enum tls_outcome tls_io_end(struct ssl_st *s);

#endif
