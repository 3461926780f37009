/*
 * The proxy's own answers: small, complete, from memory.
 */
#ifndef CARREL_PROXY_REPLY_H
#define CARREL_PROXY_REPLY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct conn;

struct reply {
	int status;
	const char *type;    /* Content-Type; NULL: none */
	struct slice fields; /* further field lines with CRLF; may be "" */
	struct slice retry;  /* the line of Retry-After, or "" */
	struct slice body;
	bool is_head; /* the length is said, the body is not sent */
	bool closes;
	bool says_keep_alive;
};

/* "Not Found"; "Error" for a status without a name. */
const char *reply_reason(int status);
/* 0, or -1: the client is gone. */
int reply_send(struct conn *c, const struct reply *r) MUST_CHECK;
/* No body, Connection: close. */
int reply_bare(struct conn *c, int status) MUST_CHECK;

#endif
