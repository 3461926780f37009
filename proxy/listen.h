/*
 * Listening sockets of the proxy and of its API, and accepting on them.
 */
#ifndef CARREL_PROXY_LISTEN_H
#define CARREL_PROXY_LISTEN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct worker;

/*
 * One socket per worker for a TCP address (the kernel spreads connections), one
 * shared by all for a unix socket (fds are duplicates of it). A port in use is
 * ERR_EXISTS and the text names its owner. port 0: chosen, see *port_out.
 */
int listen_tcp(const char *ip, uint16_t port, int *fds, size_t n,
    uint16_t *port_out, struct err *err) MUST_CHECK;
/* The mode that a unix socket gets, by umask; before other threads run. */
mode_t listen_mode(void);
int listen_unix(
    const char *path, int *fds, size_t n, struct err *err) MUST_CHECK;

/* Accept on the worker's listener from now on. */
int listen_start(struct worker *w, int fd, struct err *err) MUST_CHECK;
/* Accept from fd in its place; its number does not change. Takes fd. */
int listen_replace(struct worker *w, int fd, struct err *err) MUST_CHECK;
/* Stop and close it. */
void listen_stop(struct worker *w);

#endif
