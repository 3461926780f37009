/*
 * The addresses to which pages of learning platforms send people
 * (docs/login-lti.md). Forms come from another site and bring no XSRF token:
 * what they carry is signed, and for LTI 1.3 bound to this browser besides.
 */
#include "auth/lti.h"
#include "hub/attempt.h"
#include "hub/handlers.h"
#include "hub/providers.h"

typedef int launch_fn(
    struct req *r, const struct url_pairs *args, struct err *err);

static int status_of(const struct err *err)
{
	switch (err->code) {
	case ERR_NOT_FOUND:
		return 403;
	case ERR_INVALID:
		return 400;
	default:
		return 503;
	}
}

/* What came is for the platform's kind only: no page and no address that comes
 * of this request has it. */
static void launch(struct req *r, launch_fn *fn, const struct url_pairs *args)
{
	struct err err = { 0 };

	r->query.n = r->form.n = 0;
	r->next = "";
	if (fn(r, args, &err) != 0)
		page_login_problem(r, status_of(&err), err.text);
}

void page_lti13_login(struct req *r)
{
	const struct url_pairs args =
	    str_eq(r->http->method, "POST") ? r->form : r->query;

	launch(r, providers_begin_lti, &args);
}

void page_lti13_launch(struct req *r)
{
	const struct url_pairs args = r->form;

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

/* Some platforms want the address of a key set, though nothing here is signed
 * for them: no services of theirs are called. */
void page_lti13_jwks(struct req *r)
{
	reply_json(r, 200, json_pack("{s:[]}", "keys"));
}
