/*
 * See again.h.
 */
#include "hub/again.h"

#include <string.h>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/num.h"
#include "hub/front.h"
#include "hub/providers.h"
#include "hub/redirect.h"
#include "hub/route.h"
#include "hub/visitors.h"

/* Who was sent to the login page has this long for it. */
#define LIFE_US (INT64_C(15) * 60 * 1000000)

bool again_is_possible(const struct app *app)
{
	if (front_is_used(app) || visitors_are_taken(app))
		return false;
	if (providers_auto(app->providers))
		return providers_ask_again(
		    app->providers, providers_auto(app->providers));
	return app->auth_kind->has_form ||
	       providers_ask_again(app->providers, NULL);
}

bool again_is_asked(const struct req *r)
{
	return str_eq(url_pair_get(&r->query, "again"), "1");
}

bool again_is_done(const struct req *r)
{
	const char *text = url_pair_get(&r->query, AGAIN_SINCE);
	int64_t now = clock_wall_us(), since;
	struct err err;

	if (!text || num_range(text, 0, now, &since, &err) != 0)
		return false;
	return now - since <= LIFE_US && r->who.session.created_us > since;
}

/* The request as it came, without the time of an earlier round. */
static const char *target_of(struct req *r)
{
	const char *target = r->http->target, *old;

	old = strstr(target, "&" AGAIN_SINCE "=");
	return old ? arena_strndup(
			 &r->http->arena, target, (size_t)(old - target))
		   : target;
}

const char *again_url(struct req *r)
{
	struct arena *a = &r->http->arena;
	const char *back = arena_printf(a, "%s&" AGAIN_SINCE "=%lld",
	    target_of(r), (long long)clock_wall_us());

	if (strlen(back) > REDIRECT_NEXT_MAX)
		return NULL;
	return arena_printf(a, "%s?again=1&next=%s", req_hub(r, "login"),
	    url_quote(a, back, false));
}
