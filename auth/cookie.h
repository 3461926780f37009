/*
 * The hub's cookies and the XSRF token (contract/hub.md 2.3, 2.4, D).
 *
 *   jupyterhub-hub-login    the session's secret; Path=/hub/, HttpOnly
 *   jupyterhub-session-id   the session's public id; Path=/, HttpOnly
 *   carrel-browser          random, for people who are not logged in: what
 *                           their XSRF token is bound to; Path=/hub/, HttpOnly
 *   _xsrf                   the token itself, readable by our pages' scripts
 *
 * The token is an HMAC over the login secret, or over the browser's cookie: it
 * needs no row, stays the same as long as what it is bound to, and is worth
 * nothing in another browser or session.
 */
#ifndef CARREL_AUTH_COOKIE_H
#define CARREL_AUTH_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/keys.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "db/session.h"

#define COOKIE_LOGIN      "jupyterhub-hub-login"
#define COOKIE_LOGIN_HOST "__Host-jupyterhub-hub-login"
#define COOKIE_SESSION_ID "jupyterhub-session-id"
#define COOKIE_BROWSER    "carrel-browser"
#define COOKIE_XSRF       "_xsrf"
#define COOKIE_SERVICES   "jupyterhub-services" /* only ever cleared */

#define COOKIE_HEADER_MAX 16384
#define XSRF_LEN          43
#define XSRF_ANON_S       3600

/* How cookies are written here. Paths begin and end with '/'. */
struct cookie_env {
	const char *base_path; /* "/" */
	const char *hub_path;  /* "/hub/" */
	/* Servers have hosts below this one: they get the session-id cookie,
	 * and no other. NULL: everything is on one host. */
	const char *domain;
	bool secure;      /* the browser sees https */
	bool host_prefix; /* __Host- for the login cookie; wants secure */
};

/* Well-formed values only; "" where there is none. */
struct cookie_in {
	char login[SESSION_SECRET_LEN + 1];
	char session_id[SESSION_ID_LEN + 1];
	char browser[SESSION_SECRET_LEN + 1];
};

/* `header` is the Cookie header; longer than COOKIE_HEADER_MAX: as empty. */
void cookie_read(
    struct slice header, const struct cookie_env *env, struct cookie_in *out);

/* Values for Set-Cookie, in `a`. max_age_s 0: until the browser closes. */
const char *cookie_login(struct arena *a, const struct cookie_env *env,
    const char *secret, int64_t max_age_s);
const char *cookie_session_id(
    struct arena *a, const struct cookie_env *env, const char *id);
const char *cookie_browser(
    struct arena *a, const struct cookie_env *env, const char *value);
/* anonymous: ends after XSRF_ANON_S. */
const char *cookie_xsrf(struct arena *a, const struct cookie_env *env,
    const char *token, bool anonymous);
/* Makes the browser forget it: one of the names above. */
const char *cookie_clear(
    struct arena *a, const struct cookie_env *env, const char *name);

/* Any other cookie of ours; ERR_INVALID: a byte that RFC 6265 forbids. */
struct cookie_out {
	const char *name, *value, *path;
	const char *domain; /* NULL: for this host alone */
	int64_t max_age_s;  /* 0: session; -1: forget it */
	bool http_only, secure;
	bool cross_site; /* comes with forms of other sites; wants secure */
};
int cookie_build(struct arena *a, const struct cookie_out *c, const char **out,
    struct err *err) MUST_CHECK;

/* A new value for COOKIE_BROWSER. */
void browser_new(char out[SESSION_SECRET_LEN + 1]);
/* A new value for COOKIE_SESSION_ID. */
void session_id_new(char out[SESSION_ID_LEN + 1]);

/* What a token is bound to: the login secret if there is one, else the
 * browser's cookie. */
struct xsrf_binding {
	const char *login;   /* NULL or "": not logged in */
	const char *browser; /* NULL or "": none yet */
};

enum xsrf_verdict {
	XSRF_OK,
	XSRF_MISSING, /* nothing was submitted */
	XSRF_INVALID, /* what was submitted is no token at all */
	/* It is not this browser's token, or no `_xsrf` cookie with it came
	 * along. */
	XSRF_MISMATCH,
};

/* -1 when nothing is there to bind to. */
int xsrf_mint(const struct keys *k, const struct xsrf_binding *b,
    char out[XSRF_LEN + 1]) MUST_CHECK;
/*
 * `submitted` is the argument or header (NULL: none). Of several `_xsrf`
 * cookies (single-user servers set their own) the first that verifies counts.
 */
enum xsrf_verdict xsrf_check(const struct keys *k, const struct xsrf_binding *b,
    struct slice cookie_header, const char *submitted);
/* Did a valid `_xsrf` cookie come? (else a navigation sets it) */
bool xsrf_cookie_sent(const struct keys *k, const struct xsrf_binding *b,
    struct slice cookie_header);
/* The text of contract/hub.md 1.1 for a refused request, in `a`. */
const char *xsrf_text(struct arena *a, enum xsrf_verdict v, const char *method);

#endif
