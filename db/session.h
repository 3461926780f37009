/*
 * Logins of browsers. The cookie carries a random secret, the database its
 * digest: a stolen database logs nobody in, and a session that was ended is
 * over, whatever cookie is shown.
 */
#ifndef CARREL_DB_SESSION_H
#define CARREL_DB_SESSION_H

#include "db/db.h"

#define SESSION_SECRET_LEN 43 /* base64url of 32 random bytes */
#define SESSION_ID_LEN     32 /* jupyterhub-session-id: hex, not a secret */

struct session {
	int64_t id; /* may be another's when this one is over */
	int64_t user_id;
	char public_id[SESSION_ID_LEN + 1]; /* stored with tokens it led to */
	int64_t created_us, used_us, expires_us;
};

/* *secret_out (SESSION_SECRET_LEN + 1 bytes) goes into the cookie. */
int session_create(struct db *db, int64_t user_id, const char *public_id,
    int64_t now_us, int64_t expires_us, char *secret_out,
    struct err *err) MUST_CHECK;
/* By the cookie's secret; expired ones are not found. 1/0/-1 */
int session_find(struct db *db, const char *secret, int64_t now_us,
    struct session *out, struct err *err) MUST_CHECK;
int session_touch(struct db *db, const struct session *s, int64_t now_us,
    struct err *err) MUST_CHECK;
/* Ends it and deletes the tokens and codes that it led to, in one transaction.
 */
int session_end(
    struct db *db, const struct session *s, struct err *err) MUST_CHECK;
int session_end_all(struct db *db, int64_t user_id, struct err *err) MUST_CHECK;
/* Those of these people who are logged in somewhere, in `a`. */
int session_people(struct db *db, struct arena *a, const char *const *names,
    size_t n, int64_t now_us, const char *const **out, size_t *n_out,
    struct err *err) MUST_CHECK;
/* Expired ones, a bounded number; 1: there may be more, call again. */
int session_purge(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

#endif
