/*
 * The kind "first-use": the first password that is typed for a name is its
 * person's from there on. Only for names that the rules admit and the hub knows
 * already, unless the option create_users says otherwise.
 */
#ifndef CARREL_AUTH_FIRST_USE_H
#define CARREL_AUTH_FIRST_USE_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_first_use;

#endif
