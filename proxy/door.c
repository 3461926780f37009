/*
 * Who may come in: see door.h.
 */
#include "proxy/door.h"

#include <string.h>
#include <sys/socket.h>

#include "base/cidr.h"
#include "base/log.h"
#include "base/str.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/metrics.h"
#include "proxy/route.h"
#include "proxy/route_limits.h"
#include "proxy/transport.h"
#include "proxy/worker.h"

/* Connections that are looked at to find one that makes room. */
#define LOOKS    64
/* Hops of X-Forwarded-For that are read, from its end. */
#define HOPS_MAX 16

static void refused(struct worker *w, enum metrics_limit limit)
{
	metric_add(&w->metrics.refused[limit], 1);
}

/* ---- connections --------------------------------------------------------- */

/*
 * A clock's hand over the worker's connections: the next ones in turn, the
 * earliest first, until one gives way. Nothing is kept in order for this, so
 * requests pay nothing.
 */
static bool make_room(struct worker *w)
{
	for (size_t i = 0; i < LOOKS && !list_empty(&w->conns); i++) {
		struct conn *c = LIST_ITEM(w->conns.next, struct conn, link);

		list_del(&c->link);
		list_add_tail(&w->conns, &c->link);
		if (!conn_give_way(c))
			continue;
		metric_add(&w->metrics.gave_way, 1);
		return true;
	}
	return false;
}

static void turned_away(
    struct worker *w, const struct in6_addr *addr, enum metrics_limit limit)
{
	char client[INET6_ADDRSTRLEN] = "unix";

	refused(w, limit);
	if (!worker_may_complain(w))
		return;
	if (addr != NULL)
		cidr_format(addr, client);
	log_warn(NULL, "a connection is refused at a limit",
	    "limit=%s client=%s open=%lld",
	    limit == METRICS_LIMIT_CLIENT ? "--max-client-connections"
					  : "--max-connections",
	    client, (long long)limits_connections(w->limits));
}

bool door_admit(struct worker *w, const struct in6_addr *addr, bool is_trusted,
    struct limit_ticket *out)
{
	enum metrics_limit limit = METRICS_LIMIT_CLIENT;

	*out = (struct limit_ticket){ .has_place = false };
	if (addr == NULL || is_trusted ||
	    limit_take_client(w->limits, addr, out) == LIMIT_OK) {
		limit = METRICS_LIMIT_CONNECTIONS;
		if (limit_take_place(w->limits, out) == LIMIT_OK)
			return true;
		if (make_room(w) &&
		    limit_take_place(w->limits, out) == LIMIT_OK)
			return true;
	}
	limit_give_back(w->limits, out);
	turned_away(w, addr, limit);
	return false;
}

void door_leave(struct worker *w, struct limit_ticket *t)
{
	limit_give_back(w->limits, t);
}

void door_readmit(struct worker *w, struct transport *client)
{
	struct sockaddr_storage raw = { .ss_family = AF_UNSPEC };
	const struct config_cidrs *trusted = &w->config->trusted;
	socklen_t len = sizeof raw;
	struct in6_addr addr;
	bool is_counted;

	if (getpeername(
		client->watch.fd, (struct sockaddr *)(void *)&raw, &len) < 0)
		raw.ss_family = AF_UNSPEC;
	is_counted = cidr_of_sockaddr((const void *)&raw, &addr) &&
		     !cidr_has(trusted->items, trusted->n, &addr);
	limit_must_take(w->limits, is_counted ? &addr : NULL, &client->ticket);
}

/* ---- whose request it is ------------------------------------------------- */

/* The part behind the last comma, taken off *rest; false at the end. */
static bool last_hop(struct slice *rest, struct slice *out)
{
	size_t at = rest->len;

	if (rest->p == NULL)
		return false;
	while (at > 0 && rest->p[at - 1] != ',')
		at--;
	*out = slice_trim(slice_make(rest->p + at, rest->len - at));
	*rest = at > 0 ? slice_make(rest->p, at - 1) : slice_make(NULL, 0);
	return true;
}

/* Walks the hops of one field from its end. true: `out` is who asks. */
static bool read_hops(const struct config_cidrs *trusted, struct slice value,
    int *n_hops, struct in6_addr *out)
{
	struct in6_addr addr;
	struct slice hop;

	while (last_hop(&value, &hop)) {
		/* What is no address was not said by a front end of ours. */
		if (++*n_hops > HOPS_MAX || cidr_parse_hop(hop, &addr) < 0)
			return true;
		*out = addr;
		if (!cidr_has(trusted->items, trusted->n, &addr))
			return true;
	}
	return false;
}

bool door_client(
    const struct conn *c, const struct http_head *h, struct in6_addr *out)
{
	const struct config_cidrs *trusted = &c->worker->config->trusted;
	int n_hops = 0;

	*out = c->address;
	if (!c->is_trusted)
		return true;
	for (size_t i = h->n_fields; i-- > 0;)
		if (h->fields[i].id == HTTP_X_FORWARDED_FOR &&
		    read_hops(trusted, h->fields[i].value, &n_hops, out))
			break;
	return !IN6_IS_ADDR_UNSPECIFIED(out);
}

/* ---- requests ------------------------------------------------------------ */

static bool is_route_full(const struct exchange *ex)
{
	int64_t max = route_limits_choose(cell_limits(ex->route->cell).max_open,
	    ex->worker->config->max_route_requests);

	return max > 0 && cell_open_count(ex->route->cell) > max;
}

/* Is it somebody behind a front end? A front end itself is nobody's client. */
static bool comes_for_another(const struct exchange *ex)
{
	const struct conn *c = ex->conn;

	return c->is_trusted && ex->has_client &&
	       memcmp(&ex->client, &c->address, sizeof ex->client) != 0;
}

static bool is_too_fast(const struct exchange *ex)
{
	if (!ex->has_client || (ex->conn->is_trusted && !comes_for_another(ex)))
		return false;
	return limit_take_request(ex->worker->limits, &ex->client,
		   worker_now_ms(ex->worker)) != LIMIT_OK;
}

bool door_admit_request(
    struct exchange *ex, const struct http_head *h, struct door_refusal *out)
{
	struct worker *w = ex->worker;

	ex->has_client = door_client(ex->conn, h, &ex->client);
	if (is_too_fast(ex)) {
		refused(w, METRICS_LIMIT_RATE);
		*out =
		    (struct door_refusal){ 429, "its client asks too often" };
		return false;
	}
	if (comes_for_another(ex) && limit_take_client(w->limits, &ex->client,
					 &ex->ticket) != LIMIT_OK) {
		refused(w, METRICS_LIMIT_CLIENT);
		*out = (struct door_refusal){ 429,
			"its client has too many open" };
		return false;
	}
	if (is_route_full(ex)) {
		refused(w, METRICS_LIMIT_ROUTE);
		*out =
		    (struct door_refusal){ 503, "its route has too many open" };
		return false;
	}
	return true;
}

/* ---- heads --------------------------------------------------------------- */

bool door_is_head_too_long(
    const struct worker *w, size_t len, struct http_refusal *out)
{
	if (len <= (size_t)w->config->max_head_bytes)
		return false;
	*out = (struct http_refusal){ 431, "the head is too long" };
	return true;
}

bool door_has_too_many_fields(
    const struct worker *w, size_t n_fields, struct http_refusal *out)
{
	if (n_fields <= (size_t)w->config->max_header_count)
		return false;
	*out = (struct http_refusal){ 431, "the head has too many fields" };
	return true;
}
