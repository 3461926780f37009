/*
 * A request for a token by somebody who has none yet: name and password stand
 * in the body as `auth` (contract/hub.md 1.9).
 */
#ifndef CARREL_HUB_TOKEN_LOGIN_H
#define CARREL_HUB_TOKEN_LOGIN_H

#include "hub/route.h"

/*
 * Log that person in for this one request: r->who is them, then `then` is
 * called. Otherwise the request is answered (403, 429, 503).
 */
void token_login(struct req *r, route_fn *then);

#endif
