/*
 * Who makes a request, and what they may do: found out once by the gate, then
 * read by every handler. Strings live in the request's arena.
 *
 * A login cookie gives all scopes of the user; a token gives its own, cut by
 * what its owner may do now, so that taking a role away shrinks every token at
 * once (contract/hub.md 2.1, 7.5).
 */
#ifndef CARREL_AUTH_PRINCIPAL_H
#define CARREL_AUTH_PRINCIPAL_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/scope.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "db/db.h"
#include "db/session.h"
#include "db/token.h"
#include "db/user.h"

enum principal_kind {
	PRINCIPAL_NONE,  /* nobody that we know */
	PRINCIPAL_USER,  /* a person, by the login cookie */
	PRINCIPAL_TOKEN, /* whoever shows a token: its owner's, a person's or a
			  * service's, cut down */
	PRINCIPAL_LOCAL, /* root or the hub's own account, at the hub's socket
			  * for administrators */
};

struct principal {
	enum principal_kind kind;
	int64_t user_id;       /* 0: a service's token, or PRINCIPAL_LOCAL */
	const char *user_name; /* "" then, which is nobody's name */
	int64_t service_id;
	const char *service_name; /* NULL: not a service */
	const char *local_name;   /* PRINCIPAL_LOCAL: the account; or NULL */
	bool admin; /* the owner's flag, whatever a token's scopes say */
	int64_t user_activity_us; /* as stored; 0: never */
	/* The session's public id (of a token: the one it came from). NULL */
	const char *session_id;
	struct session session; /* PRINCIPAL_USER: for session_end */
	int64_t token_id;       /* PRINCIPAL_TOKEN, else 0 */
	const char *token_note;
	int64_t token_used_us;
	const char *client_id;    /* the token's OAuth client */
	int64_t server_id;        /* a server's own token; 0: none */
	struct scope_set scopes;  /* effective, expanded, reduced */
	struct scope_context ctx; /* what !user, !server mean for it */
};

/* Who it is, for logs: a person, a service, an account; NULL: nobody. */
const char *principal_name(const struct principal *p);

/* The token in "token <t>" or "bearer <t>" (any case; whole header); false when
 * the header is something else. */
bool principal_bearer(const char *header, struct slice *out);

/*
 * By the secret of the login cookie, by the text of a token. 1 found; 0: no
 * such thing (ended, expired, owner gone, malformed) and out->kind is NONE; -1.
 */
int principal_by_session(struct db *db, struct arena *a, const char *secret,
    int64_t now_us, struct principal *out, struct err *err) MUST_CHECK;
int principal_by_token(struct db *db, struct arena *a, const char *plain,
    int64_t now_us, struct principal *out, struct err *err) MUST_CHECK;

/*
 * For explanations: what they would be. A token that was found; a person who
 * logged in; a service's own token. 1, 0 gone, -1.
 */
int principal_of_token(struct db *db, struct arena *a, const struct token *t,
    struct principal *out, struct err *err) MUST_CHECK;
int principal_of_user(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err) MUST_CHECK;
int principal_of_service(struct db *db, struct arena *a, int64_t id,
    struct principal *out, struct err *err) MUST_CHECK;
/* All that the owner of p may do, whatever p itself is cut down to. */
int principal_owner_scopes(struct db *db, const struct principal *p,
    struct scope_set *out, struct err *err) MUST_CHECK;

/* The administrator of this machine; the caller has asked the kernel who that
 * is. Holds what the role `admin` holds, and is no user. */
int principal_local(struct arena *a, const char *account, struct principal *out,
    struct err *err) MUST_CHECK;

struct principal_use {
	int64_t now_us;
	int64_t step_us; /* what is less older is not written again; 0: all */
	bool is_owners;  /* the owner's activity, too */
};

/*
 * Record the use: session or token, and the owner's activity unless it is a
 * server's own token (note "Server at ..."). Source: contract/hub.md 2.2.
 * Nothing waits for it.
 */
int principal_touch(struct db *db, struct principal *p,
    const struct principal_use *use, struct err *err) MUST_CHECK;

/* All that a person may do now, by whatever way they come: roles, and what was
 * shared with them or a group of theirs. */
int principal_scopes_of(struct db *db, const struct user *u,
    struct scope_set *out, struct err *err) MUST_CHECK;

/* Is `user` a member of `group` now? For scope_check; arg is a struct db *. A
 * database that fails is logged and counts as no. */
bool principal_is_member(const char *user, const char *group, void *arg);

/* scope_check with the database behind it. */
enum scope_verdict principal_check(const struct principal *p, struct db *db,
    enum scope_id id, const struct scope_resource *res);

#endif
