/*
 * API tokens: 32 hex digits, stored as a SHA-256 digest (they are random, so no
 * slow hash is needed). OAuth access tokens and servers' tokens are rows here
 * too (contract/hub.md 2.5, 3.4, 4.1).
 */
#ifndef CARREL_DB_TOKEN_H
#define CARREL_DB_TOKEN_H

#include "db/db.h"

#define TOKEN_LEN 32

struct token {
	int64_t id;         /* "a<id>" on the wire */
	int64_t user_id;    /* 0: a service's */
	int64_t service_id; /* 0: a person's */
	const char
	    *client_id; /* OAuth client; "jupyterhub" for ordinary ones */
	const char *session_id; /* public id of the session; NULL: none */
	const char *note;
	const char *scopes; /* JSON list of raw scopes */
	int64_t server_id;  /* a server's own token; 0: none */
	int64_t created_us, used_us,
	    expires_us; /* used 0: never; expires 0: never */
};

/* `t` without id; *plain_out has TOKEN_LEN + 1 bytes, shown once. */
int token_create(struct db *db, const struct token *t, char *plain_out,
    int64_t *id_out, struct err *err) MUST_CHECK;
/* By its text; expired ones are not found. 1/0/-1 */
int token_find(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct token *out, struct err *err) MUST_CHECK;
/* By its id, whoever owns it. */
int token_find_id(struct db *db, struct arena *a, int64_t id, int64_t now_us,
    struct token *out, struct err *err) MUST_CHECK;
int token_touch(
    struct db *db, int64_t id, int64_t now_us, struct err *err) MUST_CHECK;
int token_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;
/* All that a server's start made: its own and those of its OAuth client. */
int token_delete_server(
    struct db *db, int64_t server_id, struct err *err) MUST_CHECK;
/* Expired ones, a bounded number; 1: there may be more, call again. */
int token_purge(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

#endif
