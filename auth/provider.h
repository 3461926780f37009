/*
 * One item of `auth.providers`, of whatever kind: which authenticator it is,
 * and what the hub wants to know of an opened one.
 */
#ifndef CARREL_AUTH_PROVIDER_H
#define CARREL_AUTH_PROVIDER_H

#include "auth/authenticator.h"

/* By its "kind"; one that is not known is the matter of the kind's open. */
const struct authenticator_kind *provider_kind(const struct conf_node *item);

/* The i-th of all that there are; NULL: no more. */
const struct authenticator_kind *provider_kind_at(size_t i);

const char *provider_name(const struct authenticator *au);
const char *provider_label(const struct authenticator *au);
/* Is it said how names of this provider differ from those of others? */
bool provider_has_prefix(const struct authenticator *au);
/* Can people leave for it from our login page? */
bool provider_has_door(const struct authenticator *au);
/* Can it be told that whoever is logged in there shall prove it again? */
bool provider_asks_again(const struct authenticator *au);

#endif
