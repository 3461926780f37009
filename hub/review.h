/*
 * People who are logged in, looked at again by the rules of now: who may not
 * come in any more is logged out everywhere, as at a refusal by their provider.
 * What they made with lasting tokens of their own stays.
 *
 * Of who is blocked nothing stays that gives power: no credential counts
 * (hub/credential.h), and what was given to them is taken away.
 */
#ifndef CARREL_HUB_REVIEW_H
#define CARREL_HUB_REVIEW_H

#include <stddef.h>

#include "base/err.h"

struct app;

/*
 * By the groups that their last login brought, those of rosters as these are
 * now. An administrator by a group that they left is none any more. Names as
 * the hub knows them; who is no user is passed over.
 */
int review_people(struct app *app, const char *const *names, size_t n,
    struct err *err) MUST_CHECK;
/* Those of auth.blocked_users: logged out, no administrators, in no group of
 * the hub's, without roles, and their servers are stopped. */
int review_blocked(struct app *app, struct err *err) MUST_CHECK;

#endif
