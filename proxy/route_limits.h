/*
 * What a route may say for itself, in the member "proxy_limits" of its data;
 * what it does not say is as the flags have it. A member of that name that is
 * something else is refused: nobody but carrel-proxy's own clients sets it.
 *
 *   "proxy_limits": {"tunnel_idle": 3600, "request_idle": 600, "open": 500}
 */
#ifndef CARREL_PROXY_ROUTE_LIMITS_H
#define CARREL_PROXY_ROUTE_LIMITS_H

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define ROUTE_LIMITS_MEMBER "proxy_limits"
#define ROUTE_LIMITS_UNSET  (-1)

/* 0: no limit; ROUTE_LIMITS_UNSET: the flag's. */
struct route_limits {
	int32_t tunnel_idle_s;  /* a tunnel without a byte ends */
	int32_t request_idle_s; /* a target that is silent is given up */
	int32_t max_open;       /* requests and tunnels at a time */
};

extern const struct route_limits route_limits_unset;

/* data: the route's object, borrowed. -1: INVALID, with what is wrong. */
int route_limits_read(
    const json_t *data, struct route_limits *out, struct err *err) MUST_CHECK;
static inline int64_t route_limits_choose(int32_t own, int64_t flag)
{
	return own != ROUTE_LIMITS_UNSET ? own : flag;
}

#endif
