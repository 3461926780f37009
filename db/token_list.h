/*
 * A person's tokens, as they are shown: with the client that each came through
 * and the server that it reaches.
 */
#ifndef CARREL_DB_TOKEN_LIST_H
#define CARREL_DB_TOKEN_LIST_H

#include "db/token.h"

struct token_shown {
	struct token token;
	const char *client; /* description of the OAuth client */
	/* name of the server whose own token it is, or whose client's; NULL */
	const char *server;
};

/* Those that have not expired, by their last use (else their making). */
int token_list(struct db *db, struct arena *a, int64_t user_id, int64_t now_us,
    struct token_shown **out, size_t *n_out, struct err *err) MUST_CHECK;
/* One of that person's. 1/0/-1 */
int token_get(struct db *db, struct arena *a, int64_t user_id, int64_t id,
    int64_t now_us, struct token_shown *out, struct err *err) MUST_CHECK;
/* All of that person's that came through that client. */
int token_delete_client(struct db *db, int64_t user_id, const char *client_id,
    struct err *err) MUST_CHECK;

#endif
