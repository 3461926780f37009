/*
 * What the parts of the HTTP client share: fetch.c (curl in the loop, requests
 * and answers) and fetch_fail.c (errors in words). Nobody else includes this.
 */
#ifndef CARREL_BASE_FETCH_PRIV_H
#define CARREL_BASE_FETCH_PRIV_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/list.h"

/* Bounds of an answer's head. */
#define FETCH_MAX_HEADERS      128
#define FETCH_MAX_HEADER_BYTES ((size_t)64 << 10)

struct exchange {
	struct list link;
	struct fetcher *fetcher;
	uint64_t id;
	fetch_done_fn *done;
	void *arg;
	struct defer deliver;

	CURL *easy;
	bool is_in_multi;
	struct curl_slist *head;
	struct arena arena;
	const char *peer; /* "127.0.0.1:8001" or the socket's path */
	int64_t connect_timeout_ms, timeout_ms;

	struct fetch_header *headers;
	size_t n_headers;
	struct buf body;
	bool has_long_head;
	int status;
	struct err err;
};

/* Fill in x->err: what happened and with whom, without any part of the URL. */
void fetch_fail(struct exchange *x, CURLcode code);

#endif
