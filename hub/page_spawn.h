/*
 * Pages around a start that other pages lead to.
 */
#ifndef CARREL_HUB_PAGE_SPAWN_H
#define CARREL_HUB_PAGE_SPAWN_H

#include "db/user.h"
#include "hub/route.h"

/* next NULL: none. */
const char *page_spawn_url(
    struct req *r, const char *user, const char *name, const char *next);
const char *page_spawn_pending_url(
    struct req *r, const char *user, const char *name, const char *next);
void page_not_running(struct req *r, int status, const struct user *user,
    const char *name, const char *next);

#endif
