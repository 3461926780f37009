/*
 * Logins with a password of the hub's own: what the kinds "native" and
 * "first-use" have in common, and what the pages for such passwords need to
 * know. A name that is not known takes as long as a wrong password.
 *
 * The first administrators: their names are no secret, so nobody gets one by
 * signing up first or by typing a first password. Who is named in admin_users
 * (or was made an administrator) and has no password yet comes in with
 * `admin_password` of the options, which then is theirs until they change it.
 */
#ifndef CARREL_AUTH_OWN_LOGIN_H
#define CARREL_AUTH_OWN_LOGIN_H

#include "auth/authenticator.h"
#include "auth/second_step.h"
#include "base/mac.h"
#include "db/user.h"

/* What the options of such a kind say; see docs/login-native.md. */
struct own_policy {
	const char *kind;
	bool has_signup;   /* people may ask for an account */
	bool open_signup;  /* and have it at once, where nothing speaks against
			      it */
	bool takes_first;  /* the first password that is typed is theirs */
	bool create_users; /* with takes_first: of who is no user yet, too */
	int64_t min_length;
	int64_t max_waiting; /* how many sign-ups wait at a time */
	enum second_step_mode second_step;
	bool has_admin_password;
	unsigned char admin_password[MAC_SHA256_LEN]; /* its digest */
};

struct own_login;

/* The policy is copied. What env points to lives longer. NULL with err: second
 * steps are on and their keys cannot be opened. */
struct own_login *own_login_new(const struct authenticator_kind *kind,
    const struct auth_env *env, const struct own_policy *policy,
    struct err *err);

/* The plug's callbacks, for such kinds. */
void own_login_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form);
void own_login_reply(
    struct authenticator *au, uint64_t attempt, const char *text);
void own_login_cancel(struct authenticator *au, uint64_t attempt);
void own_login_close(struct authenticator **au);

/* As the authenticator of such a kind. */
struct authenticator *own_login_plug(struct own_login *o);
/* NULL: it is of another kind. */
const struct own_policy *own_policy_of(const struct authenticator *au);
/* NULL: of another kind, or second steps are off. */
const struct second_step *own_second_step_of(const struct authenticator *au);

/* The option "admin_password", the same for both. */
#define OWN_ADMIN_PASSWORD_MIN 32
void own_policy_set_admin_password(struct own_policy *p, const char *text);

#endif
