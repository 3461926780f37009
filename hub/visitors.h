/*
 * People for a visit (auth.type tmp): made when a browser comes without a
 * login, deleted with everything that is theirs when their server has stopped,
 * when they have logged out, or when their time is over.
 */
#ifndef CARREL_HUB_VISITORS_H
#define CARREL_HUB_VISITORS_H

#include <stdbool.h>

#include "hub/route.h"

struct visitors;

/* Looks after those that there are, whatever auth.type is now. */
struct visitors *visitors_open(struct app *app);
void visitors_close(struct visitors **v);

/* Does the login page's form make one? A browser sends it by itself: what only
 * looks at the page makes nobody. */
bool visitors_are_taken(const struct app *app);
/* Makes one and answers the request. */
void visitor_login(struct req *r);

#endif
