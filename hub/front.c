/*
 * See front.h. Who the front end says it is, is asked at each page with a
 * session too: the session of the one before ends there.
 */
#include "hub/front.h"

#include "auth/header.h"
#include "auth/rules.h"
#include "base/log.h"
#include "hub/attempt.h"
#include "hub/audit.h"

bool front_is_used(const struct app *app)
{
	return app->auth_kind == &authenticator_header;
}

static enum header_verdict ask(
    struct req *r, struct auth_identity *id, const char **why)
{
	return header_login(
	    r->app->auth, r->http, r->from_proxy, &r->http->arena, id, why);
}

void front_login(struct req *r)
{
	struct auth_identity id;
	const char *why;

	switch (ask(r, &id, &why)) {
	case HEADER_PERSON:
		page_login_ended(r, id.name, AUTH_RES_OK, &id, "");
		return;
	case HEADER_REFUSED:
		log_warn(NULL, "a login header is not believed",
		    "from=%s why=\"%s\"", r->client, why);
		audit_login(r, AUDIT_LOGIN_FAILED, NULL, why);
		break;
	case HEADER_NOBODY:
		break;
	}
	page_login_problem(r, 403,
	    "This hub is reached through another login. Go there first, and "
	    "follow its link to this hub.");
}

bool front_names_another(struct req *r, const char *name)
{
	char normal[RULES_NAME_MAX + 1];
	struct auth_identity id;
	struct err err;
	const char *why;

	if (!front_is_used(r->app) || ask(r, &id, &why) != HEADER_PERSON)
		return false;
	return rules_normalise(r->app->rules, id.name, normal, &err) != 0 ||
	       !str_eq(normal, name);
}
