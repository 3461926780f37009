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

#include "auth/identity.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/loop.h"

struct arena;
struct auth_rules;
struct db;
struct fetcher;
struct keys;
struct offload;
struct passwords;
struct spawner_client;
struct url_pairs;

enum auth_result {
	AUTH_RES_OK,
	AUTH_RES_DENIED,      /* wrong name or password: one text for all */
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

struct auth_env {
	struct loop *loop;
	struct spawner_client *spawner; /* the owner forwards auth_prompt and
					 * auth_end to pam.c by the id */
	struct offload *offload; /* for what blocks: a pool of the logins' own,
				  * which outlives the kind */
	const struct auth_sink *sink;
	/* Would they be an administrator if they came in under this name, as
	 * it was typed? 1/0/-1. */
	int (*is_admin)(const char *name, void *arg, struct err *err);
	void *is_admin_arg;
	/* The hub's own; NULL while the options are only checked. */
	struct db *db;
	const struct auth_rules *rules;
	struct passwords *passwords;
	const struct keys *keys;
	const struct conf_node *options; /* the kind's own map; NULL: none */
	const char *file;      /* of the configuration, for messages */
	bool creates_accounts; /* auth.create_system_users */
	bool public_address;   /* people from elsewhere can reach us */
	/* Redirect kinds: send the browser there; the attempt is over. arg is
	 * the sink's. */
	void (*redirect)(uint64_t attempt, const char *url, void *arg);
	struct fetcher *fetcher;  /* redirect kinds: their HTTP client */
	const char *callback_url; /* redirect kinds: where people come back;
				   * NULL: our public address is not known */
	const char *hub_url;      /* the same: "https://hub.example.org/hub/" */
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
