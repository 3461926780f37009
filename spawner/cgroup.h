/*
 * The control groups of one server: a directory of its own in every hierarchy
 * that has one of the controllers that limits need, and in a version 2
 * hierarchy even without controllers, because it can kill a whole group at
 * once. All is best effort: a machine without cgroups runs servers, too.
 *
 * Version 1 directories stand below the spawner's own group; version 2 ones
 * beside it (a group with controllers for its children may hold no process).
 */
#ifndef CARREL_SPAWNER_CGROUP_H
#define CARREL_SPAWNER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "spawner/policy.h"

#define CGROUP_DIRS_MAX 5

enum cgroup_part {
	CGROUP_V2 = 1,
	CGROUP_MEMORY = 2,
	CGROUP_CPU = 4,
	CGROUP_PIDS = 8,
	CGROUP_FREEZER = 16,
};

struct cgroup_dir {
	char *path;
	int fd;         /* of the directory */
	unsigned parts; /* enum cgroup_part: what it is good for */
};

struct cgroup {
	struct cgroup_dir dir[CGROUP_DIRS_MAX];
	size_t n;
};

/* Makes what can be made. `note` is called with what cannot: one line each. */
void cgroup_make(struct cgroup *g, const char *key, const struct limits *limits,
    void (*note)(const char *line, void *arg), void *arg);
/* Those that a keeper left, by their paths. What is gone is left out. */
void cgroup_reopen(struct cgroup *g, const char *const *paths, size_t n);
/* Close and forget; the directories stay. */
void cgroup_close(struct cgroup *g);

/* The calling process enters all. Async-signal-safe. -1 with errno. */
int cgroup_enter(const struct cgroup *g);
/*
 * Kill what is inside, the processes that it forks meanwhile included. false
 * when no hierarchy can do that (then walk the descendants).
 */
bool cgroup_kill(const struct cgroup *g);
bool cgroup_is_empty(const struct cgroup *g);
/* Did the kernel kill a process inside for memory? */
bool cgroup_had_oom(const struct cgroup *g);
/* Remove the directories (they must be empty) and close. */
void cgroup_remove(struct cgroup *g);

#endif
