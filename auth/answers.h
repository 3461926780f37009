/*
 * For kinds that know their answer at once: the contract wants it told after
 * `begin` returned, so it waits for the end of the loop's turn here. Embedded
 * in the kind's state.
 */
#ifndef CARREL_AUTH_ANSWERS_H
#define CARREL_AUTH_ANSWERS_H

#include "auth/authenticator.h"
#include "base/list.h"

struct answers {
	struct loop *loop;
	const struct auth_sink *sink;
	struct list waiting;
};

void answers_init(struct answers *a, const struct auth_env *env);
/* What waits is not told any more. */
void answers_fini(struct answers *a);
/* `username` (copied) is who they are when res is AUTH_RES_OK. */
void answers_give(struct answers *a, uint64_t attempt, enum auth_result res,
    const char *username);
/* Somebody of whom more is known: id is copied, `state` left out. */
void answers_give_identity(
    struct answers *a, uint64_t attempt, const struct auth_identity *id);
void answers_cancel(struct answers *a, uint64_t attempt);

/* The `reply` of a kind that never asks. */
void answers_no_reply(
    struct authenticator *au, uint64_t attempt, const char *text);

#endif
