/*
 * Passwords of the hub's own: what makes a good one, and their hashes
 * (Argon2id, by libsodium). Hashing is slow and wants memory on purpose: it has
 * threads of its own, few of them, so that a crowd at the login page waits in
 * line and the hub does not grow by 32 MiB for each.
 */
#ifndef CARREL_AUTH_PASSWORDS_H
#define CARREL_AUTH_PASSWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define PASSWORD_MAX 1024 /* bytes; longer ones are refused, never cut */

struct passwords;
struct passwords_job;

struct passwords *passwords_new(struct loop *l);
/* Jobs under way are told to nobody. */
void passwords_free(struct passwords **p);

/* Borrowed for the call. */
struct passwords_answer {
	bool is_right;    /* passwords_check */
	const char *hash; /* passwords_make; NULL: no memory for it now */
	bool has_account; /* passwords_make, with an account's name */
};
typedef void passwords_fn(const struct passwords_answer *ans, void *arg);

/*
 * Is it the password of `hash`? NULL is nobody's: the answer is no, and takes
 * as long. fn is called once, from the loop, unless the job is cancelled. NULL:
 * too many wait (nothing is called).
 */
struct passwords_job *passwords_check(struct passwords *p, const char *hash,
    const char *password, passwords_fn *fn, void *arg);
/* Its hash. `account`: is there a Unix account of that name, too? NULL: not
 * asked. */
struct passwords_job *passwords_make(struct passwords *p, const char *password,
    const char *account, passwords_fn *fn, void *arg);
/* fn is not called any more. *job may be NULL, and is after it. */
void passwords_cancel(struct passwords_job **job);

/* Jobs under way, cancelled ones included. */
size_t passwords_count(const struct passwords *p);

/*
 * May `name` have this password? ERR_INVALID, with a text for the person: too
 * short, too long, much used, or the name itself.
 */
int passwords_judge(const char *password, const char *name, int64_t min_length,
    struct err *err) MUST_CHECK;

#endif
