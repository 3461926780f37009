/*
 * Users and servers as JSON: what the requester may see of them
 * (contract/hub.md 1.3). Also the ways from a request to the user and the
 * server that it names.
 */
#ifndef CARREL_HUB_MODEL_H
#define CARREL_HUB_MODEL_H

#include <stdbool.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "db/group.h"
#include "db/server.h"
#include "db/user.h"
#include "hub/route.h"
#include "hub/server.h"

/*
 * The user in the path (or who asks). 0: found; -1: the request was answered
 * (404, 500).
 */
int req_user(struct req *r, struct user *out) MUST_CHECK;
/* The group in the path; the same. */
int req_group(struct req *r, struct group *out) MUST_CHECK;
/* The server's name in the path; "" is the default server. */
const char *req_server_name(const struct req *r);
/* "<prefix>/alice" or "<prefix>/alice/name" below the hub's, escaped. */
const char *req_server_url(
    struct req *r, const char *prefix, const char *user, const char *server);
/*
 * "https://lab.example.org", as the requester itself wrote it in its Host
 * header; "" without one. For links in an answer to nobody else, never to
 * decide what is ours.
 */
const char *req_own_origin(struct req *r);
/* Does the requester hold the scope for that user (server NULL) or server? */
bool req_may(
    struct req *r, enum scope_id id, const char *user, const char *server);

/*
 * Users (hub/model_user.c). Which fields of each are seen is decided by the
 * scopes that r->who holds now; somebody of whom nothing may be seen is left
 * out. Groups and servers of a whole page are read at once. On -1 what was
 * written so far is of no use.
 */
enum model_stopped { MODEL_ACTIVE_ONLY, MODEL_STOPPED_TOO };
int model_users(struct req *r, const struct user *users, size_t n,
    enum model_stopped stopped, struct jsonw *out, struct err *err) MUST_CHECK;
/* The members of one, without the braces; at least kind and name. */
int model_user(struct req *r, const struct user *u, enum model_stopped stopped,
    struct jsonw *out, struct err *err) MUST_CHECK;
/* The answer: that user as a whole, or the error. */
void model_reply_user(struct req *r, int status, const struct user *u,
    enum model_stopped stopped);
/* What the query says: ?include_stopped_servers counts as true, with any value
 * but 0 and false. */
enum model_stopped model_stopped(const struct req *r);

/* s NULL: at rest, as the row says; else row may be NULL. */
json_t *model_server(struct req *r, const char *user, const struct server *s,
    const struct server_row *row);
/* The same when it is known whether the inner state may be seen. */
json_t *model_server_seen(struct req *r, const char *user,
    const struct server *s, const struct server_row *row, bool with_state);
/* A timestamp, or null for 0. */
json_t *model_time(int64_t wall_us);

#endif
