/*
 * The kind "none": no login by name and password here; people come by one of
 * auth.providers.
 */
#ifndef CARREL_AUTH_NONE_H
#define CARREL_AUTH_NONE_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_none;

#endif
