/*
 * The one place that decides where a browser may be sent (contract/hub.md 5.2
 * and D; docs/trust.md). Handlers never build a Location from request data
 * by themselves.
 */
#ifndef CARREL_HUB_REDIRECT_H
#define CARREL_HUB_REDIRECT_H

#include "base/arena.h"

struct config;
struct req;

#define REDIRECT_NEXT_MAX 8192

/*
 * `next` as somebody sent it -> a path on this host with one leading slash, its
 * query and fragment kept; NULL: not acceptable, to be treated as absent.
 * Absolute ones are taken only from public_origin ("https://host[:port]"; NULL:
 * none is), and from hosts below it that cfg (may be NULL) gives to people.
 */
const char *redirect_next(struct arena *a, const char *next,
    const char *public_origin, const struct config *cfg);
/* The request's `next` (query, else form), checked; NULL. */
const char *redirect_req_next(struct req *r);
/* Bytes that may not stand in a header field are percent-encoded. */
const char *redirect_header(struct arena *a, const char *location);
/* Where somebody who is logged in goes when no `next` says it. */
const char *redirect_default(struct req *r);
/* The login page with the present request as `next`. */
const char *redirect_login(struct req *r);

#endif
