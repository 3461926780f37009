/*
 * The options of one learning platform in `auth.providers`, bound and checked.
 * Private to auth/; docs/login-lti.md says what each means.
 */
#ifndef CARREL_AUTH_LTI_OPTIONS_H
#define CARREL_AUTH_LTI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"

struct lti_options {
	const char *name, *kind, *label;
	const char *username_key, *username_prefix, *strip_domain;
	const char *group_prefix;
	const char *tool_name, *tool_description; /* what platforms show */
	bool allow_unverified_email;
	int64_t leeway_s;
	/* lti13 */
	const char *issuer, *client_id, *authorize_url, *jwks_endpoint;
	const char *ca_file;
	struct conf_strings deployment_ids;
	/* lti11: key to secret */
	struct conf_pairs consumers;
};

/* Strings live in `a`; `file` is for messages. */
int lti13_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *out, struct err *err) MUST_CHECK;
int lti11_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *out, struct err *err) MUST_CHECK;

#endif
