/*
 * TLS in front of a plain server of our own (libmicrohttpd's is GnuTLS): it
 * listens, wants a certificate of each client, ends TLS here and hands the
 * plain bytes over by a socket pair. For hundreds of connections on the main
 * loop; the proxy's data plane has an engine of its own.
 */
#ifndef CARREL_BASE_TLS_FRONT_H
#define CARREL_BASE_TLS_FRONT_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"

struct tls_front;

/* PEM files. */
struct tls_front_files {
	const char *key, *cert;
	const char *authorities; /* a client must have one of these */
};

/* A client proved itself: takes fd, our end of the pair. The address is that
 * of the client. */
typedef void tls_front_fn(
    int fd, const struct sockaddr *peer, socklen_t len, void *arg);

struct tls_front_options {
	const char *name; /* for messages */
	/* Beyond it the newest of whoever has the most goes (base/crowd.h). */
	unsigned max_connections;
	tls_front_fn *fn;
	void *arg;
};

/* Takes listen_fd, on failure too; NULL with err. Strings live as long as it.
 */
struct tls_front *tls_front_open(struct loop *l, int listen_fd,
    const struct tls_front_files *files, const struct tls_front_options *opt,
    struct err *err);
/* Other files from now on; connections go on with what they began with. -1:
 * they cannot be used, and those before stay. */
int tls_front_load(struct tls_front *f, const struct tls_front_files *files,
    struct err *err) MUST_CHECK;
/* Accept no more; what runs goes on. */
void tls_front_quiesce(struct tls_front *f);
/* Closes everything; accepts NULL inside. */
void tls_front_close(struct tls_front **f);

#endif
