/*
 * What a managed service is told in its environment (contract/hub.md 9.2).
 */
#ifndef CARREL_HUB_SERVICE_ENV_H
#define CARREL_HUB_SERVICE_ENV_H

#include "base/json.h"
#include "hub/service_conf.h"

/* A new object; token "" leaves the tokens out, so that starts can be
 * compared. */
json_t *service_env(struct arena *a, const struct config *cfg,
    const struct service_conf *c, const char *token);

#endif
