/*
 * See provider.h.
 */
#include "auth/provider.h"

#include "auth/lti.h"
#include "auth/oauth.h"
#include "base/str.h"

/* The last one has the words of presets.def for its own. */
static const struct authenticator_kind *const kinds[] = {
	&authenticator_lti13,
	&authenticator_lti11,
	&authenticator_oauth,
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

const struct authenticator_kind *provider_kind(const struct conf_node *item)
{
	const struct conf_node *kind = conf_child(item, "kind");

	for (size_t i = 0; kind && i < N_KINDS - 1; i++) {
		if (str_eq(kind->text, kinds[i]->name))
			return kinds[i];
	}
	return kinds[N_KINDS - 1];
}

const struct authenticator_kind *provider_kind_at(size_t i)
{
	return i < N_KINDS ? kinds[i] : NULL;
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
