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

#define FACT_MAX 160

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

/* A member of the report, for the log: what stands behind an address may be a
 * secret, such as a share code. */
static const char *report_fact(
    struct req *r, const json_t *report, const char *name)
{
	const char *text = json_string_value(json_object_get(report, name));
	char *shown = arena_alloc(&r->http->arena, FACT_MAX);

	str_printable(
	    shown, FACT_MAX, text ? text : "", text ? strcspn(text, "?#") : 0);
	for (char *c = shown; *c; c++)
		if (*c == '"')
			*c = '\'';
	return shown;
}

void page_csp_report(struct req *r)
{
	json_t *all = NULL;
	struct err err;

	if (json_parse(r->http->body.p, r->http->body.len, &all, &err) != 0)
		all = NULL;
	const json_t *report = json_object_get(all, "csp-report");
	metrics_count(r->app, METRIC_CSP_REPORTS);
	log_warn(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "a browser refused something of ours",
	    "page=\"%s\" directive=\"%s\" blocked=\"%s\"",
	    report_fact(r, report, "document-uri"),
	    report_fact(r, report, "violated-directive"),
	    report_fact(r, report, "blocked-uri"));
	json_decref(all);
	reply_text(r, 200, "text/html", "");
}
