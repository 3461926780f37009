/*
 * From exchanges to lines: see access_note.h.
 */
#include "proxy/access_note.h"

#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/str.h"
#include "proxy/access.h"
#include "proxy/access_line.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/metrics.h"
#include "proxy/route.h"
#include "proxy/worker.h"

/* As other servers write it: the client closed before it was answered. */
#define CLIENT_LEFT 499

static void put(struct worker *w, const struct access_entry *e)
{
	struct buf *line = &w->access_line;

	buf_reset(line);
	if (str_eq(w->config->access_log_format, "combined"))
		access_line_combined(line, e);
	else
		access_line_json(line, e);
	metric_add(&w->metrics.access_lines, 1);
	if (line->overflow || !access_put(w->access, line->data, line->len))
		metric_add(&w->metrics.access_dropped, 1);
}

static const char *peer_name(const struct conn *c)
{
	return c->peer[0] != '\0' ? c->peer : "unix";
}

/* Who asked: behind a front end somebody else than the peer. */
static const char *client_name(
    const struct exchange *ex, char text[INET6_ADDRSTRLEN])
{
	const struct conn *c = ex->conn;

	if (!ex->has_client ||
	    memcmp(&ex->client, &c->address, sizeof ex->client) == 0)
		return peer_name(c);
	cidr_format(&ex->client, text);
	return text;
}

void access_note_exchange(const struct exchange *ex)
{
	struct worker *w = ex->worker;
	char client[INET6_ADDRSTRLEN];
	struct access_entry e;

	if (w->access == NULL)
		return;
	e = (struct access_entry){
		.wall_us = clock_wall_us(),
		.took_ms = worker_now_ms(w) - ex->begin_ms,
		.client = client_name(ex, client),
		.method = exchange_method(ex),
		.target = exchange_target(ex),
		.minor = ex->minor,
		.status = ex->status != 0 ? ex->status : CLIENT_LEFT,
		.n_bytes = ex->n_out,
		.is_secure = ex->conn->io.tls != NULL,
		.is_upgrade = ex->is_upgrade,
	};
	if (ex->route != NULL) {
		e.route = ex->route->key;
		e.origin = ex->route->target.origin;
	}
	put(w, &e);
}

void access_note_refusal(const struct conn *c, int status)
{
	const struct access_entry e = {
		.wall_us = clock_wall_us(),
		.took_ms = worker_now_ms(c->worker) - c->since_ms,
		.client = peer_name(c),
		.method = slice_make("", 0),
		.target = slice_make("", 0),
		.minor = 1,
		.status = status,
		.is_secure = c->io.tls != NULL,
	};

	if (c->worker->access != NULL)
		put(c->worker, &e);
}
