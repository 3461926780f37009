/*
 * The gate: who asks, whether the request is really meant by them (XSRF,
 * Fetch-Metadata), and whether they may. Every request of every route passes
 * here before its handler (contract/hub.md 1.1, 2; docs/trust.md).
 */
#ifndef CARREL_HUB_GATE_H
#define CARREL_HUB_GATE_H

#include <stdbool.h>

#include "hub/route.h"

/* Address and scheme of the browser; forwarded headers count only when the
 * request came by the proxy's own listener. */
void gate_origin(struct req *r);
/*
 * true: the handler may run. false: the request was answered, or it waits and
 * route_again comes. r->route may be
 * NULL (no such method, no such page): then it is always answered.
 */
bool gate_pass(struct req *r);
/*
 * What r->who's scopes are worth on r->route, for what r's parameters name. The
 * gate decides by it and `explain` tells it.
 */
struct gate_verdict {
	enum scope_verdict best;
	enum scope_verdict each[ROUTE_SCOPES_MAX]; /* of r->route->scopes */
	size_t n;
	bool is_listing; /* held for some: they are shown */
};
void gate_weigh(const struct req *r, struct gate_verdict *out);
/*
 * For pages with forms: sets r->xsrf, and the cookies that it needs when this
 * is a navigation. Called by reply_page.
 */
void gate_prepare_forms(struct req *r);
/* The XSRF binding changes with the login: new cookies for it. */
void gate_set_login(struct req *r, const char *secret, const char *session_id);
/* Forget everything about the login in this browser. */
void gate_clear_login(struct req *r);

#endif
