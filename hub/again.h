/*
 * Logging in again while logged in: a client of the OpenID provider may want a
 * fresh proof of who is there (prompt=login, max_age). The browser goes to the
 * login page, which shows its form all the same, and comes back with the time
 * at which it was sent there; a login that began later is the fresh one.
 */
#ifndef CARREL_HUB_AGAIN_H
#define CARREL_HUB_AGAIN_H

#include <stdbool.h>

struct app;
struct req;

/* The parameter of the authorization request that says since when. */
#define AGAIN_SINCE "login_since"

/* Can people prove here who they are, however they are logged in? Not with the
 * login of a front end, and not by providers that would only nod. */
bool again_is_possible(const struct app *app);
/* Is the login page asked for in spite of a login? */
bool again_is_asked(const struct req *r);
/* Has the person of this request logged in since they were sent away? */
bool again_is_done(const struct req *r);
/* The login page, and from there back here; NULL: the address is too long. */
const char *again_url(struct req *r);

#endif
