/*
 * Services as JSON: what the requester may see of them (contract/hub.md 1.3).
 */
#ifndef CARREL_HUB_MODEL_SERVICE_H
#define CARREL_HUB_MODEL_SERVICE_H

#include "base/json.h"
#include "hub/route.h"

/* Does the requester hold the scope for that service? */
bool req_may_service(struct req *r, enum scope_id id, const char *service);
/* One that there is, or was until now: what is gone has a name only. */
int model_service(
    struct req *r, const char *name, json_t **out, struct err *err) MUST_CHECK;
/*
 * Those with a page that this person may use, for menus: a list of {name, url}.
 */
json_t *model_services_shown(struct req *r);

#endif
