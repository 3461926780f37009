/*
 * auth.custom_scopes of carrel.yaml, read and checked.
 */
#ifndef CARREL_HUB_CUSTOM_SCOPES_H
#define CARREL_HUB_CUSTOM_SCOPES_H

#include "auth/scope_custom.h"
#include "base/conf.h"

/* map NULL: *out is NULL. ERR_INVALID: "file:line:column: ...", also appended
 * to *problems (may be NULL) as a line. */
int custom_scopes_read(struct arena *a, const struct conf_node *map,
    const char *file, struct scope_customs **out, struct buf *problems,
    struct err *err) MUST_CHECK;

#endif
