/*
 * auth_state: what a login brought of a person's own at their provider (tokens,
 * claims), sealed in the database. Kept only with auth.enable_auth_state.
 */
#ifndef CARREL_HUB_AUTH_STATE_H
#define CARREL_HUB_AUTH_STATE_H

#include <jansson.h>

#include "base/arena.h"
#include "base/err.h"
#include "db/login_state.h"

struct app;

struct sealer;

/* Wants app->cfg and places. */
int auth_state_open(struct app *app, struct err *err) MUST_CHECK;

/* For auth_env: app->sealer, opened when it is not yet. */
const struct sealer *auth_state_sealer(void *arg, struct err *err);

/* As a row keeps it; NULL: nothing is kept (state NULL, or not enabled). */
const char *auth_state_seal(
    struct app *app, struct arena *a, int64_t user_id, const json_t *state);
/*
 * Of a row: a new reference, NULL when there is none or it cannot be opened any
 * more, which is logged.
 */
json_t *auth_state_unseal(
    struct app *app, int64_t user_id, const struct login_state *row);
/* The same by the user. -1: the database failed. */
int auth_state_get(
    struct app *app, int64_t user_id, json_t **out, struct err *err) MUST_CHECK;
/* Adds the names of auth.state_environment to a server's environment. */
int auth_state_environment(
    struct app *app, int64_t user_id, json_t *env, struct err *err) MUST_CHECK;

#endif
