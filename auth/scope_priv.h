/*
 * What scope.c and scope_check.c share. Private to auth/.
 */
#ifndef CARREL_AUTH_SCOPE_PRIV_H
#define CARREL_AUTH_SCOPE_PRIV_H

#include "auth/scope.h"
#include "auth/scope_custom.h"

struct scope_def {
	const char *text;
	const enum scope_id *subs; /* SCOPE_N_IDS ends */
	const char *doc;
};

struct scope_customs {
	struct scope_def *defs;
	size_t n;
};

/* The table in use; NULL: none. */
const struct scope_customs *scope_customs_used(void);
/* Behind the last id; SCOPE_N_IDS itself is none. */
size_t scope_ids_end(void);
/* Direct sub-scopes; SCOPE_N_IDS ends. */
const enum scope_id *scope_subs(enum scope_id id);
bool scope_same(const struct scope *a, const struct scope *b);
/* Without a look at what is there. */
int scope_set_push(
    struct scope_set *s, struct scope item, struct err *err) MUST_CHECK;

#endif
