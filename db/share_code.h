/*
 * Share codes: whoever shows one gets a share (db/share.h). 43 characters, kept
 * as a digest; they expire, and may be used often until then.
 */
#ifndef CARREL_DB_SHARE_CODE_H
#define CARREL_DB_SHARE_CODE_H

#include "db/db.h"

#define SHARE_CODE_LEN 43

struct share_code {
	int64_t id; /* "sc_<id>" on the wire */
	int64_t server_id, owner_id;
	const char *owner, *server; /* names; server "" is the default one */
	const char *scopes;         /* a JSON list of names of scopes */
	int64_t created_us, expires_us;
	int64_t exchange_count, last_exchanged_us; /* 0: never */
};

/* server_id, scopes and times of `c`; *plain_out has SHARE_CODE_LEN + 1 bytes
 * and is shown once. */
int share_code_create(struct db *db, const struct share_code *c,
    char *plain_out, int64_t *id_out, struct err *err) MUST_CHECK;
/* By its text; expired ones are not found. 1/0/-1, strings in `a`. */
int share_code_find(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct share_code *out, struct err *err) MUST_CHECK;
/* It was changed into a share once more. */
int share_code_count(
    struct db *db, int64_t id, int64_t now_us, struct err *err) MUST_CHECK;

/* Of that server: one by its text, one by its id, all. 1 something was deleted,
 * 0 there was nothing, -1. */
int share_code_delete_text(struct db *db, int64_t server_id, const char *plain,
    int64_t now_us, struct err *err) MUST_CHECK;
int share_code_delete_id(struct db *db, int64_t server_id, int64_t id,
    int64_t now_us, struct err *err) MUST_CHECK;
int share_code_delete_server(
    struct db *db, int64_t server_id, struct err *err) MUST_CHECK;

struct share_code_query {
	int64_t owner_id;  /* of all servers of that person; else 0 */
	int64_t server_id; /* of that server */
	int64_t now_us;    /* expired ones are left out */
	int64_t offset, limit;
};
/* By id; the page in `a`, and how many there are in all. */
int share_code_list(struct db *db, struct arena *a,
    const struct share_code_query *q, struct share_code **out, size_t *n_out,
    int64_t *total_out, struct err *err) MUST_CHECK;
/* Expired ones, a bounded number; 1: there may be more, call again. */
int share_code_purge(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

#endif
