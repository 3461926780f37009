/*
 * Why starts failed: the last failure of each server (db/failure.h). They
 * outlive the server's object, the hub, and a later start that goes well.
 */
#ifndef CARREL_HUB_SERVER_FAILURE_H
#define CARREL_HUB_SERVER_FAILURE_H

#include "base/json.h"
#include "hub/server.h"

/* Of the server's last lines, the end is kept. */
#define SERVER_FAILURE_TAIL_MAX 8192

/* The start of `s` failed, and this is all that is known of it. */
void server_failure_note(struct server *s);
/* The shape Failure of hub/openapi.def, a new reference; 1/0/-1, NULL unless 1.
 */
int server_failure_of(
    struct app *app, int64_t id, json_t **out, struct err *err) MUST_CHECK;
/* What its present or last start went through: a new list of the shape Step. */
json_t *server_steps_json(const struct server *s);

#endif
