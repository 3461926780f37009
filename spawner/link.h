/*
 * The spawner's side of a keeper: starts it (launch.c), speaks with it, and
 * reads what it left when it has gone. The four verbs of the kinds that have
 * keepers.
 */
#ifndef CARREL_SPAWNER_LINK_H
#define CARREL_SPAWNER_LINK_H

#include <stdint.h>
#include <sys/types.h>

#include "spawner/kind.h"
#include "spawner/server.h"

int link_start(struct server *s, struct job *job, struct err *err) MUST_CHECK;
enum kind_alive link_alive(const struct server *s);
int link_stop(struct server *s, int64_t grace_ms, struct err *err) MUST_CHECK;
int link_tail(struct server *s, struct err *err) MUST_CHECK;
void link_forget(struct server *s, bool is_over);

/*
 * A keeper of an earlier spawner: takes sock_fd (connected to it; -1: it does
 * not listen yet) and pidfd. pidfd -1: it is gone; what it left is judged at
 * once, and the server may be gone on return.
 */
void link_adopt(struct server *s, pid_t keeper, int pidfd, int sock_fd);
/* Connect to the keeper of `key`; ERR_UNAVAILABLE when none listens. */
int link_connect(
    int servers_fd, const char *key, int *fd_out, struct err *err) MUST_CHECK;

#endif
