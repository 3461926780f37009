/*
 * Giving up privileges, once, verified: after the drop it tries to get them
 * back and aborts if that works.
 */
#ifndef CARREL_BASE_PRIVS_H
#define CARREL_BASE_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Groups (initgroups when `name` is not NULL, else only gid), gid, uid; verify.
 * uid 0 is refused with ERR_INVALID.
 */
int privs_drop(
    const char *name, uid_t uid, gid_t gid, struct err *err) MUST_CHECK;
/* Keep only these capabilities (CAP_* of linux/capability.h) in the bounding,
 * permitted and effective sets. What the process does not have is left out. */
int privs_keep_caps(const int *caps, size_t n, struct err *err) MUST_CHECK;
int privs_no_new_privs(struct err *err) MUST_CHECK;
/* The account's ids by name; ERR_NOT_FOUND. */
int privs_account(const char *name, uid_t *uid_out, gid_t *gid_out,
    struct err *err) MUST_CHECK;

#endif
