/*
 * Whose a credential is, as it counts here: what somebody of auth.blocked_users
 * shows is nobody's, however it was got. Nothing is deleted for that, so that
 * tokens work again when the name leaves the list.
 */
#ifndef CARREL_HUB_CREDENTIAL_H
#define CARREL_HUB_CREDENTIAL_H

#include "auth/principal.h"

struct app;

/* As principal_by_session and principal_by_token: 1, 0, -1. */
int credential_by_session(struct app *app, struct arena *a, const char *secret,
    struct principal *out, struct err *err) MUST_CHECK;
int credential_by_token(struct app *app, struct arena *a, const char *plain,
    struct principal *out, struct err *err) MUST_CHECK;

/* For explanations: who is blocked may do nothing. */
void credential_cut(const struct app *app, struct principal *p);

#endif
