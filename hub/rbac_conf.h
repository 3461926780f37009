/*
 * auth.load_roles and auth.load_groups of carrel.yaml, read and checked. Pure:
 * hub/rbac.c brings the database to it.
 */
#ifndef CARREL_HUB_RBAC_CONF_H
#define CARREL_HUB_RBAC_CONF_H

#include "hub/config.h"

struct rbac_role {
	const char *name, *description;
	const char *scopes; /* a JSON list of raw scopes */
	struct conf_strings users, groups, services;
	bool has_users; /* named, if only to say that nobody has it */
};

struct rbac_group {
	const char *name;
	struct conf_strings users;
	const char *properties; /* a JSON object; NULL: not said */
};

struct rbac {
	struct rbac_role *roles;
	size_t n_roles;
	struct rbac_group *groups;
	size_t n_groups;
};

/* Strings live in a. ERR_INVALID: "file:line:column: ...", the first problem;
 * also appended to *problems (may be NULL) as a line. */
int rbac_read(struct arena *a, const struct config *cfg, const char *file,
    struct rbac *out, struct buf *problems, struct err *err) MUST_CHECK;

#endif
