/*
 * Accounts that are missing when a server is to start: made by the command of
 * root's spawner.yaml, one at a time, in the keeper, which may block. visit.c
 * removes those of visitors.
 */
#ifndef CARREL_SPAWNER_CREATE_H
#define CARREL_SPAWNER_CREATE_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

/* A name for a new account: [a-z_][a-z0-9_-]*, at most 32 bytes. What useradd
 * takes everywhere; accounts that are there may have other names. */
bool create_name_ok(const char *account);

/* Keeps other keepers waiting until the descriptor is closed; servers_fd is the
 * directory of all servers. -1 with err. */
int accounts_lock(int servers_fd, struct err *err) MUST_CHECK;
/*
 * Under that lock: make the account if there is none. 1: made, 0: it was there;
 * ERR_INVALID: not a name for a new account; else the text has what the command
 * said.
 */
int create_account(const struct conf_strings *command, const char *account,
    struct err *err) MUST_CHECK;
/* Run a command of spawner.yaml with "{account}" replaced; `deed` ("made") is
 * for the text. */
int account_run(const struct conf_strings *command, const char *account,
    const char *deed, struct err *err) MUST_CHECK;

#endif
