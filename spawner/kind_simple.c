/*
 * simple: any command of the profile, as the account that runs the spawner,
 * whoever asks. For trying things out on a laptop: everybody who logs in can
 * read what the others do. It does not exist when that account is root.
 */
#include "spawner/kind.h"
#include "spawner/link.h"

static int plan(struct job *job, const struct account *account,
    struct plan *out, struct err *err)
{
	if (job->is_root || account->uid == 0)
		return err_set(err, ERR_DENIED,
		    "the kind \"simple\" does not exist when Carrel runs as "
		    "root");
	plan_common(out, job, account);
	return 0;
}

const struct kind kind_simple = {
	.name = "simple",
	.needs = KIND_NEEDS_NO_ROOT,
	.runs_as_self = true,
	.plan = plan,
	.start = link_start,
	.alive = link_alive,
	.stop = link_stop,
	.tail = link_tail,
	.forget = link_forget,
};
