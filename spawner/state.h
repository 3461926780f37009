/*
 * state.json: what a keeper has written about its server, for a spawner that
 * was started after it. Root's alone, written atomically, versioned: unknown
 * members are left aside, so that an older spawner reads a newer file.
 */
#ifndef CARREL_SPAWNER_STATE_H
#define CARREL_SPAWNER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "spawner/proc.h"

#define STATE_VERSION     1
#define STATE_CGROUPS_MAX 8

enum state_phase {
	STATE_STARTING,
	STATE_RUNNING,
	STATE_ENDED,  /* status, signo, oom, asked hold */
	STATE_FAILED, /* it never ran, or was ended by us: fail, text hold */
};

/* Strings are borrowed when written, live in the arena when read. */
struct state {
	int64_t version;
	enum state_phase phase;
	const char *key, *account, *profile, *kind, *address, *boot_id;
	pid_t keeper_pid, pid;
	uint64_t keeper_start_time, start_time;
	int status, signo;
	bool oom, asked;
	const char *fail, *text;
	const char *cgroups[STATE_CGROUPS_MAX];
	size_t n_cgroups;
};

int state_write(int dir_fd, const struct state *s, struct err *err) MUST_CHECK;
/* ERR_NOT_FOUND when there is none yet. */
int state_read(
    int dir_fd, struct arena *a, struct state *out, struct err *err) MUST_CHECK;

#endif
