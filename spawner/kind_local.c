/*
 * local: a process of the person's own account on this machine, under a
 * keeper. When the spawner is root it opens a PAM session and becomes the
 * account; in single-account mode it serves the one account that it runs as.
 */
#include "spawner/kind.h"
#include "spawner/link.h"

static int plan(struct job *job, const struct account *account,
    struct plan *out, struct err *err)
{
	if (job->is_root) {
		if (policy_check_uid(
			job->min_uid, account->name, account->uid, err) != 0)
			return -1;
	} else if ((int64_t)account->uid != job->own_uid) {
		return err_set(err, ERR_DENIED,
		    "Carrel runs as one account here and serves no other; "
		    "%.64s needs a Carrel that was started as root",
		    account->name);
	}
	plan_common(out, job, account);
	out->switches_ids = job->is_root;
	out->opens_session = job->is_root;
	return 0;
}

const struct kind kind_local = {
	.name = "local",
	.needs = KIND_NEEDS_NOTHING,
	.plan = plan,
	.start = link_start,
	.alive = link_alive,
	.stop = link_stop,
	.tail = link_tail,
	.forget = link_forget,
};
