/*
 * Who lives on which host when everybody has one of their own
 * (hub.subdomain_host; contract/hub.md 4.4, docs/subdomains.md). Two people, or
 * a person and a service, never share a host, whatever their names are. Pure:
 * the configuration in, text out; says nothing about paths.
 */
#ifndef CARREL_HUB_DOMAIN_H
#define CARREL_HUB_DOMAIN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct config;

/* Part of struct config; host NULL: everything is on one host. */
struct domain {
	const char *scheme; /* "https" */
	const char *host;   /* "hub.example.org", in lower case */
	const char *port;   /* ":8443"; "" for the usual one */
};

/*
 * From cfg->subdomain_host and what must agree with it: an empty public_url
 * becomes the same address, and with https the cookies get the __Host- prefix.
 * ERR_INVALID.
 */
int domain_open(
    struct arena *a, struct config *cfg, struct err *err) MUST_CHECK;
bool domain_is_used(const struct config *cfg);

/* "https://alice.hub.example.org:8443", to be put before a path; "" when hosts
 * are not in use, and the path is all there is to say. */
const char *domain_user_origin(
    struct arena *a, const struct config *cfg, const char *user);
const char *domain_service_origin(
    struct arena *a, const struct config *cfg, const char *service);
/* A path as the proxy's table wants it, "/alice.hub.example.org/user/alice":
 * escaped, and the path alone when hosts are not in use. */
const char *domain_user_route(struct arena *a, const struct config *cfg,
    const char *user, const char *path);
const char *domain_service_route(struct arena *a, const struct config *cfg,
    const char *service, const char *path);

/*
 * Is it somebody's host below ours? `authority` is what a Host header says
 * (NULL: no). Ports do not matter: cookies do not know them.
 */
bool domain_is_below(const struct config *cfg, const char *authority);
/* The same of an Origin header: "https://alice.hub.example.org". */
bool domain_is_origin_below(const struct config *cfg, const char *origin);
/* Where a form of ours may lead to in the end (CSP form-action). */
const char *domain_form_action(struct arena *a, const struct config *cfg);

#endif
