/*
 * Logins under way: each is an attempt with an id, a deadline and form steps.
 * The authenticator knows the id only; the browser knows a random name of it.
 * The number of attempts is bounded, and that of those who wait to begin.
 *
 * app.c: login_new before the authenticator is opened with login_sink(), and
 * the spawner's auth_prompt and auth_end are forwarded to auth/pam.h.
 */
#ifndef CARREL_HUB_LOGIN_H
#define CARREL_HUB_LOGIN_H

#include <stddef.h>

struct app;
struct auth_sink;
struct login;

struct login *login_new(struct app *app);
/* Cancels every attempt; the waiting requests get 503. Before the authenticator
 * is closed. */
void login_free(struct login **l);
const struct auth_sink *login_sink(struct login *l);
size_t login_count(const struct login *l);
/* Those whose turn it is not yet; not among the others. */
size_t login_count_waiting(const struct login *l);

#endif
