/*
 * Files of the pages, the logo, health, and the small endpoints of pages that
 * need no template of their own.
 */
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "hub/assets.h"
#include "hub/handlers.h"
#include "hub/metrics.h"
#include "hub/redirect.h"
#include "hub/reply.h"
#include "hub/web.h"

void page_static(struct req *r)
{
	const struct assets *assets = r->app->web->assets;
	const char *version = url_pair_get(&r->query, "v");
	const struct asset *file = assets_find(
	    assets, arena_printf(&r->http->arena, "static/%s", r->tail));

	if (file)
		reply_file(r, file, str_eq(version, assets_version(assets)));
	else
		reply_page_error(r, 404, "There is no such file.");
}

void page_logo(struct req *r)
{
	const struct asset *logo = r->app->web->logo;

	reply_file(r, logo, str_eq(url_pair_get(&r->query, "v"), logo->hash));
}

void api_health(struct req *r)
{
	reply_text(r, 200, "text/html", "");
}

void page_root(struct req *r)
{
	if (r->who.kind == PRINCIPAL_USER || r->app->cfg.default_url[0])
		reply_redirect(r, 302, redirect_default(r));
	else
		reply_redirect(r, 302, redirect_login(r));
}

/* ---- error pages for the proxy ------------------------------------ */

static const char *error_advice(int status)
{
	switch (status) {
	case 404:
		return "There is no page at this address.";
	case 502:
	case 503:
		return "The server behind this address does not answer. It may "
		       "have been stopped, or is being started.";
	case 504:
		return "The server behind this address took too long to "
		       "answer.";
	}
	return "The request could not be answered.";
}

/* The proxy supplies the real status; ours is 200 (contract/hub.md 5.1). */
void page_error(struct req *r)
{
	int64_t code;
	struct err err;

	if (num_range(r->params[0], 400, 599, &code, &err) != 0)
		code = 404;
	reply_page(r, 200, "error",
	    json_pack("{s:s, s:I, s:s, s:s, s:b}", "title",
		reply_reason((int)code), "status", (json_int_t)code, "reason",
		reply_reason((int)code), "message", error_advice((int)code),
		"offer_home", 1));
}

/* ---- content security policy -------------------------------------- */

void page_csp_report(struct req *r)
{
	char text[200];

	metrics_count(r->app, METRIC_CSP_REPORTS);
	str_printable(text, sizeof text, r->http->body.p, r->http->body.len);
	log_warn(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "a browser refused something of ours", "report=\"%s\"", text);
	reply_text(r, 200, "text/html", "");
}
