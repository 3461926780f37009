/*
 * What a provider says about a person (claims: JSON) -> a name and groups, by
 * rules. Pure. Whether the person may come in is not decided here.
 */
#ifndef CARREL_AUTH_CLAIMS_H
#define CARREL_AUTH_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"

#define CLAIMS_GROUPS_MAX    1000
#define CLAIMS_GROUP_LEN_MAX 190 /* with its prefix it fits a row */
#define CLAIMS_NAME_MAX      255

struct claims_rules {
	const char *username_claim;
	const char *username_prefix; /* NULL: none */
	const char *strip_domain;    /* NULL; else all must be of it */
	/* An e-mail address is a name only if the provider vouches for it. */
	bool allow_unverified_email;
	/* The provider itself gives out the names that look like addresses. */
	bool vouches_names;
};

/* A claim by its name, or by a path with dots: "realm_access.roles". NULL. */
const json_t *claims_find(const json_t *claims, const char *path);
/* A string, or a whole number as text; NULL: neither. In `a`. */
const char *claims_text(
    struct arena *a, const json_t *claims, const char *path);
/* Is the claim (or one item of it, if a list) one of the values? */
bool claims_has(const json_t *claims, const char *path,
    const struct conf_strings *values, bool fold_case);

/*
 * Both together (a new reference): the ID token is signed, so what it says
 * stands; userinfo (NULL: none) adds what it leaves out. An address and whether
 * it is verified are taken from the same one of the two. DENIED: they are about
 * two persons (sub).
 */
int claims_merge(const json_t *id_token, const json_t *userinfo, json_t **out,
    struct err *err) MUST_CHECK;
/* DENIED: there is none, it is no name, or nobody vouches for the address. */
int claims_name(struct arena *a, const json_t *claims,
    const struct claims_rules *rules, const char **out,
    struct err *err) MUST_CHECK;
/* Adds the strings of that claim to `groups`; absent: nothing. DENIED: it is
 * something else than a list of group names, or too much. */
int claims_groups(struct arena *a, const json_t *claims, const char *path,
    struct conf_strings *groups, struct err *err) MUST_CHECK;
/* One more, checked. */
int claims_add_group(struct arena *a, const char *name,
    struct conf_strings *groups, struct err *err) MUST_CHECK;

#endif
