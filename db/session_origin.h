/*
 * Which shared secret a browser's login came of (auth/origin.h).
 */
#ifndef CARREL_DB_SESSION_ORIGIN_H
#define CARREL_DB_SESSION_ORIGIN_H

#include "db/db.h"

#define SESSION_ORIGIN_LEN 32 /* bytes */

/* Of the session that was made with this secret of a cookie. */
int session_origin_put(struct db *db, const char *session_secret,
    const unsigned char origin[SESSION_ORIGIN_LEN], struct err *err) MUST_CHECK;
/*
 * Ends every session that has an origin which is not one of `keep`, with the
 * tokens and codes that it led to, in one transaction. Sessions without an
 * origin stay.
 */
int session_origin_keep(struct db *db,
    const unsigned char (*keep)[SESSION_ORIGIN_LEN], size_t n,
    int64_t *n_ended_out, struct err *err) MUST_CHECK;

#endif
