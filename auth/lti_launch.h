/*
 * What a launch of a learning platform says about a person -> name, groups and
 * where they want to go. Pure: the signature was checked before. Private to
 * auth/.
 *
 * Groups, each behind the provider's group_prefix: "learner" (this role in the
 * course that was launched from), "course:ID" and "course:ID:learner",
 * "institution:administrator", "system:sysadmin". A narrower role has a dash:
 * "instructor-teachingassistant". Roles of other vocabularies are left out.
 */
#ifndef CARREL_AUTH_LTI_LAUNCH_H
#define CARREL_AUTH_LTI_LAUNCH_H

#include <jansson.h>

#include "auth/lti_options.h"
#include "base/url.h"

#define LTI_CLAIM "https://purl.imsglobal.org/spec/lti/claim/"

/* Strings live in the arena of the call, or as long as what was read. */
struct lti_launch {
	const char *name, *source, *subject;
	const char *next; /* as it was said; NULL: nowhere in particular */
	struct conf_strings groups;
	json_t *state; /* all that was said, to keep; a reference of its own */
};

/*
 * `claims` are those of a verified ID token; `hub_url` is our address
 * ("https://hub.example.org/hub/"). DENIED: it is no launch for us.
 */
int lti13_read(struct arena *a, const struct lti_options *opt,
    const char *hub_url, const json_t *claims, struct lti_launch *out,
    struct err *err) MUST_CHECK;
/* The same of a form whose signature is right. */
int lti11_read(struct arena *a, const struct lti_options *opt,
    const struct url_pairs *form, struct lti_launch *out,
    struct err *err) MUST_CHECK;
/* An absolute address of the same scheme, host and port as ours? */
bool lti_is_ours(struct arena *a, const char *hub_url, const char *url);

#endif
