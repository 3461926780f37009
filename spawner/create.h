/*
 * Accounts that are missing when a server is to start: made by the command of
 * root's spawner.yaml, one at a time, in the keeper, which may block.
 */
#ifndef CARREL_SPAWNER_CREATE_H
#define CARREL_SPAWNER_CREATE_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

/* A name for a new account: [a-z_][a-z0-9_-]*, at most 32 bytes. What useradd
 * takes everywhere; accounts that are there may have other names. */
bool create_name_ok(const char *account);

/*
 * Run the command with "{account}" replaced. 0 when it ended with status 0, or
 * when somebody else made the account meanwhile. servers_fd: the directory
 * whose lock keeps other keepers waiting. ERR_INVALID: not a name for a new
 * account; else the text has what the command said.
 */
int create_account(const struct conf_strings *command, const char *account,
    int servers_fd, struct err *err) MUST_CHECK;

#endif
