/*
 * Scopes: what may be done, declared once in scopes.def (contract/hub.md 7).
 * Pure code over arena memory; group membership is asked through a callback.
 *
 * A raw scope is as somebody wrote it ("servers!user"); an effective set is
 * expanded to all sub-scopes, its self forms are resolved, and overlaps are
 * reduced. Only effective sets are checked, compared and shown.
 */
#ifndef CARREL_AUTH_SCOPE_H
#define CARREL_AUTH_SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

#define SCOPE_SET_MAX 512
#define SCOPE_LEN_MAX 255

enum scope_id {
#define SCOPE(id, text, subs, doc) SCOPE_##id,
#include "auth/scopes.def"
#undef SCOPE
	SCOPE_N_IDS,
	SCOPE_CUSTOM_FIRST /* auth/scope_custom.h */
};

enum scope_filter {
	FILTER_NONE, /* every resource */
	FILTER_USER,
	FILTER_GROUP,
	FILTER_SERVER,
	FILTER_SERVICE,
};

struct scope {
	enum scope_id id;
	enum scope_filter filter;
	const char *value; /* NULL with a filter: a self form ("!user") */
};

struct scope_set {
	struct arena *arena;
	struct scope *items;
	size_t n, cap;
};

/* What the self forms mean; NULL members are unknown. */
struct scope_context {
	const char *user;
	const char *server; /* "alice/" or "alice/name" */
	const char *service;
};

/* What a request addresses; all NULL: nothing in particular. */
struct scope_resource {
	const char *user;
	const char *server; /* with user; "" is the default server */
	const char *group;
	const char *service;
};

enum scope_verdict {
	SCOPE_DENIED,  /* not held at all: 403 */
	SCOPE_OTHER,   /* held for other resources only: 404 */
	SCOPE_GRANTED, /* go on */
};

enum scope_role { ROLE_USER, ROLE_ADMIN, ROLE_SERVER, ROLE_TOKEN };

typedef bool scope_member_fn(const char *user, const char *group, void *arg);

const char *scope_name(enum scope_id id);
const char *scope_doc(enum scope_id id);
const char *role_name(enum scope_role role);
const char *role_doc(enum scope_role role);

void scope_set_init(struct scope_set *s, struct arena *a);
/* "read:users!user=alice"; ERR_INVALID (unknown scope or filter, too long). */
int scope_parse(struct arena *a, const char *text, struct scope *out,
    struct err *err) MUST_CHECK;
/* One more raw scope, once; ERR_INVALID as above, ERR_LIMIT. */
int scope_set_add(
    struct scope_set *s, const char *text, struct err *err) MUST_CHECK;
/* Separated by blanks (the `scope` of an OAuth request). */
int scope_set_add_words(
    struct scope_set *s, const char *text, struct err *err) MUST_CHECK;
/* A JSON list of strings: as a value, as text (a database column). */
int scope_set_add_json(
    struct scope_set *s, const json_t *list, struct err *err) MUST_CHECK;
int scope_set_add_json_text(
    struct scope_set *s, const char *text, struct err *err) MUST_CHECK;
/* The same from a row of ours: scopes that this program does not know are left
 * out, so that an older token goes on with what is left. */
int scope_set_add_stored(
    struct scope_set *s, const char *text, struct err *err) MUST_CHECK;
int scope_set_add_role(
    struct scope_set *s, enum scope_role role, struct err *err) MUST_CHECK;
/* All of b. */
int scope_set_join(
    struct scope_set *s, const struct scope_set *b, struct err *err) MUST_CHECK;

/*
 * raw -> effective. Self forms that ctx cannot resolve are dropped; `self`
 * becomes the user's, `inherit` is dropped (scope_effective_token knows it).
 */
int scope_expand(const struct scope_set *raw, const struct scope_context *ctx,
    struct scope_set *out, struct err *err) MUST_CHECK;
/* What both of two effective sets permit. */
int scope_intersect(const struct scope_set *a, const struct scope_set *b,
    scope_member_fn *member, void *arg, struct scope_set *out,
    struct err *err) MUST_CHECK;
/* Does `outer` hold all of `inner`? Both effective. *missing_out (may be NULL)
 * is one that it lacks, in the arena of inner. */
bool scope_covers(const struct scope_set *outer, const struct scope_set *inner,
    scope_member_fn *member, void *arg, const char **missing_out);

/* All that a person may do: role user, role admin. */
int scope_effective_user(const char *user, bool admin, struct scope_set *out,
    struct err *err) MUST_CHECK;
/* What a token with the raw scopes may do, whose owner may do `owner`. */
int scope_effective_token(const struct scope_set *raw,
    const struct scope_context *ctx, const struct scope_set *owner,
    scope_member_fn *member, void *arg, struct scope_set *out,
    struct err *err) MUST_CHECK;
/* read:users:name and read:users:groups of that user (contract 7.7), added. */
int scope_add_identify(
    struct scope_set *s, const char *user, struct err *err) MUST_CHECK;

/* read:services:name of that service, added. */
int scope_add_identify_service(
    struct scope_set *s, const char *service, struct err *err) MUST_CHECK;

enum scope_verdict scope_check(const struct scope_set *s, enum scope_id id,
    const struct scope_resource *res, scope_member_fn *member, void *arg);

/* Does an effective set hold `id` for one resource of that kind at least? */
bool scope_holds(
    const struct scope_set *s, enum scope_id id, enum scope_filter filter);

/* Raw or effective, as text. Lists are sorted by bytes and live in a. */
const char *scope_text(struct arena *a, const struct scope *s);
void scope_set_list(const struct scope_set *s, struct arena *a,
    const char *const **out, size_t *n_out);
json_t *scope_set_json(const struct scope_set *s);
const char *scope_set_words(const struct scope_set *s, struct arena *a);

#endif
