/*
 * Starting keepers: the directory, the job, the process.
 */
#ifndef CARREL_SPAWNER_LAUNCH_H
#define CARREL_SPAWNER_LAUNCH_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "spawner/job.h"

/* What all keepers have in common. */
struct launch_place {
	int servers_fd; /* the directory of the keepers' directories */
	int exe_fd;     /* this program */
	/* The soft limit on descriptors that servers get (ours is higher); 0:
	 * as ours. */
	rlim_t n_files;
	uint64_t caps; /* what keepers keep (caps.h); 0: not root */
};

struct attempts;

struct launch {
	pid_t pid;
	int pidfd, sock_fd;
};

/*
 * A fresh directory `key`; ERR_EXISTS when there is one. `logins` may be NULL;
 * when the job uses a login and one of its account waits, that becomes the
 * keeper.
 */
int launch_keeper(const struct launch_place *place, const struct job *job,
    struct attempts *logins, struct launch *out, struct err *err) MUST_CHECK;
/*
 * In a child that becomes a keeper: the descriptors of keeper.h (job, link,
 * directory) at their numbers, stdio of its own, nothing else but `also` (-1:
 * none; its new number is returned), and servers' limit on descriptors.
 */
int launch_settle(const int fds[3], int also, rlim_t n_files);
/* Remove the directory of a server and the files in it. */
void launch_remove_dir(int servers_fd, const char *key);

/*
 * A free port of 127.0.0.1: from first..last, or (0, 0) one that neither
 * a service nor the kernel is likely to take meanwhile. is_taken says which are
 * promised to a server already.
 */
int launch_pick_port(uint16_t first, uint16_t last,
    bool (*is_taken)(uint16_t port, void *arg), void *arg, uint16_t *out,
    struct err *err) MUST_CHECK;

#endif
