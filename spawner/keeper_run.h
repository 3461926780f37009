/*
 * Inside the keeper: what keeper.c (start and end) and keeper_run.c (the time
 * between) share.
 */
#ifndef CARREL_SPAWNER_KEEPER_RUN_H
#define CARREL_SPAWNER_KEEPER_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/wire.h"
#include "spawner/cgroup.h"
#include "spawner/job.h"
#include "spawner/keeper.h"
#include "spawner/logring.h"
#include "spawner/pam.h"
#include "spawner/plan.h"
#include "spawner/state.h"

enum stop_step { STOP_NONE, STOP_INT, STOP_TERM, STOP_KILL };

struct keeper {
	struct job job;
	struct plan plan;
	struct state state;
	struct logring log;
	struct cgroup cgroup;
	struct pam_session *session;
	gid_t *groups; /* of the server */
	size_t n_groups;
	pid_t server; /* 0: none was started */
	char boot_id[PROC_BOOT_ID_LEN + 1];
	enum spawner_fail_code code; /* what a failure now would mean */
	char fail_text[480];

	struct loop *loop;
	struct wire *link; /* the spawner; NULL while there is none */
	int out_fd, pidfd, listen_fd;
	int visit_fd; /* spawner/visit.h; -1: the account stays */
	struct watch out_watch, pid_watch, listen_watch;
	struct timer stop_timer, listener_timer;
	int64_t listener_from_ms;
	enum stop_step stop;
	int64_t grace_ms;
	bool asked, has_ended, is_ready;
	struct err failure; /* why we ended the server ourselves */
};

/* Until the server has ended (its status is in state then). -1: we cannot
 * watch it. */
int keeper_run(struct keeper *k, struct err *err) MUST_CHECK;
/* Kill what is left of the server's processes, wait for their end, and take
 * the last of their output. */
void keeper_sweep(struct keeper *k);

#endif
