/*
 * Who an authenticator says that somebody is.
 */
#ifndef CARREL_AUTH_IDENTITY_H
#define CARREL_AUTH_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_LEN 32 /* bytes */

/* What a kind found out. Borrowed for the call of done. */
struct auth_identity {
	const char *name;          /* as the source says it, not normalised */
	const char *account;       /* Unix account; NULL: by the name */
	const char *const *groups; /* as the source knows them */
	size_t n_groups;
	/* Who it is for ever, where names can be given anew: the source and
	 * its lasting word for the person. NULL: names are never reused. */
	const char *source, *subject;
	/* Where they want to go, for the hub to judge; NULL: not said. */
	const char *next;
	/* What to keep (auth_state): tokens, the source's own words. NULL:
	 * none.
	 */
	const json_t *state;
	/* The secret that let them in where many share one: a keyed digest of
	 * ORIGIN_LEN bytes. What came of a secret ends when it is changed.
	 * NULL: a secret of their own. */
	const unsigned char *origin;
	bool has_new_secret; /* just now: logins by the old one end */
	/* A person for a visit, who is deleted after so long. 0: for ever. */
	int64_t lifetime_s;
};

#endif
