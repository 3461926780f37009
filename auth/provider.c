/*
 * See provider.h.
 */
#include "auth/provider.h"

#include "auth/lti.h"
#include "auth/oauth.h"
#include "base/str.h"

const struct authenticator_kind *provider_kind(const struct conf_node *item)
{
	const struct conf_node *kind = conf_child(item, "kind");

	if (kind && str_eq(kind->text, authenticator_lti13.name))
		return &authenticator_lti13;
	if (kind && str_eq(kind->text, authenticator_lti11.name))
		return &authenticator_lti11;
	return &authenticator_oauth;
}

const char *provider_name(const struct authenticator *au)
{
	return lti_is(au) ? lti_name(au) : oauth_name(au);
}

const char *provider_label(const struct authenticator *au)
{
	return lti_is(au) ? lti_label(au) : oauth_label(au);
}

bool provider_has_prefix(const struct authenticator *au)
{
	return lti_is(au) ? lti_has_prefix(au) : oauth_has_prefix(au);
}

bool provider_has_door(const struct authenticator *au)
{
	return au->kind->redirect != NULL;
}

bool provider_asks_again(const struct authenticator *au)
{
	return !lti_is(au) && oauth_asks_again(au);
}
