/*
 * The kind "ldap": names, passwords and groups of an LDAP directory. libldap
 * blocks, so each login is a job in the environment's offload.
 */
#ifndef CARREL_AUTH_LDAP_H
#define CARREL_AUTH_LDAP_H

#include "auth/authenticator.h"

extern const struct authenticator_kind authenticator_ldap;

#endif
