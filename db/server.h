/*
 * Notebook servers, as they should be: one row per (user, name), made on the
 * first start. hub/server.h holds what they are.
 */
#ifndef CARREL_DB_SERVER_H
#define CARREL_DB_SERVER_H

#include "db/db.h"

struct server_row {
	int64_t id;
	int64_t user_id;
	const char *user_name;
	const char *name; /* "" is the default server */
	const char *key; /* spawner's key of the present start; NULL: stopped */
	bool wanted;     /* should run */
	const char *profile, *account;
	const char *address;      /* "127.0.0.1:40123"; NULL: not known */
	const char *options;      /* JSON of user_options; NULL: none */
	const char *display_name; /* NULL: by its name */
	int64_t created_us, started_us, last_activity_us;
};

/* 1/0/-1 */
int server_row_find(struct db *db, struct arena *a, int64_t user_id,
    const char *name, struct server_row *out, struct err *err) MUST_CHECK;
int server_row_get(struct db *db, struct arena *a, int64_t id,
    struct server_row *out, struct err *err) MUST_CHECK;
int server_row_create(struct db *db, int64_t user_id, const char *name,
    int64_t now_us, int64_t *id_out, struct err *err) MUST_CHECK;
/* A start begins: key, profile, account, wanted, options (NULL keeps). */
int server_row_start(struct db *db, int64_t id, const char *key,
    const char *profile, const char *account, const char *options,
    int64_t now_us, struct err *err) MUST_CHECK;
int server_row_set_address(
    struct db *db, int64_t id, const char *address, struct err *err) MUST_CHECK;
/* A stop was asked for: it should no longer run, the key stays. */
int server_row_unwant(struct db *db, int64_t id, struct err *err) MUST_CHECK;
/* The same for all of a person. */
int server_row_unwant_of(
    struct db *db, int64_t user_id, struct err *err) MUST_CHECK;
/* It runs no longer: key, address, started and wanted are cleared, its tokens
 * and its OAuth client deleted, in one transaction. */
int server_row_stopped(struct db *db, int64_t id, struct err *err) MUST_CHECK;
int server_row_touch(
    struct db *db, int64_t id, int64_t activity_us, struct err *err) MUST_CHECK;
/* To be deleted once it is stopped; a start takes that back. */
int server_row_set_removing(
    struct db *db, int64_t id, struct err *err) MUST_CHECK;
int server_row_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;

/* What a person may change while it is at rest; NULL keeps. ERR_BUSY: it is not
 * at rest. ERR_EXISTS: the person has another one of that name. */
struct server_change {
	const char *name, *display_name, *options;
};
int server_row_change(struct db *db, int64_t id, const struct server_change *c,
    struct err *err) MUST_CHECK;
/* How many that person has beside the default one. */
int server_count_named(
    struct db *db, int64_t user_id, int64_t *out, struct err *err) MUST_CHECK;

typedef int server_row_fn(
    const struct server_row *row, void *arg, struct err *err);
/* Every row with a key (what may run). The callback must not write. */
int server_row_each_active(
    struct db *db, server_row_fn *fn, void *arg, struct err *err) MUST_CHECK;
int server_row_each_removing(
    struct db *db, server_row_fn *fn, void *arg, struct err *err) MUST_CHECK;
int server_row_each_of_user(struct db *db, int64_t user_id, server_row_fn *fn,
    void *arg, struct err *err) MUST_CHECK;
/* Those of these people, by person and name, in one statement. */
int server_row_each_of_users(struct db *db, const int64_t *user_ids, size_t n,
    server_row_fn *fn, void *arg, struct err *err) MUST_CHECK;

#endif
