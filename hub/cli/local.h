/*
 * The hub's socket for the administrator of this machine.
 */
#ifndef CARREL_HUB_CLI_LOCAL_H
#define CARREL_HUB_CLI_LOCAL_H

#include "base/arena.h"
#include "base/err.h"

/* run_dir NULL: the system's, else the account's own. ERR_UNAVAILABLE: there is
 * none, ERR_DENIED: it is not for us; the text says what to do. */
int local_socket(struct arena *a, const char *run_dir, const char **out,
    struct err *err) MUST_CHECK;

#endif
