/*
 * Where a request leads: its checked `next`, or the place that the
 * configuration and the state of the person's server say (contract/hub.md 5.2).
 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/redirect.h"
#include "hub/route.h"
#include "hub/server.h"
#include "hub/web.h"

const char *redirect_req_next(struct req *r)
{
	const char *next = r->next;

	if (!next)
		next = url_pair_get(&r->query, "next");
	if (!next)
		next = url_pair_get(&r->form, "next");
	return redirect_next(
	    &r->http->arena, next, r->app->web->public_origin, &r->app->cfg);
}

/* What else the query says goes along (contract/hub.md 5.2). */
static const char *with_query(struct req *r, const char *target)
{
	struct buf b;

	buf_init(&b, REDIRECT_NEXT_MAX);
	for (size_t i = 0; i < r->query.n; i++) {
		const struct url_pair *p = &r->query.items[i];
		if (strcmp(p->name, "next") != 0 &&
		    strcmp(p->name, "_xsrf") != 0)
			url_pair_append(&b, p->name, p->value);
	}
	if (b.len > 0 && !b.overflow)
		target = arena_printf(&r->http->arena, "%s%c%s", target,
		    strchr(target, '?') ? '&' : '?', buf_view(&b));
	buf_fini(&b);
	return target;
}

const char *redirect_default(struct req *r)
{
	const struct config *cfg = &r->app->cfg;
	struct server *s;

	if (cfg->default_url[0])
		return with_query(
		    r, arena_printf(&r->http->arena, "%s%s", r->app->web->base,
			   cfg->default_url + 1));
	if (!cfg->redirect_to_server)
		return with_query(r, req_hub(r, "home"));
	s = server_by_name(r->app, r->who.user_name, "");
	if (s && (server_is_ready(s) || server_pending(s)))
		return with_query(r,
		    server_url(r->app, &r->http->arena, r->who.user_name, ""));
	return with_query(r, req_hub(r, "spawn"));
}

/* What redirect_next would refuse for its length is not carried along. */
const char *redirect_login(struct req *r)
{
	if (strlen(r->http->target) > REDIRECT_NEXT_MAX)
		return req_hub(r, "login");
	return arena_printf(&r->http->arena, "%s?next=%s", req_hub(r, "login"),
	    url_quote(&r->http->arena, r->http->target, false));
}
