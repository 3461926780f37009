/*
 * Shares: who else may do what with somebody's server. One row for each server
 * and person, or server and group. Scopes are stored without a filter: they
 * hold for that server, also when it or its owner gets another name.
 */
#ifndef CARREL_DB_SHARE_H
#define CARREL_DB_SHARE_H

#include "db/db.h"

#define SHARE_SCOPES_MAX 65536 /* bytes of the JSON list */

struct share {
	int64_t id;
	const char *owner, *server; /* names; server "" is the default one */
	const char *user, *group;   /* one of them; the other is NULL */
	const char *scopes;         /* a JSON list of names of scopes */
	int64_t created_us;
};

/* With whom: one of the two, the other is 0. */
struct share_with {
	int64_t user_id, group_id;
};

/* 1/0/-1; strings live in `a`. */
int share_find(struct db *db, struct arena *a, int64_t server_id,
    struct share_with with, struct share *out, struct err *err) MUST_CHECK;
/* There is one with exactly these scopes then. */
int share_put(struct db *db, int64_t server_id, struct share_with with,
    const char *scopes, int64_t now_us, struct err *err) MUST_CHECK;
int share_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;
/* All of that server. */
int share_delete_server(
    struct db *db, int64_t server_id, struct err *err) MUST_CHECK;

enum share_list {
	SHARE_OF_OWNER,  /* of all servers of a person */
	SHARE_OF_SERVER, /* of one server */
	SHARE_TO_USER,   /* with a person, or a group of theirs */
	SHARE_TO_GROUP,
	SHARE_N_LISTS
};

struct share_query {
	enum share_list which;
	int64_t id; /* of the person, server or group */
	int64_t offset, limit;
};
/* By id; the page in `a`, and how many there are in all. */
int share_list(struct db *db, struct arena *a, const struct share_query *q,
    struct share **out, size_t *n_out, int64_t *total_out,
    struct err *err) MUST_CHECK;

#endif
