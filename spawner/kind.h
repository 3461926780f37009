/*
 * The plug for ways to run a server. A kind is one const struct in one file,
 * named once in kind.c. `plan` is pure; what the others do ends in one call of
 * server_started, server_failed or server_exited (spawner/server.h).
 */
#ifndef CARREL_SPAWNER_KIND_H
#define CARREL_SPAWNER_KIND_H

#include <stdint.h>

#include "base/err.h"
#include "spawner/plan.h"

struct server;

enum kind_needs {
	KIND_NEEDS_NOTHING,
	KIND_NEEDS_NO_ROOT, /* exists only when the spawner is not root */
	KIND_NEEDS_FAKE,    /* only with allow_fake */
	KIND_NEEDS_SERVICE, /* not for profiles: START_SERVICE's own */
};

/* A server is forgotten only on KIND_GONE. */
enum kind_alive { KIND_ALIVE, KIND_GONE, KIND_UNKNOWN };

struct kind {
	const char *name;
	enum kind_needs needs;
	/* Runs as the spawner's own account, whatever name was asked for. */
	bool runs_as_self;
	/*
	 * The whole plan into *out; memory lives in the job's arena.
	 * ERR_DENIED: not for this account; ERR_INVALID: the options are wrong.
	 */
	int (*plan)(struct job *job, const struct account *account,
	    struct plan *out, struct err *err);
	/*
	 * Begin. 0: under way. The job is borrowed for the call and has the
	 * port; -1: nothing was begun.
	 */
	int (*start)(struct server *s, struct job *job, struct err *err);
	enum kind_alive (*alive)(const struct server *s);
	/* Begin to stop, or hurry: grace_ms -1 as the profile says. */
	int (*stop)(struct server *s, int64_t grace_ms, struct err *err);
	/* Ask for the log: ends in server_tail. */
	int (*tail)(struct server *s, struct err *err);
	/* Free what the kind holds in s->priv; is_over: and what it left on
	 * disk, for the server is forgotten. */
	void (*forget)(struct server *s, bool is_over);
};

extern const struct kind kind_local, kind_simple, kind_fake, kind_service;

const struct kind *kind_find(const char *name);
/* "local, simple, fake": for messages. */
const char *kind_names(void);

#endif
