/*
 * The addresses to which pages of learning platforms send people
 * (docs/login-lti.md). Forms come from another site and bring no XSRF token:
 * what they carry is signed, and for LTI 1.3 bound to this browser besides.
 */
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"
#include "hub/attempt.h"
#include "hub/handlers.h"
#include "hub/providers.h"
#include "hub/reply.h"

#define AGAIN_MAX 8192

typedef int launch_fn(
    struct req *r, const struct url_pairs *args, struct err *err);

static int status_of(const struct err *err)
{
	if (err->code == ERR_NOT_FOUND)
		return 403;
	return err->code == ERR_INVALID ? 400 : 503;
}

/* What came is for the platform's kind only: no page and no address that comes
 * of this request has it. */
static void launch(struct req *r, launch_fn *fn, const struct url_pairs *args)
{
	struct err err = { 0 };

	r->query.n = r->form.n = 0;
	r->next = "";
	if (fn(r, args, &err) == 0)
		return;
	log_warn(NULL, "a launch from a course failed", "from=%s why=\"%s\"",
	    r->client, err.text);
	page_login_problem(r, status_of(&err), err.text);
}

/* ---- inside a frame ----------------------------------------------- */

/* Browsers keep our cookies back there: neither the trip nor the login would
 * last. */
static bool is_framed(const struct req *r)
{
	static const char *const inside[] = { "iframe", "frame", "embed",
		"object", "fencedframe" };
	const char *dest = http_header(r->http, "Sec-Fetch-Dest");

	for (size_t i = 0; dest && i < sizeof inside / sizeof *inside; i++) {
		if (!strcasecmp(dest, inside[i]))
			return true;
	}
	return false;
}

/* A page that says so, and `again` (NULL: none) as a link to a new window.
 * Nobody's name is on it, and no cookie comes with it. */
static void reply_framed(struct req *r, const char *again)
{
	json_t *data = json_pack("{s:s}", "title", "Notebooks");

	if (again)
		json_object_set_new(
		    data, "again", json_pack("{s:s}", "url", again));
	r->who = (struct principal){ 0 };
	r->gate = GATE_PUBLIC;
	r->may_be_framed = true;
	reply_page(r, 200, "launch", data);
}

/* The same beginning as a link. */
static const char *as_link(struct req *r, const struct url_pairs *args)
{
	const char *link = NULL;
	struct buf b;

	buf_init(&b, AGAIN_MAX);
	for (size_t i = 0; i < args->n; i++)
		url_pair_append(&b, args->items[i].name, args->items[i].value);
	if (!b.overflow)
		link = arena_printf(&r->http->arena, "%s?%s",
		    req_hub(r, "lti13/oauth_login"), buf_view(&b));
	buf_fini(&b);
	return link;
}

/* ---- the addresses ------------------------------------------------ */

void page_lti13_login(struct req *r)
{
	const struct url_pairs args =
	    str_eq(r->http->method, "POST") ? r->form : r->query;

	if (is_framed(r))
		reply_framed(r, as_link(r, &args));
	else
		launch(r, providers_begin_lti, &args);
}

void page_lti13_launch(struct req *r)
{
	const struct url_pairs args = r->form;

	if (is_framed(r))
		reply_framed(r, NULL);
	else
		launch(r, providers_launch_lti13, &args);
}

/* The query is under the signature too (RFC 5849 3.4.1.3.1). */
void page_lti11_launch(struct req *r)
{
	size_t n = r->query.n + r->form.n;
	const struct url_pairs args = {
		.items = arena_array(
		    &r->http->arena, n + 1, sizeof(struct url_pair)),
		.n = n,
	};

	for (size_t i = 0; i < n; i++)
		args.items[i] = i < r->query.n ? r->query.items[i]
					       : r->form.items[i - r->query.n];
	if (is_framed(r))
		reply_framed(r, NULL);
	else
		launch(r, providers_launch_lti11, &args);
}

void page_lti13_config(struct req *r)
{
	json_t *tool = providers_lti_tool(r->app->providers);

	if (tool)
		reply_json(r, 200, tool);
	else
		reply_error(
		    r, 404, "No learning platform (LTI 1.3) is set up here.");
}

void page_lti11_config(struct req *r)
{
	const char *tool =
	    providers_lti11_tool(r->app->providers, &r->http->arena);

	if (tool)
		reply_text(r, 200, "application/xml", tool);
	else
		reply_error(
		    r, 404, "No learning platform (LTI 1.1) is set up here.");
}

/* Some platforms want the address of a key set, though nothing here is signed
 * for them: no services of theirs are called. */
void page_lti13_jwks(struct req *r)
{
	reply_json(r, 200, json_pack("{s:[]}", "keys"));
}
