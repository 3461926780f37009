/*
 * Forgetting a named server: its row goes once it is at rest. A wish that waits
 * for that stands in the row too, so that a hub that follows fulfils it. A
 * start that is asked for meanwhile takes it back.
 */
#ifndef CARREL_HUB_SERVER_REMOVE_H
#define CARREL_HUB_SERVER_REMOVE_H

#include <stdint.h>

#include "base/err.h"

struct app;
struct server;

/* At rest: the row goes, and with it what is remembered of its last failure. */
int server_remove(struct app *app, int64_t id, struct err *err) MUST_CHECK;
/* Before it is asked to stop. */
int server_remove_wish(
    struct app *app, const struct server *s, struct err *err) MUST_CHECK;
/* After it was, and is not at rest yet. */
void server_remove_later(struct app *app, struct server *s);
/* What an earlier hub could not finish. After server_adopt of each row that has
 * a key. */
void server_removals_resume(struct app *app);

#endif
