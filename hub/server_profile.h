/*
 * Which profile a server starts with: what its owner chose, within what the
 * configuration offers. Pure.
 */
#ifndef CARREL_HUB_SERVER_PROFILE_H
#define CARREL_HUB_SERVER_PROFILE_H

#include "base/err.h"
#include "base/json.h"
#include "hub/config.h"

/* The choice in a server's options: {"profile": "big"}, or ["big"] as a form
 * sends it. NULL: none. */
const char *server_profile_chosen(const json_t *options);
/* ERR_INVALID: one that is not offered; the text says which are. Lives as long
 * as cfg. */
int server_profile_pick(const struct config *cfg, const json_t *options,
    const char **out, struct err *err) MUST_CHECK;

#endif
