/*
 * HTTP client: libcurl's multi interface in our loop. Never follows redirects,
 * never uses a proxy from the environment, never sends a cookie of its own.
 */
#ifndef CARREL_BASE_FETCH_H
#define CARREL_BASE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct fetcher;

struct fetch_header {
	const char *name, *value;
};

struct fetch_req {
	const char *method;      /* "GET" ... */
	const char *url;         /* http(s)://host:port/path?query */
	const char *unix_socket; /* connect there instead; NULL: by the URL */
	const struct fetch_header *headers;
	size_t n_headers;
	const void *body; /* copied; NULL: none */
	size_t body_len;
	int64_t connect_timeout_ms; /* 0: 5000 */
	int64_t timeout_ms;         /* whole exchange; 0: 30000 */
	size_t max_body_bytes;      /* of the answer; 0: 1 MiB */
	const char *ca_file;        /* NULL: the system's */
	const char *cert_file;      /* PEM, to show the server; or NULL */
	const char *key_file;       /* PEM; NULL: in cert_file */
	bool trusts_any;            /* do not check who the server is */
};

struct fetch_result {
	int status;                         /* 0: no answer, see err */
	struct slice body;                  /* valid during the callback */
	const struct fetch_header *headers; /* of the answer, names as sent */
	size_t n_headers;
	struct err err;
};

typedef void fetch_done_fn(const struct fetch_result *res, void *arg);

struct fetcher *fetcher_new(struct loop *l, unsigned max_connections);
/* Cancels what runs; no callback comes after. */
void fetcher_free(struct fetcher **f);
/* All arguments are copied. Never calls back before it returned. Returns the id
 * (> 0); failures come through the callback too. */
uint64_t fetch_start(struct fetcher *f, const struct fetch_req *req,
    fetch_done_fn *done, void *arg);
/* No callback for it comes after; unknown ids are ignored. */
void fetch_cancel(struct fetcher *f, uint64_t id);
const char *fetch_header(const struct fetch_result *res, const char *name);

#endif
