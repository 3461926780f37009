/*
 * The plug for "who are you": one const struct per kind, one file, one line in
 * registry.c. The contract of the callbacks stands here.
 *
 * An attempt belongs to hub/login.c; a kind sees its id only, because the
 * attempt may be gone when an answer comes. `begin` ends in exactly one
 * attempt_done; on the way it may ask for further form steps by
 * attempt_prompt. Deny and allow rules are not a kind's business
 * (auth/rules.h): it says who somebody is, never whether they may come in.
 */
#ifndef CARREL_AUTH_AUTHENTICATOR_H
#define CARREL_AUTH_AUTHENTICATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/auth_env.h"
#include "auth/identity.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"

struct arena;
struct url_pairs;

enum auth_result {
	AUTH_RES_OK,
	AUTH_RES_DENIED,      /* wrong name or password: one text for all; with
			       * a text of its own: a later step was wrong */
	AUTH_RES_EXPIRED,     /* account or password; text says what to do */
	AUTH_RES_UNAVAILABLE, /* cannot tell now */
	AUTH_RES_TIMEOUT,
	AUTH_RES_LIMIT,
};

/* What the login code gives to every kind. */
struct auth_sink {
	/* One more form step; the answer comes by `reply`. */
	void (*prompt)(
	    uint64_t attempt, const char *text, bool echo, void *arg);
	/* identity is NULL unless AUTH_RES_OK; text is for the person. */
	void (*done)(uint64_t attempt, enum auth_result res,
	    const struct auth_identity *identity, const char *text, void *arg);
	void *arg;
};

/* What the first form brought. */
struct auth_form {
	const char *username, *password;
	const char *rhost; /* the person's address */
};

/* What a browser remembers between leaving and coming back (auth/trip.h). */
struct auth_trip {
	const char *state, *nonce, *verifier;
	bool again; /* on the way out: who is logged in there shall prove it */
};

struct authenticator_kind;

/* One opened instance: the first member of a kind's own state. */
struct authenticator {
	const struct authenticator_kind *kind;
};

struct authenticator_kind {
	const char *name; /* as in carrel.yaml: "pam" */
	bool has_form;    /* user name and password on our login page */
	/* NULL with err: the options are wrong (fatal at start). */
	struct authenticator *(*open)(
	    const struct auth_env *env, struct err *err);
	/* Never calls the sink before it returned. */
	void (*begin)(struct authenticator *au, uint64_t attempt,
	    const struct auth_form *form);
	/* Answer to a prompt. */
	void (*reply)(
	    struct authenticator *au, uint64_t attempt, const char *text);
	/* No call of the sink for this attempt comes after. */
	void (*cancel)(struct authenticator *au, uint64_t attempt);
	void (*close)(struct authenticator **au);
	/* The origins (auth/identity.h) that are in force; how many, at most
	 * cap. NULL: none. */
	size_t (*origins)(const struct authenticator *au,
	    unsigned char (*out)[ORIGIN_LEN], size_t cap);
	/*
	 * Redirect kinds (has_form is false) have these two in the place of
	 * begin and reply, which are NULL: the person proves elsewhere who they
	 * are. `redirect` ends in env->redirect or sink->done (no OK);
	 * `callback` gets what came back, and ends in exactly one done. Neither
	 * calls the sink before it returned; the arguments are copied.
	 */
	void (*redirect)(struct authenticator *au, uint64_t attempt,
	    const struct auth_trip *trip);
	void (*callback)(struct authenticator *au, uint64_t attempt,
	    const struct auth_trip *trip, const struct url_pairs *query);
	/*
	 * Is it still so? `state` is what an identity brought before (borrowed
	 * for the call). Ends in exactly one done, after it returned: OK with
	 * the identity of now, OK without one (nothing new can be known),
	 * DENIED (the source knows them no more), UNAVAILABLE. NULL: the kind
	 * cannot ask.
	 */
	void (*refresh)(
	    struct authenticator *au, uint64_t attempt, const json_t *state);
	/* Where a browser goes to be logged out there, too; in `a`. `state` may
	 * be NULL. NULL (the function, too): nowhere. */
	const char *(*logout_url)(const struct authenticator *au,
	    struct arena *a, const json_t *state, const char *back);
};

/* registry.c; NULL: no such kind (names lists them all for the message). */
const struct authenticator_kind *authenticator_find(const char *name);
const char *authenticator_names(void);

#endif
