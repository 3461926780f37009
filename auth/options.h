/*
 * A kind's own options below auth: in carrel.yaml. Private to auth/.
 */
#ifndef CARREL_AUTH_OPTIONS_H
#define CARREL_AUTH_OPTIONS_H

#include "auth/authenticator.h"

/*
 * env->options into *out by the table; an unknown option is an error that names
 * file, line and column. Strings of *out live in a.
 */
int auth_options(const struct auth_env *env, struct arena *a,
    const struct conf_option *table, size_t n, void *out,
    struct err *err) MUST_CHECK;

#endif
