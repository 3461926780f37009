/*
 * What is changed in heads on the way (contract/proxy.md 6 and 7). Fields that
 * stay are copied as they came, with their order, spelling and repetition.
 */
#ifndef CARREL_PROXY_REWRITE_H
#define CARREL_PROXY_REWRITE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/httphead.h"
#include "base/str.h"

struct config;
struct target;

/* The parts of a request target (origin form or absolute form). */
struct rewrite_target {
	struct slice path;      /* raw, begins with '/' */
	struct slice query;     /* raw, with its '?'; may be "" */
	struct slice authority; /* of the absolute form; else p is NULL */
};

/* -1: neither form. */
int rewrite_split_target(
    struct slice target, struct rewrite_target *out) MUST_CHECK;

struct rewrite_request {
	const struct config *config;
	const struct target *target;
	const struct http_head *head;
	struct slice text; /* the bytes of the head */
	struct rewrite_target split;
	struct slice rest; /* of the path, behind the prefix of the route */
	struct slice host; /* p NULL: none */
	const char *peer;  /* numeric address; "" for a unix socket */
	bool peer_is_trusted;
	bool is_upgrade;
	bool is_secure; /* it came by TLS */
};

/* The whole head for the target, with its empty line. */
void rewrite_request(struct buf *out, const struct rewrite_request *r);

struct rewrite_response {
	const struct config *config;
	const struct target *target; /* of the route */
	const struct http_head *head;
	struct slice text;
	struct slice host; /* of the request */
	const char *date;
	bool re_chunks;    /* the client gets Transfer-Encoding: chunked */
	bool keeps_length; /* Content-Length is passed on */
	bool is_upgrade;   /* it is the 101 */
	bool is_interim;   /* it is another 1xx */
	bool closes;       /* Connection: close */
	bool says_keep_alive;
};

void rewrite_response(struct buf *out, const struct rewrite_response *r);

#endif
