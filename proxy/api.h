/*
 * The REST API for routes (contract/proxy.md 4), who holds what, and the
 * metrics page, on the API thread's loop. The token is checked before a body is
 * read.
 */
#ifndef CARREL_PROXY_API_H
#define CARREL_PROXY_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct api;
struct metrics;
struct ssl_ctx_st;
struct table;

struct api_options {
	struct loop *loop;
	struct table *table;
	const char *token, *metrics_token; /* "": everybody may */
	/* Of the workers; the API's own counters are added. */
	struct metrics *const *metrics;
	size_t n_metrics;
	struct ssl_ctx_st *tls; /* of the REST API; NULL: plain */
};

struct api *api_new(const struct api_options *opt);
/* Takes fd. Requests of the REST API, or for /metrics, are answered on it. */
int api_listen(struct api *a, int fd, struct err *err) MUST_CHECK;
int api_listen_metrics(struct api *a, int fd, struct err *err) MUST_CHECK;
/* From now on on this one, in place of the one before. Takes fd. */
int api_listen_again(struct api *a, int fd, struct err *err) MUST_CHECK;
int api_listen_metrics_again(struct api *a, int fd, struct err *err) MUST_CHECK;
/* Another process answers from now on: running calls end, others get 503. */
void api_leave(struct api *a);
/* TLS for connections from now on. */
void api_set_tls(struct api *a, struct ssl_ctx_st *tls);
void api_free(struct api **a);
/* The API's own counters. */
struct metrics *api_metrics(struct api *a);

/*
 * A date as inactive_since takes it: ISO 8601 with or without a time, the date
 * of HTTP. Unix milliseconds.
 */
int api_parse_date(const char *text, int64_t *out, struct err *err) MUST_CHECK;

#endif
