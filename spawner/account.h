/*
 * Accounts of the machine (NSS). The look-ups may block on a network, so they
 * are made in keepers and in the children of attempts, never in the spawner's
 * loop.
 */
#ifndef CARREL_SPAWNER_ACCOUNT_H
#define CARREL_SPAWNER_ACCOUNT_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct account {
	const char *name, *home, *shell;
	uid_t uid;
	gid_t gid;
};

/* Strings live in `a`. 1 found, 0 unknown, -1 error (ERR_UNAVAILABLE). */
int account_find(struct arena *a, const char *name, struct account *out,
    struct err *err) MUST_CHECK;
/* By uid. */
int account_find_uid(struct arena *a, uid_t uid, struct account *out,
    struct err *err) MUST_CHECK;
/*
 * Names of the account's groups, the first `max` of them; groups without a name
 * are left out. The array lives in `a`.
 */
size_t account_groups(struct arena *a, const struct account *account,
    size_t max, const char ***out);

#endif
