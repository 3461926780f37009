/*
 * The handlers that routes.def names, declared from there.
 */
#ifndef CARREL_HUB_HANDLERS_H
#define CARREL_HUB_HANDLERS_H

#include "hub/route.h"

#define ROUTE(method, pattern, gate, scopes, target, max_body, handler, doc)   \
	route_fn handler;
#include "hub/routes.def"
#undef ROUTE

#endif
