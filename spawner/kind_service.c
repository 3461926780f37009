/*
 * service: a managed service of the hub, under a keeper. Nobody logs in for it:
 * no PAM session is opened, and it runs as the account that root's file names
 * for it, with that account's groups, in the directory that stands there. No
 * profile can be of this kind.
 */
#include "base/str.h"
#include "spawner/kind.h"
#include "spawner/link.h"

/* Root's own word "root" is the only way to uid 0. */
static int check_account(
    const struct job *job, const struct account *account, struct err *err)
{
	if (!job->is_root && (int64_t)account->uid != job->own_uid)
		return err_set(err, ERR_DENIED,
		    "Carrel runs as one account here: a service cannot run as "
		    "%.64s; take \"user\" of this service out of "
		    "spawner.yaml",
		    account->name);
	if (account->uid == 0 && job->is_root && !str_eq(job->account, "root"))
		return err_set(err, ERR_DENIED,
		    "account %.64s has uid 0: a service runs as root only "
		    "where spawner.yaml says \"user: root\"",
		    account->name);
	if (account->uid == POLICY_UID_NOBODY || account->uid == (uid_t)-1)
		return err_set(err, ERR_DENIED,
		    "account %.64s is nobody: give the service an account of "
		    "its own",
		    account->name);
	return 0;
}

/* The hub does not know whom root's file names; nbgrader, for one, asks. What
 * stands in the environment there wins. */
static void say_user(struct plan *plan, const struct account *account)
{
	const char *said = plan_env(plan, "JUPYTERHUB_USER");

	if (!said || !*said)
		plan_env_set(plan, "JUPYTERHUB_USER", account->name);
}

static int plan(struct job *job, const struct account *account,
    struct plan *out, struct err *err)
{
	if (check_account(job, account, err) != 0)
		return -1;
	plan_common(out, job, account);
	if (job->is_root)
		say_user(out, account);
	out->switches_ids = job->is_root && account->uid != 0;
	return 0;
}

const struct kind kind_service = {
	.name = "service",
	.needs = KIND_NEEDS_SERVICE,
	.plan = plan,
	.start = link_start,
	.alive = link_alive,
	.stop = link_stop,
	.tail = link_tail,
	.forget = link_forget,
};
