/*
 * From the keeper's fork to the execve of the server's program.
 */
#ifndef CARREL_SPAWNER_CHILD_H
#define CARREL_SPAWNER_CHILD_H

#include <sys/types.h>

#include "base/err.h"
#include "spawner/cgroup.h"
#include "spawner/client.h"
#include "spawner/plan.h"

/*
 * Start plan's program: own session and cgroups, the ids of the account
 * verified, home as working directory, stdin from /dev/null, stdout and stderr
 * to out_fd, no other descriptor. groups are the supplementary groups to take
 * on (when the plan switches ids). Blocks until the program was executed.
 * Returns its pid, or -1 with *code_out and a text that says what to do.
 */
pid_t child_start(const struct plan *plan, const struct cgroup *cgroup,
    const gid_t *groups, size_t n_groups, int out_fd,
    enum spawner_fail_code *code_out, struct err *err);

#endif
