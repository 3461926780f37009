/*
 * What scope.c and scope_check.c share. Private to auth/.
 */
#ifndef CARREL_AUTH_SCOPE_PRIV_H
#define CARREL_AUTH_SCOPE_PRIV_H

#include "auth/scope.h"

/* Direct sub-scopes; SCOPE_N_IDS ends. */
const enum scope_id *scope_subs(enum scope_id id);
bool scope_same(const struct scope *a, const struct scope *b);
/* Without a look at what is there. */
int scope_set_push(
    struct scope_set *s, struct scope item, struct err *err) MUST_CHECK;

#endif
