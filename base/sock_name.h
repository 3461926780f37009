/*
 * The name of a listening unix socket in the file system. Somebody may remove
 * it while the program runs (a cleaner of /run or /tmp, a hand), and then
 * nobody can connect any more though the socket is fine. It is looked at every
 * two seconds, and when it leads nowhere, a new socket is made under it.
 */
#ifndef CARREL_BASE_SOCK_NAME_H
#define CARREL_BASE_SOCK_NAME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"

/* A new listening socket; takes fd. */
typedef void sock_name_fn(int fd, void *arg);

struct sock_name {
	struct loop *loop;
	struct timer timer;
	const char *path; /* borrowed */
	int type;         /* SOCK_STREAM or SOCK_SEQPACKET */
	mode_t mode;
	uid_t uid; /* -1: as it comes */
	gid_t gid;
	sock_name_fn *fn;
	void *arg;
	bool has_failed; /* and it was said */
};

/* path to arg are filled in. */
void sock_name_keep(struct sock_name *n, struct loop *l);
void sock_name_stop(struct sock_name *n); /* safe on a zeroed one */

#endif
