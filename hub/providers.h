/*
 * The logins elsewhere (auth.providers): opened once, shown as links on the
 * login page, and the requests that wait for one of them. Each request is one
 * visit: the way out, or the way back. What must be remembered in between is in
 * the browser (auth/trip.h).
 */
#ifndef CARREL_HUB_PROVIDERS_H
#define CARREL_HUB_PROVIDERS_H

#include <jansson.h>
#include <stdbool.h>

#include "auth/authenticator.h"
#include "auth/trip.h"
#include "base/err.h"
#include "base/url.h"

struct app;
struct config;
struct providers;
struct req;

/* NULL with err: an option is wrong. Wants app->cfg, loop, web, auth_kind.
 */
struct providers *providers_open(struct app *app, struct err *err);
/* Cancels every visit; the waiting requests get 503. */
void providers_close(struct providers **p);
/* The same checks without opening anything (--check). */
int providers_check(
    const struct config *cfg, const char *file, struct err *err) MUST_CHECK;

/* For the login page: [{label, url}] of those that one can leave for; p may be
 * NULL. */
json_t *providers_links(
    const struct providers *p, struct req *r, const char *next);
/* The one of auth.auto_login; NULL: none. */
const char *providers_auto(const struct providers *p);
/* Can that one (NULL: any) be told that whoever is logged in there shall prove
 * it again? p may be NULL. */
bool providers_ask_again(const struct providers *p, const char *name);
/* "/hub/oauth_login/NAME?next=..." */
const char *providers_url(struct req *r, const char *name, const char *next);
/* The name of the only one of these; NULL: there are none, or several. */
const char *providers_only(const struct providers *p);

/*
 * Both wait: the request is answered by a redirect, by page_login_ended or by
 * page_login_problem. -1 with err: LIMIT, NOT_FOUND.
 */
int providers_leave(struct req *r, const char *name, const char *next,
    struct err *err) MUST_CHECK;
int providers_return(
    struct req *r, const struct url_pairs *query, struct err *err) MUST_CHECK;

/* ---- learning platforms (auth/lti.h) ---------------------------------------
 */

/* Are there any? p may be NULL. */
bool providers_has_courses(const struct providers *p);
/* LTI 1.3: a platform's page begins. The request is answered by a redirect, or
 * -1 with err: NOT_FOUND (no such platform), INVALID. */
int providers_begin_lti(
    struct req *r, const struct url_pairs *args, struct err *err) MUST_CHECK;
/* LTI 1.3: what it posts then. As providers_return. */
int providers_launch_lti13(
    struct req *r, const struct url_pairs *form, struct err *err) MUST_CHECK;
/* LTI 1.1: the one form, with what stood in the query. As providers_return. */
int providers_launch_lti11(
    struct req *r, const struct url_pairs *args, struct err *err) MUST_CHECK;
/* A new reference: what the first of LTI 1.3 says about this hub; NULL: none.
 * p may be NULL. */
json_t *providers_lti_tool(const struct providers *p);
/* The same of LTI 1.1, as XML in `a`. */
const char *providers_lti11_tool(const struct providers *p, struct arena *a);

/* ---- asking again (hub/refresh.c) ------------------------------------------
 */

/* Is there one of that name, and can it be asked again? p may be NULL. */
bool providers_has(const struct providers *p, const char *name);
/* As `done` of an authenticator's `refresh`; called once, not before the call
 * returned, unless it was cancelled. */
typedef void providers_refreshed_fn(enum auth_result res,
    const struct auth_identity *id, const char *text, void *arg);
/* providers_has(name) holds. The id is for the cancel. */
uint64_t providers_refresh(struct providers *p, const char *name,
    const json_t *state, providers_refreshed_fn *fn, void *arg);
void providers_refresh_cancel(struct providers *p, uint64_t id);

/* ---- logging out there ------------------------------------------------------
 */

/* Where the browser goes next, in `a`; NULL: nowhere. state may be NULL. */
const char *providers_logout_url(const struct providers *p, const char *name,
    struct arena *a, const json_t *state);

#endif
