/*
 * Attempts: logins under way. Each runs PAM in a child process of its own, so
 * that one person's wrong password (or a module that hangs) delays nobody, and
 * so that nothing of a password is left when the child has ended.
 */
#ifndef CARREL_SPAWNER_ATTEMPT_H
#define CARREL_SPAWNER_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/loop.h"
#include "spawner/client.h"
#include "spawner/pam.h"

struct attempts;

struct attempt_end {
	uint64_t id;
	enum spawner_auth_code code;
	const char *account, *text;
	const json_t *groups; /* list of strings; borrowed */
	bool is_changed;      /* the password was, on the way in */
};

struct attempts_config {
	struct pam_place place;
	int64_t min_uid;
	bool changes_passwords;   /* that are due */
	const char *only_account; /* NULL: all */
	size_t max, max_per_account;
	int64_t module_timeout_ms, answer_timeout_ms, refuse_delay_ms;
	/* A child that succeeded waits so long to become a keeper; 0: it ends.
	 */
	int64_t keep_ms;
	/* Soft limit on descriptors of such a keeper; 0: as ours. */
	rlim_t n_files;
	void (*prompt)(uint64_t id, const char *text, bool echo, void *arg);
	/* Once for each attempts_begin that was not dropped. */
	void (*end)(const struct attempt_end *end, void *arg);
	void *arg;
};

/* The strings of the configuration are borrowed for its life. Children are
 * reaped by the caller's SIGCHLD handler. */
struct attempts *attempts_new(
    struct loop *l, const struct attempts_config *config);
void attempts_free(struct attempts **a);

/* Always ends in `end`, perhaps at once. The id must be new. */
void attempts_begin(
    struct attempts *a, uint64_t id, const char *account, const char *rhost);
/* Ids that are over, or that asked nothing, are passed over. */
void attempts_reply(struct attempts *a, uint64_t id, const char *reply);
void attempts_cancel(struct attempts *a, uint64_t id);
/* The one who asked has gone: end all, tell nobody. */
void attempts_drop_all(struct attempts *a);
/* Is an attempt of this id under way? */
bool attempts_has(const struct attempts *a, uint64_t id);
size_t attempts_count(const struct attempts *a);
/*
 * Make the waiting child of the account's last login a keeper: it gets the
 * descriptors of keeper.h (job, link, directory; borrowed). 1 with its pid and
 * pidfd (the caller's), 0 when none waits.
 */
int attempts_make_keeper(struct attempts *a, const char *account,
    const int fds[3], pid_t *pid_out, int *pidfd_out);

#endif
