/*
 * Services: rows to which tokens, roles and OAuth clients belong. What else is
 * known of a service stands in the configuration (hub/service_conf.h).
 */
#ifndef CARREL_DB_SERVICE_H
#define CARREL_DB_SERVICE_H

#include "db/db.h"

#define SERVICE_NAME_MAX 64

/* Notes of the tokens that come with a service (contract/hub.md 2.5). */
#define SERVICE_NOTE_CONFIG  "from config"
#define SERVICE_NOTE_STARTED "generated at startup"

struct service_row {
	int64_t id;
	const char *name;
	bool admin;
	const char *key;     /* of a managed one that may run; NULL: none */
	const char *made_of; /* of that start */
};

/* Made, or brought up to date. spec: of one that is made over REST; NULL: the
 * configuration's. */
int service_row_put(struct db *db, const char *name, bool admin,
    const char *spec, int64_t *id_out, struct err *err) MUST_CHECK;
/* With all that belongs to it. */
int service_row_delete(struct db *db, int64_t id, struct err *err) MUST_CHECK;
/* Those that were made over REST; fn must not write. */
typedef int service_spec_fn(
    const char *name, bool admin, const char *spec, void *arg, struct err *err);
int service_row_each_spec(
    struct db *db, service_spec_fn *fn, void *arg, struct err *err) MUST_CHECK;
/* 1/0/-1; strings live in `a`. */
int service_row_find(struct db *db, struct arena *a, const char *name,
    struct service_row *out, struct err *err) MUST_CHECK;
int service_row_get(struct db *db, struct arena *a, int64_t id,
    struct service_row *out, struct err *err) MUST_CHECK;
int service_row_set_admin(
    struct db *db, int64_t id, bool admin, struct err *err) MUST_CHECK;
/* key NULL: it does not run. */
int service_row_set_key(struct db *db, int64_t id, const char *key,
    const char *made_of, struct err *err) MUST_CHECK;
/* Those of the configuration but these (a JSON list of names), with all that
 * belongs to them. */
int service_row_delete_others(
    struct db *db, const char *names, struct err *err) MUST_CHECK;

/*
 * The one token of a service with that note: `plain` if it is given, and no
 * other. Inherits all that the service may do. ERR_EXISTS: the text is
 * somebody else's token.
 */
int service_token_set(struct db *db, int64_t id, const char *note,
    const char *plain, int64_t now_us, struct err *err) MUST_CHECK;
/* The OAuth clients of a service but `client_id` (NULL: all). */
int service_clients_delete(struct db *db, int64_t id, const char *client_id,
    struct err *err) MUST_CHECK;

#endif
