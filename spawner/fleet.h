/*
 * The fleet: every server that this spawner knows, those that an earlier one
 * started included. Owns struct server; answers go out by callbacks.
 */
#ifndef CARREL_SPAWNER_FLEET_H
#define CARREL_SPAWNER_FLEET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "spawner/launch.h"
#include "spawner/policy.h"
#include "spawner/server.h"

struct attempts;

struct fleet_config {
	const struct policy *policy; /* borrowed */
	bool is_root;
	uid_t own_uid;
	const char *own_account; /* single-account mode; NULL as root */
	const char *pam_dir;     /* NULL: the system's */
	struct launch_place place;
	struct attempts *logins; /* for keep_login_handle; may be NULL */
};

/* Each returns false when nobody is there to be told (it is told later). */
struct fleet_callbacks {
	bool (*started)(const struct server *s, void *arg);
	bool (*ready)(const struct server *s, void *arg);
	bool (*failed)(const char *key, enum spawner_fail_code code,
	    const char *text, const char *tail, void *arg);
	bool (*exited)(const struct server *s, void *arg);
	bool (*tail)(const char *key, const char *text, void *arg);
	void *arg;
};

struct fleet_request {
	const char *key, *account, *profile;
	const json_t *env, *options; /* options may be NULL */
	bool create;                 /* a missing account is made */
	bool visit;                  /* and goes with its servers */
	/* fleet_start_service: its name, instead of account and profile. */
	const char *service;
	int64_t port;      /* of a service; 0: any; -1: it does not listen */
	const json_t *tls; /* as in spawner/client.h; may be NULL */
};

struct fleet *fleet_new(struct loop *l, const struct fleet_config *config,
    const struct fleet_callbacks *cb);
/* Servers run on; only what this program holds is freed. */
void fleet_free(struct fleet **f);

/* Ends in `started` or `failed`, perhaps at once. */
void fleet_start(struct fleet *f, const struct fleet_request *r);
/* The same for a managed service of the policy. */
void fleet_start_service(struct fleet *f, const struct fleet_request *r);
/* grace_ms -1: as the profile says. An unknown key is answered by `exited` with
 * status -1 and signal 0: it does not run here. */
void fleet_stop(struct fleet *f, const char *key, int64_t grace_ms);
/* The hub has stored the exit: forget the server. */
void fleet_ack(struct fleet *f, const char *key);
/* Answered by `tail`; "" for an unknown key. */
void fleet_tail(struct fleet *f, const char *key);
/* Failures and exits that wait: told (again). */
void fleet_report(struct fleet *f);
/* Servers that start, run or stop, in no order. */
void fleet_each(const struct fleet *f,
    void (*fn)(const struct server *s, void *arg), void *arg);

/* For adopt.c: a server that is there already. The key must be new. */
struct server *fleet_add(struct fleet *f, const char *key, const char *account,
    const char *profile, const struct kind *kind, const char *address);
const struct server *fleet_find(const struct fleet *f, const char *key);
/* For kinds. */
const struct fleet_config *fleet_config(const struct fleet *f);
struct loop *fleet_loop(const struct fleet *f);

#endif
