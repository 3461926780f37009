/*
 * Logins that a front end before our proxy did: "auth.type: header".
 */
#ifndef CARREL_HUB_FRONT_H
#define CARREL_HUB_FRONT_H

#include <stdbool.h>

#include "hub/route.h"

bool front_is_used(const struct app *app);
/* The login page: the person of the header comes in, others are told where to
 * go. Answers the request. */
void front_login(struct req *r);
/* The front end vouches for somebody else than `name`: a browser that two
 * people share. */
bool front_names_another(struct req *r, const char *name);

#endif
