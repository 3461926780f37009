/*
 * The proxy's own answers: see reply.h.
 */
#include "proxy/reply.h"

#include <stddef.h>

#include "base/buf.h"
#include "proxy/conn.h"
#include "proxy/piece.h"
#include "proxy/worker.h"

const char *reply_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} names[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 408, "Request Timeout" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].status == status)
			return names[i].reason;
	return "Error";
}

static void write_head(struct buf *b, struct worker *w, const struct reply *r)
{
	buf_printf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status,
	    reply_reason(r->status), worker_date(w));
	if (r->type != NULL)
		buf_printf(b, "Content-Type: %s\r\n", r->type);
	buf_slice(b, r->fields);
	buf_slice(b, r->retry);
	buf_printf(b, "Content-Length: %zu\r\n", r->body.len);
	if (r->closes)
		buf_str(b, "Connection: close\r\n");
	else if (r->says_keep_alive)
		buf_str(b, "Connection: keep-alive\r\n");
	buf_str(b, "\r\n");
}

int reply_send(struct conn *c, const struct reply *r)
{
	struct buf *b = &c->worker->head;
	struct piece p;

	buf_reset(b);
	write_head(b, c->worker, r);
	piece_init(&p);
	piece_add(&p, b->data, b->len);
	if (!r->is_head)
		piece_add(&p, r->body.p, r->body.len);
	metric_add(&c->worker->metrics.bytes_out, p.len);
	return conn_send(c, p.iov, p.n);
}

int reply_bare(struct conn *c, int status)
{
	const struct reply r = { .status = status, .closes = true };

	return reply_send(c, &r);
}
