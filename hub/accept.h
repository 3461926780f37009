/*
 * What a client wants to read, from its Accept header. Pure.
 */
#ifndef CARREL_HUB_ACCEPT_H
#define CARREL_HUB_ACCEPT_H

#include <stdbool.h>

/* Is JSON wanted rather than HTML? Only when it is named, and before HTML in
 * the client's order (quality first, then as written). NULL: no header. */
bool accept_wants_json(const char *accept);

#endif
