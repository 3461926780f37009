/*
 * The routes that the proxy gets for no server and no service: the hub's own
 * (hub.routespec) and those of the configuration (proxy.extra_routes).
 */
#ifndef CARREL_HUB_OWN_ROUTES_H
#define CARREL_HUB_OWN_ROUTES_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

struct app;
struct config;

/* Wish for all of them; hub/routing.h sees to the rest. */
void own_routes_want(struct app *app);

/* ERR_INVALID: the hub would not be reached by its own route. */
int own_route_check(const struct config *cfg, struct err *err) MUST_CHECK;
/* ERR_INVALID: the path is none, or is people's or services', or the target is
 * no address. */
int extra_route_check(const struct config *cfg, const struct conf_pair *route,
    struct err *err) MUST_CHECK;

#endif
