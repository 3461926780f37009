/*
 * The door of a worker: who may come in, and with what. Connections in total
 * and of one client, requests of one client behind a front end, what one route
 * may have open, and the size of heads. Counts are proxy/limit.h; what is
 * refused is answered from memory or closed, counted (proxy_refused) and, a
 * bounded number a second, logged.
 */
#ifndef CARREL_PROXY_DOOR_H
#define CARREL_PROXY_DOOR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/httphead.h"
#include "proxy/limit.h"

struct config;
struct conn;
struct exchange;
struct transport;
struct worker;

/*
 * A connection came; addr is NULL for a unix socket. Those of a front end
 * (--trusted-proxy, the loopback addresses if none is given, unix sockets) do
 * not count for one client: their requests do. When all places are taken, a
 * connection that waits for its next request makes room. false: refused.
 */
bool door_admit(struct worker *w, const struct in6_addr *addr, bool is_trusted,
    struct limit_ticket *out);
/* It is gone. */
void door_leave(struct worker *w, struct limit_ticket *t);
/* A tunnel that another process had let in. */
void door_readmit(struct worker *w, struct transport *client);

/*
 * Who asks: the peer, or the last address of X-Forwarded-For that is no front
 * end of ours. false: a unix socket that says nothing.
 */
bool door_client(
    const struct conn *c, const struct http_head *h, struct in6_addr *out);

struct door_refusal {
	int status;
	const char *why;
};

/* A request whose route is found. false: *out says what to answer. */
bool door_admit_request(
    struct exchange *ex, const struct http_head *h, struct door_refusal *out);

/* So many bytes of a head are there already: too many? */
bool door_is_head_too_long(
    const struct worker *w, size_t len, struct http_refusal *out);
bool door_has_too_many_fields(
    const struct worker *w, size_t n_fields, struct http_refusal *out);

#endif
