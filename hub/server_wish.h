/*
 * What a request wants of a server: the bodies of POST, PUT and PATCH, and the
 * rules of named servers (contract/hub.md 1.8).
 */
#ifndef CARREL_HUB_SERVER_WISH_H
#define CARREL_HUB_SERVER_WISH_H

#include "hub/model.h"

struct server_wish {
	const json_t *options;    /* NULL: those of the last time */
	const char *display_name; /* NULL: stays */
};

/* Named servers are off and one was named: answered. */
bool server_refuse_named(struct req *r);
/* "alice has no server named 'lab'" */
void server_reply_unknown(struct req *r, const struct user *user);
/* -1: the request was answered. */
int server_wish_read(struct req *r, struct server_wish *out) MUST_CHECK;
/*
 * Before a start: may this server come to be (name, limit), and its display
 * name. ERR_INVALID.
 */
int server_wish_prepare(struct req *r, const struct user *user,
    const struct server_wish *w, struct err *err) MUST_CHECK;

#endif
