/*
 * Learning platforms (Moodle, Canvas ...) in `auth.providers`: LTI 1.3, an
 * OpenID Connect login that the platform begins, and LTI 1.1, a signed form.
 * One opened instance is one platform. Nobody leaves for them from our login
 * page (`redirect` is NULL): the course's page begins.
 *
 * LTI 1.3: the platform's page sends the browser to us with words about itself;
 * lti13_authorize_url answers where it goes on, bound to this browser by a trip
 * (auth/trip.h); what the platform then posts goes to `callback`.
 * LTI 1.1: the one form goes to `callback`, with an empty trip.
 */
#ifndef CARREL_AUTH_LTI_H
#define CARREL_AUTH_LTI_H

#include <jansson.h>

#include "auth/authenticator.h"
#include "base/arena.h"
#include "base/url.h"

/* Not in registry.c: env->options is one item of auth.providers. */
extern const struct authenticator_kind authenticator_lti13;
extern const struct authenticator_kind authenticator_lti11;

bool lti_is(const struct authenticator *au);
/* Of an opened one; live as long as it. */
const char *lti_name(const struct authenticator *au);
const char *lti_label(const struct authenticator *au);
bool lti_has_prefix(const struct authenticator *au);
/* Do they say that they come from this platform? (iss, client_id;
 * oauth_consumer_key) Nothing is proved by it. */
bool lti_knows(const struct authenticator *au, const struct url_pairs *args);
/* Could one launch be of both? */
bool lti_are_same(
    const struct authenticator *one, const struct authenticator *two);

/*
 * Where the browser goes on, in `a`; NULL with err INVALID: args are no proper
 * beginning. `au` is of lti13.
 */
const char *lti13_authorize_url(const struct authenticator *au, struct arena *a,
    const struct auth_trip *trip, const struct url_pairs *args,
    struct err *err);
/* What platforms want to know about us when the tool is registered there: JSON,
 * and for LTI 1.1 an XML cartridge (IMS Basic LTI link), which has no secret of
 * ours; a text in `a`. */
json_t *lti13_tool(const struct authenticator *au);
const char *lti11_tool(const struct authenticator *au, struct arena *a);

#endif
