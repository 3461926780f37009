/*
 * /hub/metrics: the text that Prometheus reads (contract/hub.md 1.4, 10).
 */
#include "hub/handlers.h"
#include "hub/metrics.h"
#include "hub/reply.h"

#define TEXT_MAX (16 * 1024 * 1024)

void page_metrics(struct req *r)
{
	struct err err = { 0 };
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (metrics_text(r->app, &text, &err) == 0)
		reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8",
		    buf_view(&text));
	else
		reply_err(r, &err);
	buf_fini(&text);
}
