/*
 * TLS inside the house (hub.internal_tls): between the proxy and notebook
 * servers, the hub and servers, both sides with a certificate. Two
 * authorities, in the state directory's internal-tls/: the house's (hub and
 * proxy), whom servers believe, and the servers', whom hub and proxy believe.
 * So one person's server cannot speak with another's.
 *
 * The proxy's certificate stands in internal-tls/ beside the hub's socket, for
 * its group (hub.socket_group). Certificates of hub and proxy are made anew at
 * each start and every month; that of a server at its start.
 */
#ifndef CARREL_HUB_INTERNAL_TLS_H
#define CARREL_HUB_INTERNAL_TLS_H

#include "base/err.h"
#include "base/fetch.h"
#include "base/httpd.h"
#include "base/json.h"

struct app;
struct internal_tls;

/* app->internal_tls, NULL when it is off. loop, cfg and places are set. */
int internal_tls_open(struct app *app, struct err *err) MUST_CHECK;
void internal_tls_close(struct app *app);

/* What a server gets for START: key, certificate, authority; a new reference.
 * *out NULL when it is off. key: of the start. */
int internal_tls_issue(
    struct app *app, const char *key, json_t **out, struct err *err) MUST_CHECK;
/* Show the hub's certificate to a server, and believe the servers' authority;
 * nothing when it is off. */
void internal_tls_prepare(const struct app *app, struct fetch_req *req);

/* In front of the listener for servers. Takes listen_fd, on failure too; what
 * proves itself is given to `httpd`. */
int internal_tls_listen(struct app *app, int listen_fd, unsigned max,
    struct httpd *httpd, struct err *err) MUST_CHECK;
/* No new connections; accepts that it is off. */
void internal_tls_quiesce(struct app *app);
/* Before the httpd goes; accepts that it is off. */
void internal_tls_unlisten(struct app *app);

#endif
