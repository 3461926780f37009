/*
 * HTTP server: a turn of the loop is not given to requests alone. When many
 * come at once, those that this turn has no time for wait, in the order in
 * which they were complete, for the next ones.
 */
#include "base/httpd_priv.h"

static bool has_time(const struct httpd *h)
{
	return loop_turn_us(h->loop) < h->opt.turn_us;
}

static void begin_postponed(void *arg)
{
	struct httpd *h = arg;

	/* One at the least: other work may take all the time of each turn. */
	do {
		struct http_reply_state *st = LIST_ITEM(
		    h->postponed.next, struct http_reply_state, postponed);

		list_del(&st->postponed);
		/* Meanwhile the client may have left, or have waited too
		 * long. */
		if (!st->is_gone && !st->is_replied)
			httpd_call_request(st);
	} while (!list_empty(&h->postponed) && has_time(h));
	if (!list_empty(&h->postponed))
		defer_call(h->loop, &h->begin_later, begin_postponed, h);
}

bool httpd_postpone(struct http_reply_state *st)
{
	struct httpd *h = st->req.httpd;

	if (list_empty(&h->postponed) && has_time(h))
		return false;
	list_add_tail(&h->postponed, &st->postponed);
	if (!h->is_closing)
		defer_call(h->loop, &h->begin_later, begin_postponed, h);
	return true;
}
