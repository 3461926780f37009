/*
 * Groups by lists of people (auth.roster): read when the hub starts and at
 * SIGHUP. Who is in a file is in its group, and nobody else; the group counts
 * for the rules (auth.allowed_groups, admin_groups) as one that the login
 * brought.
 */
#ifndef CARREL_HUB_ROSTER_H
#define CARREL_HUB_ROSTER_H

#include "auth/identity.h"
#include "base/arena.h"
#include "base/err.h"

struct app;
struct auth_rules;
struct config;
struct roster;

/* Are options and files right? `file` is the configuration's name. */
int roster_check(const struct config *cfg, const struct auth_rules *rules,
    const char *file, struct err *err) MUST_CHECK;
/*
 * Read, write to the database, and take the place of what app->roster was. -1:
 * that stays. Who was struck off and may not come in any more is logged out.
 * Wants app->cfg, db and rules.
 */
int roster_load(struct app *app, struct err *err) MUST_CHECK;
void roster_free(struct roster **r);

/* `id`, with the groups of the lists that name this person; lives in `a`. */
const struct auth_identity *roster_identity(
    const struct app *app, struct arena *a, const struct auth_identity *id);
/* The same of somebody whom the hub knows by id->name. */
const struct auth_identity *roster_identity_known(
    const struct app *app, struct arena *a, const struct auth_identity *id);
/* Is it the group of a list? */
bool roster_has_group(const struct app *app, const char *group);
/* Somebody who may be new: into the groups of the lists that name them. */
int roster_enter(struct app *app, int64_t user_id, const char *name,
    struct err *err) MUST_CHECK;

#endif
