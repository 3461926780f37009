/*
 * Listening sockets that came from another process (the one before, or the
 * parent), until somebody asks for them by what they are.
 */
#ifndef CARREL_PROXY_SOCKETS_H
#define CARREL_PROXY_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "proxy/parcel.h"

#define SOCKETS_MAX 1024

struct socket_item {
	int fd; /* -1: taken */
	enum parcel_listener kind;
	uint16_t port; /* 0: a unix socket */
	char *text;    /* address or path */
};

struct sockets {
	struct socket_item *items;
	size_t n;
};

/* All zero is empty. Takes fd, on failure too. ERR_LIMIT */
int sockets_add(struct sockets *s, int fd, enum parcel_listener kind,
    uint16_t port, struct slice text, struct err *err) MUST_CHECK;
/* One of that kind, port (0: any; unix: 0) and address or path, or -1. The
 * caller's from then on. */
int sockets_take(struct sockets *s, enum parcel_listener kind, uint16_t port,
    const char *text);
/* Close what is left. */
void sockets_clear(struct sockets *s);

#endif
