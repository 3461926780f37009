/*
 * /services/NAME/ when the proxy has no route to it: the service does not run,
 * or there is none of that name.
 */
#include "hub/handlers.h"
#include "hub/model_service.h"
#include "hub/reply.h"
#include "hub/service.h"

/* It has a host of its own, and who comes to ours is sent there: once, because
 * the proxy may not know the way. */
static bool lives_elsewhere(const struct req *r, const struct service *s)
{
	return domain_is_used(&r->app->cfg) &&
	       (s->state == SERVICE_RUNNING || s->state == SERVICE_EXTERNAL) &&
	       !url_pair_get(&r->query, "redirects");
}

static void send_there(struct req *r, const struct service *s)
{
	const char *query = r->http->query;

	reply_redirect(r, 302,
	    arena_printf(&r->http->arena, "%s%s?%s%sredirects=1",
		service_conf_url(&r->http->arena, &r->app->cfg, s->conf.name),
		r->tail ? r->tail : "", query ? query : "",
		query && *query ? "&" : ""));
}

void page_service(struct req *r)
{
	const struct service *s = service_find(r->app, r->service_param);

	if (!s || !*s->conf.url ||
	    !req_may_service(r, SCOPE_ACCESS_SERVICES, s->conf.name)) {
		reply_page_error(r, 404,
		    "No access: there is no such service, or it is not yours "
		    "to use.");
		return;
	}
	if (lives_elsewhere(r, s)) {
		send_there(r, s);
		return;
	}
	http_set(r->http, "Retry-After", "5");
	if (s->state == SERVICE_WAITING || s->state == SERVICE_STOPPING)
		reply_page_error(r, 503,
		    "The service %s does not run at the moment. It is started "
		    "again by itself: try again in a minute. If it stays so, "
		    "tell the hub's administrator.",
		    s->conf.name);
	else
		reply_page_error(r, 503,
		    "The service %s is being started. Try again in a few "
		    "seconds.",
		    s->conf.name);
}
