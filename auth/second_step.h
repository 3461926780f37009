/*
 * The second step of logins with a password of the hub's own: a code of an
 * authenticator app (auth/totp.h), whose secret is kept sealed (auth/sealer.h)
 * in db/totp.c. The login (own_login.c) and a page of the person's own
 * (hub/page_second_step.c) go by this.
 */
#ifndef CARREL_AUTH_SECOND_STEP_H
#define CARREL_AUTH_SECOND_STEP_H

#include "auth/authenticator.h"

enum second_step_mode {
	SECOND_STEP_OFF,      /* nobody is asked, whatever is in the database */
	SECOND_STEP_OPTIONAL, /* people may have one */
	SECOND_STEP_REQUIRED, /* who has none gets one at the next login */
};

struct second_step;

/* mode is not OFF, env->db is there. NULL with err: no sealer. */
struct second_step *second_step_open(
    enum second_step_mode mode, const struct auth_env *env, struct err *err);
void second_step_close(struct second_step **s);
bool second_step_is_required(const struct second_step *s);

/* Does this person have one, confirmed? 1/0/-1 */
int second_step_has(
    const struct second_step *s, int64_t user_id, struct err *err) MUST_CHECK;

/* What an app wants to know; texts in an arena. */
struct second_step_offer {
	const char *key; /* in groups of four */
	const char *uri;
};
/* A new secret, for `name`, which counts once it is confirmed; an older one
 * that was not is over. ERR_EXISTS: they have one. */
int second_step_offer(const struct second_step *s, struct arena *a,
    int64_t user_id, const char *name, struct second_step_offer *out,
    struct err *err) MUST_CHECK;
/* By a first code of it: 1, 0 (another code), -1; ERR_NOT_FOUND: nothing was
 * offered. */
int second_step_confirm(const struct second_step *s, int64_t user_id,
    const char *code, struct err *err) MUST_CHECK;
/* Is it a code of now that was not taken yet? It is from here on. 1/0/-1;
 * ERR_NOT_FOUND: they have no second step. */
int second_step_check(const struct second_step *s, int64_t user_id,
    const char *code, struct err *err) MUST_CHECK;
/* They have none from here on; they are logged out everywhere, in one
 * transaction. 1, or 0: they had none. */
int second_step_forget(
    const struct second_step *s, int64_t user_id, struct err *err) MUST_CHECK;

#endif
