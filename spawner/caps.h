/*
 * The capabilities that a spawner and its keepers keep, and why.
 */
#ifndef CARREL_SPAWNER_CAPS_H
#define CARREL_SPAWNER_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "spawner/policy.h"

/* A bit for each: ours and policy's extra ones. ERR_INVALID: unknown name. */
int caps_wanted(
    const struct policy *p, uint64_t *out, struct err *err) MUST_CHECK;
/*
 * Keep these only (of those that the process has). cut_bounding: in the
 * bounding set, too, so that nobody below can ever have others; not where a
 * profile lets its programs use set-user-ID (sudo would be crippled).
 */
int caps_keep(uint64_t mask, bool cut_bounding, struct err *err) MUST_CHECK;

#endif
