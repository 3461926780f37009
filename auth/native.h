/*
 * The kind "native": accounts of the hub's own. People sign up, an
 * administrator approves them (or nobody has to), and they log in with the
 * password that they chose.
 */
#ifndef CARREL_AUTH_NATIVE_H
#define CARREL_AUTH_NATIVE_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_native;

#endif
