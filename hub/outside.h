/*
 * Addresses outside the hub's prefix that the proxy's default route brings to
 * us (contract/hub.md 0.3): reading is redirected below the prefix.
 */
#ifndef CARREL_HUB_OUTSIDE_H
#define CARREL_HUB_OUTSIDE_H

#include <stdbool.h>

struct req;

void outside_get(struct req *r);
/*
 * A request for somebody's own host (hub.subdomain_host) that no server or
 * service takes. It is answered, and this says true: nothing of the hub is ever
 * shown there, because its owner's pages could read it.
 */
bool outside_is_not_ours(struct req *r);

#endif
