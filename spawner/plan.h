/*
 * A plan: all that is done when a server starts, decided before anything is
 * done. Made by a kind's `plan` from a job and an account, without a look at
 * the system, so that it is tested without root.
 */
#ifndef CARREL_SPAWNER_PLAN_H
#define CARREL_SPAWNER_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "spawner/account.h"
#include "spawner/job.h"

/* What the fake kind does instead of a process (options of the START). */
struct plan_script {
	int64_t delay_ms;      /* before STARTED or FAILED */
	const char *fail;      /* word of a fail code; NULL: it starts */
	const char *text;      /* of the failure */
	int64_t exit_after_ms; /* after STARTED; -1: runs until STOP */
	int64_t exit_status;
	int64_t stop_ms;     /* how long a STOP takes */
	const char *address; /* NULL: 127.0.0.1 and the port */
};

struct plan {
	const char *const *argv;
	const char **env; /* NAME=value, NULL-ended */
	size_t n_env, cap_env;
	const char *home, *user;
	const char *cwd; /* where a service starts; NULL: at home */
	uid_t uid;
	gid_t gid;
	bool switches_ids;  /* become uid and gid with the account's groups */
	bool opens_session; /* a PAM session around it */
	bool no_new_privs;
	struct limits limits;
	struct plan_script script;
	struct arena *arena;
};

/*
 * The parts that kinds share: argv, limits, and the environment in its layers:
 * the hub's names, over them the profile's, over them HOME USER LOGNAME SHELL
 * of the account and JUPYTERHUB_SERVICE_URL. Memory lives in job's arena.
 */
void plan_common(
    struct plan *plan, struct job *job, const struct account *account);
/* The lowest layer: what PAM says, where nobody said that name before. */
void plan_add_pam_env(struct plan *plan, char *const *pam_env);
/* In the place of what is set; the text is copied. */
void plan_env_set(struct plan *plan, const char *name, const char *value);
/* NULL when the name is not set. */
const char *plan_env(const struct plan *plan, const char *name);

#endif
