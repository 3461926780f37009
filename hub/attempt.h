/*
 * Steps of one login, as the pages see it (hub/page_login.c). login.c owns the
 * attempts.
 */
#ifndef CARREL_HUB_ATTEMPT_H
#define CARREL_HUB_ATTEMPT_H

#include <stdbool.h>

#include "auth/authenticator.h"
#include "hub/route.h"

#define ATTEMPT_NAME_LEN 32

/* What the browser is to be told; strings are borrowed for the call. */
struct attempt_prompt {
	const char *attempt; /* its name, for the next form */
	const char *username, *text;
	bool echo;
};

/* Who answers the request that waits. */
struct attempt_ops {
	/* NULL: there is nobody to be asked; a login that asks is refused */
	void (*prompt)(struct req *r, const struct attempt_prompt *p);
	void (*ended)(struct req *r, const char *username, enum auth_result res,
	    const struct auth_identity *id, const char *text);
};

/* The rest of page_login.c. */
void page_login_ended(struct req *r, const char *username, enum auth_result res,
    const struct auth_identity *id, const char *text);
/* The login page with that text above. */
void page_login_problem(struct req *r, int status, const char *text);
/* The form again: its XSRF token was missing, wrong or over. */
void page_login_expired(struct req *r);

/* One name however it is written, so that the throttle counts it once. */
const char *page_login_throttle_name(struct req *r, const char *username);
/* The throttle, the log and the audit log learn of a wrong password. */
void page_login_note_failure(struct req *r, const char *username);

/*
 * Begin; the request waits and is answered by one of ops. -1 with err: LIMIT
 * (too many at a time).
 */
int attempt_begin(struct req *r, const char *username, const char *password,
    const struct attempt_ops *ops, struct err *err) MUST_CHECK;
/* The answer to a prompt. -1 with err: NOT_FOUND (over, or of another
 * browser). */
int attempt_answer(struct req *r, const char *attempt, const char *answer,
    struct err *err) MUST_CHECK;

#endif
