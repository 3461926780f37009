/*
 * Scopes that the configuration defines ("custom:grades:read"; contract/hub.md
 * 7.1), for services to ask for. One table is in use in the whole process, as
 * scopes.def is: chosen at the start, and for a moment while a configuration is
 * checked, never while somebody holds scopes of another one.
 */
#ifndef CARREL_AUTH_SCOPE_CUSTOM_H
#define CARREL_AUTH_SCOPE_CUSTOM_H

#include "auth/scope.h"

#define SCOPE_CUSTOM_MAX 128
#define SCOPE_IDS_MAX    (SCOPE_CUSTOM_FIRST + SCOPE_CUSTOM_MAX)

struct scope_custom {
	const char *name, *doc;
	const char *const *subs; /* names of others of the table */
	size_t n_subs;
};
struct scope_customs;

/* In the arena, with all strings. ERR_INVALID: *wrong_out is the one. */
int scope_customs_new(struct arena *a, const struct scope_custom *list,
    size_t n, struct scope_customs **out, size_t *wrong_out,
    struct err *err) MUST_CHECK;
/* The one that was in use; NULL: none. */
const struct scope_customs *scope_customs_use(const struct scope_customs *c);

#endif
