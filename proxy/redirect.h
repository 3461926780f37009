/*
 * The plain HTTP port beside a TLS one: sends everybody to https, and serves
 * the files by which a certificate authority sees whose this host is (ACME,
 * RFC 8555 8.3). On the main loop.
 */
#ifndef CARREL_PROXY_REDIRECT_H
#define CARREL_PROXY_REDIRECT_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct redirect;

struct redirect_options {
	struct loop *loop;
	uint16_t port;       /* of https, for the Location; 443 is left out */
	const char *webroot; /* NULL: no ACME */
};

/* Takes fd, on failure too. */
struct redirect *redirect_open(
    const struct redirect_options *opt, int fd, struct err *err);
void redirect_close(struct redirect **r);

#endif
