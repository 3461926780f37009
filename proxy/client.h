/*
 * The hub's side of the proxy's REST API (contract/proxy.md 4, contract/hub.md
 * 6.2): the only header of proxy/ that another program may include. Speaks to
 * our proxy and to configurable-http-proxy alike: at most 10 requests at a
 * time, the rest queued in order; connection errors and 429/5xx are tried
 * again with back-off for 30 s, but not what a certificate forbids. tests/sim
 * puts its own implementation in the place of client.c.
 */
#ifndef CARREL_PROXY_CLIENT_H
#define CARREL_PROXY_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

struct proxy_client;

struct proxy_client_options {
	const char *api_url;     /* http://127.0.0.1:8001 */
	const char *unix_socket; /* NULL: by the URL */
	const char *token;       /* copied; never logged */
	/* For https; copied, NULL: the system's authorities, no certificate. */
	const char *ca_file, *cert_file, *key_file;
	int64_t retry_ms; /* 0: 30000 */
};

/* err->code ERR_NONE: done. ERR_DENIED: the token is wrong, or one side of the
 * TLS does not believe the other. */
typedef void proxy_done_fn(const struct err *err, void *arg);
/* routes: an object keyed by unescaped path, as the contract says; borrowed. A
 * long list comes in several, one a turn of the loop. NULL ends it: with
 * ERR_NONE all were told. */
typedef void proxy_list_fn(
    const struct err *err, const json_t *routes, void *arg);

struct proxy_client *proxy_client_new(
    struct loop *l, const struct proxy_client_options *opt);
/* What is asked from now on, and what is tried again, goes there; NULL keeps.
 */
void proxy_client_point(
    struct proxy_client *c, const char *api_url, const char *token);
/* No callback comes after. */
void proxy_client_free(struct proxy_client **c);

/*
 * path: escaped, with a leading slash, no trailing slash but for "/". data:
 * borrowed object that is stored with the route ({"user":..,"server_name":..});
 * "target" and "jupyterhub": true are added here. Returns an id for
 * proxy_cancel; never calls back before it returned.
 */
uint64_t proxy_add(struct proxy_client *c, const char *path, const char *target,
    const json_t *data, proxy_done_fn *done, void *arg);
/* 404 counts as done. */
uint64_t proxy_delete(
    struct proxy_client *c, const char *path, proxy_done_fn *done, void *arg);
uint64_t proxy_list(struct proxy_client *c, proxy_list_fn *done, void *arg);
/* The request may still reach the proxy; its callback does not come. */
void proxy_cancel(struct proxy_client *c, uint64_t id);

#endif
