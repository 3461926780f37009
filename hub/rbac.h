/*
 * People, roles and groups of the configuration, brought into the database when
 * the hub starts (contract/hub.md 8.4).
 */
#ifndef CARREL_HUB_RBAC_H
#define CARREL_HUB_RBAC_H

#include "hub/app.h"

/*
 * In one transaction: who is listed in auth.admin_users and auth.allowed_users
 * is a user; groups gain the members and the properties that are named; each
 * role has exactly the users, groups and services that are named; roles that
 * are not named any more go; users and groups that do not exist are made.
 * app->cfg, app->rules and app->db are set.
 */
int rbac_load(struct app *app, struct err *err) MUST_CHECK;

#endif
