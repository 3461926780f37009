/*
 * What the share endpoints, the share codes and the page that accepts one have
 * in common: which server is meant, which scopes, how they are shown
 * (contract/hub.md 1.3, 1.12).
 */
#ifndef CARREL_HUB_SHARE_H
#define CARREL_HUB_SHARE_H

#include "db/server.h"
#include "db/share.h"
#include "db/user.h"
#include "hub/route.h"

/* A server that is or may be shared. */
struct shared_server {
	struct user owner;
	const char *name; /* "" is the default server */
	int64_t id;       /* of its row; 0: a default server that never ran */
};

/* By names. -1: the request was answered (404). */
int shared_server_find(struct req *r, const char *owner, const char *name,
    struct shared_server *out) MUST_CHECK;
/* The row is there then; -1: the request was answered. */
int shared_server_make(struct req *r, struct shared_server *s) MUST_CHECK;
/* {"user": {"name"}, "name", "url", "full_url", "ready"} */
json_t *shared_server_model(struct req *r, const char *owner, const char *name);

/*
 * Scopes of a request: a JSON list (NULL or empty: access:servers), each
 * without a filter or with that of the server. *out is a set without filters.
 * -1: the request was answered (400).
 */
int share_scopes_read(struct req *r, const json_t *list,
    const struct shared_server *s, struct scope_set *out) MUST_CHECK;
/* Only what one may do oneself can be given. -1: answered (403). */
int share_scopes_check(struct req *r, const struct shared_server *s,
    const struct scope_set *scopes) MUST_CHECK;
/* As a column of the database. */
const char *share_scopes_text(struct req *r, const struct scope_set *scopes);
/* A column as a set: what this program does not know is left out. */
int share_scopes_parse(struct req *r, const char *text, struct scope_set *out,
    struct err *err) MUST_CHECK;
/* A column as clients see it: with the server's filter. */
json_t *share_scopes_model(
    struct req *r, const char *text, const char *owner, const char *name);

json_t *share_model(struct req *r, const struct share *s);

/* Add these scopes to what is shared with them already. */
int share_extend(struct req *r, int64_t server_id, struct share_with with,
    const struct scope_set *scopes, struct err *err) MUST_CHECK;

#endif
