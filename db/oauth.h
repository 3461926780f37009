/*
 * OAuth clients and authorization codes (contract/hub.md 3). Secrets and codes
 * are stored as digests.
 */
#ifndef CARREL_DB_OAUTH_H
#define CARREL_DB_OAUTH_H

#include "db/db.h"

struct oauth_client {
	const char *id; /* "jupyterhub-user-alice" */
	const char *redirect_uri;
	const char *description;
	const char *allowed_scopes; /* JSON list */
	int64_t server_id;          /* 0: not a server's */
	int64_t service_id;         /* 0: not a service's */
};

struct oauth_code {
	const char *client_id;
	int64_t user_id;
	const char *redirect_uri;
	const char *session_id;
	const char *scopes;           /* JSON list, granted */
	const char *challenge;        /* PKCE; NULL: none */
	const char *challenge_method; /* "S256" or "plain" */
	int64_t expires_us;
	const char *nonce; /* of an OpenID request; NULL: none */
	int64_t login_us;  /* when the person logged in */
	int64_t token_id;  /* what it became; 0: it is not used */
};

#define OAUTH_CODE_LEN 30

/* Insert or replace by id. secret NULL: the one that it has stays. */
int oauth_client_put(struct db *db, const struct oauth_client *c,
    const char *secret, struct err *err) MUST_CHECK;
int oauth_client_find(struct db *db, struct arena *a, const char *id,
    struct oauth_client *out, struct err *err) MUST_CHECK; /* 1/0/-1 */
/* 1 the secret is right, 0 unknown client or wrong, -1. Constant time. */
int oauth_client_check(struct db *db, const char *id, const char *secret,
    struct err *err) MUST_CHECK;
/* With its tokens and codes. */
int oauth_client_delete(
    struct db *db, const char *id, struct err *err) MUST_CHECK;
/* Are there tokens of this user for the client whose scopes hold all of
 * `scopes` (JSON list)? (skips the confirmation page) 1/0/-1 */
int oauth_client_scopes_granted(struct db *db, struct arena *a,
    const char *client_id, int64_t user_id, const char **json_out,
    struct err *err) MUST_CHECK;

int oauth_code_create(struct db *db, const struct oauth_code *c, char *code_out,
    struct err *err) MUST_CHECK;
/* Without using it up; used ones are found until the purge. 1/0/-1 */
int oauth_code_find(struct db *db, struct arena *a, const char *code,
    int64_t now_us, struct oauth_code *out, struct err *err) MUST_CHECK;
/* It became that token. 1 this call used it up, 0 it was gone or used. */
int oauth_code_use(struct db *db, const char *code, int64_t token_id,
    struct err *err) MUST_CHECK;
/* Expired ones, a bounded number; 1: there may be more, call again. */
int oauth_code_purge(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

#endif
