/*
 * The kind "shared-password", for a workshop: everybody has the same password,
 * administrators another, longer one. Who knows the first may be anybody but an
 * administrator.
 */
#ifndef CARREL_AUTH_SHARED_H
#define CARREL_AUTH_SHARED_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_shared;

#endif
