/*
 * Second steps of logins with a password of the hub's own: one sealed secret a
 * person. Until a first code has confirmed it, it opens and demands nothing.
 * What a secret is, and who seals it, is auth/second_step.h.
 */
#ifndef CARREL_DB_TOTP_H
#define CARREL_DB_TOTP_H

#include "db/db.h"

#define TOTP_SEALED_MAX 255 /* bytes */

struct totp_row {
	const char *sealed;
	bool is_confirmed;
	int64_t last_step; /* of the last code that was taken */
};

/* 1/0/-1; strings live in `a`. */
int totp_find(struct db *db, struct arena *a, int64_t user_id,
    struct totp_row *out, struct err *err) MUST_CHECK;
/* Takes the place of one that was not confirmed. ERR_EXISTS: one was. */
int totp_begin(struct db *db, int64_t user_id, const char *sealed,
    int64_t now_us, struct err *err) MUST_CHECK;
/* 1, or 0: there is none that waits for it. */
int totp_confirm(
    struct db *db, int64_t user_id, int64_t step, struct err *err) MUST_CHECK;
/* The code of this step is used up. 1, or 0: it, or a later one, was before. */
int totp_use(
    struct db *db, int64_t user_id, int64_t step, struct err *err) MUST_CHECK;
/* 1, or 0: there was none. */
int totp_forget(struct db *db, int64_t user_id, struct err *err) MUST_CHECK;

#endif
