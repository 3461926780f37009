/*
 * Why starts failed: the last failure of each server, the newest
 * SERVER_FAILURES_MAX of them, in memory only. They outlive the server's
 * object, and a later start that goes well.
 */
#ifndef CARREL_HUB_SERVER_FAILURE_H
#define CARREL_HUB_SERVER_FAILURE_H

#include "base/json.h"
#include "hub/server.h"

#define SERVER_FAILURES_MAX     256
/* Of the server's last lines, the end is kept. */
#define SERVER_FAILURE_TAIL_MAX 8192

void server_failures_init(struct servers *all);
void server_failures_fini(struct servers *all);
/* The start of `s` failed, and this is all that is known of it. */
void server_failure_note(struct server *s);
/* The shape Failure of hub/openapi.def, borrowed; NULL: none is known. */
const json_t *server_failure_of(struct app *app, int64_t id);
/* What its present or last start went through: a new list of the shape Step. */
json_t *server_steps_json(const struct server *s);

#endif
