/*
 * The kind "dummy": one password for everybody, whatever name they give. For
 * tests and demonstrations; refuses to open where people from elsewhere can
 * reach the hub. Its option: password.
 */
#ifndef CARREL_AUTH_DUMMY_H
#define CARREL_AUTH_DUMMY_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_dummy;

#endif
