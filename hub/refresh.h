/*
 * Is it still so? A person who came by a provider is looked up there again when
 * they come and the last time is auth.auth_refresh_age ago: their groups and
 * the rules follow; whom the provider or the rules refuse is logged out. The
 * request waits meanwhile; many of one person wait for one question. A provider
 * that cannot be asked changes nothing; it is asked again in a minute.
 */
#ifndef CARREL_HUB_REFRESH_H
#define CARREL_HUB_REFRESH_H

#include <stdint.h>

#include "hub/route.h"

struct refresh;

/* NULL: nothing is ever asked. Wants app->cfg, sealer and providers. */
struct refresh *refresh_open(struct app *app);
/* Waiting requests get 503. Before the providers are closed. */
void refresh_close(struct refresh **rf);
/* They have just logged in: what is remembered of them is old. rf may be NULL.
 */
void refresh_forget(struct refresh *rf, int64_t user_id);

enum refresh_verdict {
	REFRESH_FRESH,
	REFRESH_WAITS,   /* route_again comes */
	REFRESH_REFUSED, /* nothing of theirs is let in; they must log in */
	REFRESH_ERROR,
};

/* Of who asks (r->who). `now`: however long ago it was. */
enum refresh_verdict refresh_check(struct req *r, bool now, struct err *err);

#endif
