/*
 * /services/NAME/ when the proxy has no route to it: the service does not run,
 * or there is none of that name.
 */
#include "hub/handlers.h"
#include "hub/model_service.h"
#include "hub/reply.h"
#include "hub/service.h"

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
