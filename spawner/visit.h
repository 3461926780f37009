/*
 * Accounts that create.c made for a visit, and that go with it. A mark beside
 * the directories of the servers, root's own, names each with its uid: what
 * has no mark was not made here and is never removed. Keepers hold the mark of
 * their account locked together; the last one that leaves removes the account.
 *
 * All of these want the lock of accounts_lock.
 */
#ifndef CARREL_SPAWNER_VISIT_H
#define CARREL_SPAWNER_VISIT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/conf.h"
#include "base/err.h"

/* It was made just now. */
int visit_mark(
    int servers_fd, const char *account, uid_t uid, struct err *err) MUST_CHECK;
/* A server of it begins: *fd_out holds the mark, -1 where there is none. */
int visit_join(int servers_fd, const char *account, int *fd_out,
    struct err *err) MUST_CHECK;
/*
 * That server has ended; fd is closed. 1: it was the last one, and the command
 * has removed the account; 0: others run, or the account is another one by now;
 * -1: it could not be removed, the mark stays.
 */
int visit_leave(int servers_fd, int *fd, const char *account,
    const struct conf_strings *command, int64_t min_uid,
    struct err *err) MUST_CHECK;

#endif
