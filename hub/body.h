/*
 * JSON bodies of the REST API, checked before anything else happens: which
 * members, of which types (contract/hub.md 1.3).
 */
#ifndef CARREL_HUB_BODY_H
#define CARREL_HUB_BODY_H

#include "hub/route.h"

#define BODY_LIST_MAX 10000

enum body_type {
	BODY_STR,
	BODY_INT,
	BODY_BOOL,
	BODY_LIST,
	BODY_OBJECT,     /* or null */
	BODY_MAYBE_STR,  /* the same */
	BODY_MAYBE_LIST, /* the same */
};

struct body_key {
	const char *name; /* NULL ends */
	enum body_type type;
};

/*
 * The body as an object that has no other members than `keys`, each of its
 * type. 1 with *out (freed with the request), 0 no
 * body, -1: the request was answered.
 */
int body_object(struct req *r, const char *model, const struct body_key *keys,
    json_t **out) MUST_CHECK;
/* `list` holds nothing but strings, at most BODY_LIST_MAX; -1: answered. */
int body_strings(
    struct req *r, const char *what, const json_t *list) MUST_CHECK;

#endif
