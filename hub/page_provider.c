/*
 * Two addresses for logins elsewhere: where a browser leaves for a provider,
 * and where it comes back.
 */
#include "hub/attempt.h"
#include "hub/handlers.h"
#include "hub/providers.h"
#include "hub/redirect.h"

void page_provider_leave(struct req *r)
{
	const char *next = redirect_req_next(r);
	const char *name = r->params[0];
	struct err err = { 0 };

	/* JupyterHub's address, which knows one provider. */
	if (!name)
		name = providers_only(r->app->providers);
	if (!name) {
		page_login(r);
		return;
	}
	if (providers_leave(r, name, next, &err) != 0)
		page_login_problem(
		    r, err.code == ERR_NOT_FOUND ? 404 : 503, err.text);
}

/* Code and state are for the provider only: no page and no address that comes
 * of this request has them. */
void page_provider_return(struct req *r)
{
	const struct url_pairs query = r->query;
	struct err err = { 0 };

	r->query.n = 0;
	r->next = "";
	if (providers_return(r, &query, &err) != 0)
		page_login_problem(
		    r, err.code == ERR_NOT_FOUND ? 403 : 503, err.text);
}
