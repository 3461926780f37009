/*
 * Steps of one login, as the pages see it (hub/page_login.c). login.c owns the
 * attempts.
 */
#ifndef CARREL_HUB_ATTEMPT_H
#define CARREL_HUB_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

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
	/* Its turn came too late: the name or address must wait now. */
	void (*must_wait)(struct req *r, const char *username);
};

/* The rest of page_login.c. */
void page_login_ended(struct req *r, const char *username, enum auth_result res,
    const struct auth_identity *id, const char *text);
/* A provider (r->login_via) says no, or its restrictions do: whom it named is
 * not known. */
void page_login_denied(struct req *r, const char *text);
/* The login page with that text above. */
void page_login_problem(struct req *r, int status, const char *text);
/* Seconds until that name may be tried from the request's address; 0: now. */
int64_t page_login_wait_s(struct req *r, const char *username);
/* The form again: its XSRF token was missing, wrong or over. */
void page_login_expired(struct req *r);

/* One name however it is written, so that the throttle counts it once. */
const char *page_login_throttle_name(struct req *r, const char *username);
/* The throttle, the log and the audit log learn of a wrong password. */
void page_login_note_failure(struct req *r, const char *username);

/*
 * Begin, when it is its turn; the request waits and is answered by one of ops.
 * username and password live as long as the request. -1 with err: LIMIT
 * (too many at a time).
 */
int attempt_begin(struct req *r, const char *username, const char *password,
    const struct attempt_ops *ops, struct err *err) MUST_CHECK;
/* The answer to a prompt. -1 with err: NOT_FOUND (over, or of another
 * browser). */
int attempt_answer(struct req *r, const char *attempt, const char *answer,
    struct err *err) MUST_CHECK;

#endif
