/*
 * One line of the access log, as JSON or in the "combined" format of web
 * servers. Bounded; control bytes and quotes are escaped; of the target only
 * the path stands in it, for a query may hold a token. No header is in it at
 * all: no cookie, no Authorization, no Referer.
 */
#ifndef CARREL_PROXY_ACCESS_LINE_H
#define CARREL_PROXY_ACCESS_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct access_entry {
	int64_t wall_us; /* when it ended */
	int64_t took_ms;
	const char *client;  /* address; "unix" */
	struct slice method; /* "": the head could not be read */
	struct slice target; /* as sent */
	int minor;           /* HTTP/1.minor */
	int status;          /* 499: the client left before an answer */
	uint64_t n_bytes;    /* of the body that was sent */
	const char *route;   /* its path; NULL: none */
	const char *origin;  /* of the route's target; NULL: none */
	bool is_secure, is_upgrade;
};

/* With its newline, at most ACCESS_LINE_MAX bytes. */
void access_line_json(struct buf *out, const struct access_entry *e);
void access_line_combined(struct buf *out, const struct access_entry *e);

#endif
