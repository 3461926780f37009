/*
 * The audit log: who did what to whom, from where, by which token. One JSON
 * object a line into a file of its own (audit.file), or a line of the log. The
 * events are declared in audit.def. Never a secret; every value is bounded.
 */
#ifndef CARREL_HUB_AUDIT_H
#define CARREL_HUB_AUDIT_H

#include <stdbool.h>

#include "base/err.h"

struct app;
struct audit;
struct req;

enum audit_event {
#define AUDIT(id, name, doc) AUDIT_##id,
#include "hub/audit.def"
#undef AUDIT
	AUDIT_N
};

/* Longer values are cut. */
#define AUDIT_VALUE_MAX 256

/* Reads app->cfg: audit.file, audit.max_size, audit.keep. */
struct audit *audit_open(struct app *app, struct err *err);
void audit_close(struct audit **a);

const char *audit_event_name(enum audit_event ev);

/* Each of these does nothing when app->audit is NULL. detail may be NULL. */

/* The hub itself. */
void audit_hub(struct app *app, enum audit_event ev, const char *detail);
/* The hub ends the logins of a person. */
void audit_login_ended(struct app *app, const char *user, const char *why);
/* A person (NULL: nobody that we know) at the login page. */
void audit_login(const struct req *r, enum audit_event ev, const char *user,
    const char *detail);
/* The caller of `r` does something about the person `user`. */
void audit_person(const struct req *r, enum audit_event ev, const char *user,
    const char *detail);
/* The caller of `r` does something to `user`'s server; server "" is the default
 * one. */
void audit_server(const struct req *r, enum audit_event ev, const char *user,
    const char *server);
/* The request was answered with this status: what it was, if that is anything
 * to record. status 0: its caller did not wait for the answer. */
void audit_request(const struct req *r, int status);

#endif
