/*
 * Roles as lists of scopes: those of the configuration, else the program's own
 * (contract/hub.md 7.4).
 */
#ifndef CARREL_HUB_ROLE_SCOPES_H
#define CARREL_HUB_ROLE_SCOPES_H

#include "auth/scope.h"
#include "db/db.h"

/* The role's raw scopes, added to `out`. 1, 0 no such role, -1. */
int role_scopes_add(struct db *db, const char *name, struct scope_set *out,
    struct err *err) MUST_CHECK;

#endif
