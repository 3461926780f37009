/*
 * The kind "tmp": each visit is a new person with a random name, who is logged
 * in at once and deleted when the visit is over (hub/visitors.h does both).
 * A visitor never has a person's Unix account: their servers run as the one
 * account that Carrel runs as, or as accounts that are made for them.
 */
#ifndef CARREL_AUTH_TMP_H
#define CARREL_AUTH_TMP_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_tmp;

#define TMP_NAME_LEN 16 /* "tmp-" and twelve hex digits */

struct tmp_policy {
	int64_t max_visitors;
	int64_t lifetime_s;
};

/* `au` is of this kind. */
const struct tmp_policy *tmp_policy_of(const struct authenticator *au);
/* A name that nobody has. */
void tmp_name(char out[TMP_NAME_LEN + 1]);

#endif
