/*
 * What a login, or a refresh, makes of a person in the database: the row, the
 * administrator's flag, groups, whose name it is, what is kept of the login.
 */
#ifndef CARREL_HUB_ENTRY_H
#define CARREL_HUB_ENTRY_H

#include "auth/authenticator.h"
#include "auth/rules.h"
#include "db/user.h"
#include "hub/app.h"

struct entry {
	const struct auth_identity *id;
	const struct rules_decision *decision; /* allowed */
	const char *via; /* the provider's name; "": the form */
};

/*
 * Within the caller's transaction. *out is the user; strings live in `a`.
 * ERR_DENIED: the name belongs to another account of that provider; the text is
 * for the person.
 */
int entry_write(struct app *app, struct arena *a, const struct entry *e,
    struct user *out, struct err *err) MUST_CHECK;

#endif
