/*
 * What the pages for passwords of the hub's own share (auth.type native and
 * first-use): page_signup.c, page_password.c, page_authorize.c.
 */
#ifndef CARREL_HUB_OWN_H
#define CARREL_HUB_OWN_H

#include "auth/own_login.h"
#include "auth/passwords.h"
#include "db/session.h"
#include "hub/route.h"

/* NULL: the hub has no passwords of its own, and 404 was answered. */
const struct own_policy *own_page(struct req *r);
/* Links of the login page, and of the home page. */
void own_login_links(struct app *app, json_t *data);
void own_home_links(struct req *r, json_t *data);

/*
 * A request that waits for a hash. Begin of the state of such a request, in its
 * arena; the job ends with the request.
 */
struct own_wait {
	struct req *r;
	struct passwords_job *job;
};
/* -1: too many wait already (job is NULL), nothing is waited for. */
int own_wait(struct own_wait *w, struct passwords_job *job) MUST_CHECK;
/* The answer is here: the request is free to be answered. */
void own_wait_over(struct own_wait *w);

/* A login for the browser that asks, and the end of all others of its person:
 * their password or second step is another one. */
struct own_session {
	char secret[SESSION_SECRET_LEN + 1];
	char id[SESSION_ID_LEN + 1];
};
/* In a transaction of the caller's. */
int own_session_renew(
    struct req *r, struct own_session *out, struct err *err) MUST_CHECK;
/* The cookie; wipes it here. */
void own_session_give(struct req *r, struct own_session *s);

/* May this person's row be changed by who asks? Only administrators touch
 * administrators, those who are named one and have never come in included. */
bool own_may_touch(const struct req *r, const char *name, bool is_admin);

#define OWN_TEXT_BUSY "Too many people wait right now. Try again in a minute."

#endif
