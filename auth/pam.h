/*
 * The kind "pam": Unix accounts through PAM, which runs in a forked child of
 * the spawner. The attempt's id is the id on the wire. Whoever owns the
 * spawner's client forwards its callbacks here; each of these ignores ids that
 * it does not know and instances of another kind.
 */
#ifndef CARREL_AUTH_PAM_H
#define CARREL_AUTH_PAM_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/authenticator.h"

struct spawner_auth_end;

extern const struct authenticator_kind authenticator_pam;

void auth_pam_prompt(
    struct authenticator *au, uint64_t id, const char *text, bool echo);
void auth_pam_end(struct authenticator *au, const struct spawner_auth_end *end);
/* The spawner is lost: every attempt under way ends as UNAVAILABLE. */
void auth_pam_down(struct authenticator *au);

#endif
