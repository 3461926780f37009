/*
 * Who was active, as the proxy saw it: the last_activity of its routes is
 * merged into servers and people, forwards only (contract/hub.md 6.3).
 */
#ifndef CARREL_HUB_ACTIVITY_H
#define CARREL_HUB_ACTIVITY_H

#include "base/json.h"

struct app;

/* `routes` as proxy_list gives them. */
void activity_merge(struct app *app, const json_t *routes);

#endif
