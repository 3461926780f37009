/*
 * Addresses outside the hub's prefix that the proxy's default route brings to
 * us (contract/hub.md 0.3): reading is redirected below the prefix.
 */
#ifndef CARREL_HUB_OUTSIDE_H
#define CARREL_HUB_OUTSIDE_H

struct req;

void outside_get(struct req *r);

#endif
