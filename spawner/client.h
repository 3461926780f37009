/*
 * The hub's side of the spawner's wire (docs/architecture.md "borders"): the
 * only header of spawner/ that another program may include. Owns the
 * connection, connects again with back-off when it is lost, and says so.
 *
 * Everything is asked by id or key and answered by one callback later, never
 * from inside the call. tests/sim has its own client.c.
 */
#ifndef CARREL_SPAWNER_CLIENT_H
#define CARREL_SPAWNER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

/* 16 lower-case hex digits, new for each start of a server. */
#define SPAWNER_KEY_LEN  16
/* How much of a server's log comes with a failure or an exit. */
#define SPAWNER_TAIL_MAX 8192

struct spawner_client;

/* How a login ended. The word on the wire is the name in lower case. */
enum spawner_auth_code {
	AUTH_SUCCESS,
	AUTH_DENIED,  /* wrong password, unknown name, locked: not told */
	AUTH_EXPIRED, /* the account's time is over */
	AUTH_PASSWORD_EXPIRED, /* the password must be changed first */
	AUTH_UNAVAILABLE,      /* PAM could not decide; text says why */
	AUTH_TIMEOUT,          /* a module or the person took too long */
	AUTH_LIMIT,            /* too many attempts under way */
	AUTH_CANCELLED,
};

struct spawner_auth_end {
	uint64_t id;
	enum spawner_auth_code code;
	const char *account;       /* as PAM ended it (PAM_USER); "" if none */
	const char *text;          /* what to tell the person; may be "" */
	const char *const *groups; /* the account's Unix groups (on success) */
	size_t n_groups;
	bool is_changed; /* the password was changed on the way in */
};

/* What runs under one keeper. */
struct spawner_server {
	const char *key, *account, *profile;
	pid_t pid;
	uint64_t start_time; /* of /proc/PID/stat: with pid an identity */
	const char *address; /* "127.0.0.1:4123", "https://..."; "": starts */
	bool ready;          /* as `ready` below says; never with `started` */
};

enum spawner_fail_code {
	FAIL_PROFILE, /* no such profile, or not for this account */
	FAIL_ACCOUNT, /* unknown, uid 0 or a system account, expired, no home */
	FAIL_SESSION, /* PAM refused the session */
	FAIL_EXEC,    /* the program cannot be started; text says why */
	FAIL_LISTENER, /* another account listens on the port */
	FAIL_LIMIT,    /* too many servers or starts */
	FAIL_EXISTS,   /* the key is in use */
	FAIL_INTERNAL,
};

struct spawner_failed {
	const char *key;
	enum spawner_fail_code code;
	const char *text, *tail;
};

struct spawner_exited {
	const char *key;
	int status; /* exit status, -1 when a signal ended it */
	int signo;  /* 0: none */
	bool oom;   /* the kernel killed it for memory */
	bool asked; /* after a STOP */
	const char *tail;
};

/* Strings are borrowed for the call. */
struct spawner_callbacks {
	/* HELLO was exchanged; say spawner_list now. */
	void (*up)(void *arg);
	/* Lost or refused; every question under way is void. */
	void (*down)(const struct err *why, void *arg);
	/* A form step: answer with spawner_auth_reply. */
	void (*auth_prompt)(uint64_t, const char *text, bool echo, void *arg);
	void (*auth_end)(const struct spawner_auth_end *end, void *arg);
	/* The process runs and its program was executed. */
	void (*started)(const struct spawner_server *s, void *arg);
	/* A socket of its own account listens at the address. Said once a
	 * connection at most; one that was missed is in the list. */
	void (*ready)(const char *key, void *arg);
	void (*failed)(const struct spawner_failed *f, void *arg);
	/* Repeated after each connection until spawner_ack. Status -1 with
	 * signal 0 answers the STOP of a key that the spawner does not know. */
	void (*exited)(const struct spawner_exited *e, void *arg);
	/* Answers to spawner_list: one `found` each, then `list_end`. */
	void (*found)(const struct spawner_server *s, void *arg);
	void (*list_end)(void *arg);
	void (*tail)(const char *key, const char *text, void *arg);
	void *arg;
};
struct spawner_client *spawner_client_new(struct loop *l,
    const char *socket_path, const struct spawner_callbacks *cb);
void spawner_client_free(struct spawner_client **c);
bool spawner_is_up(const struct spawner_client *c);

/*
 * Each returns 0 when the question is on its way, -1 with ERR_UNAVAILABLE (not
 * connected), ERR_BUSY (queue full) or ERR_INVALID (a bound of wire.def).
 */
int spawner_auth_begin(struct spawner_client *c, uint64_t id,
    const char *account, const char *rhost, struct err *err) MUST_CHECK;
/* `reply` is wiped from our buffers after it was sent. */
int spawner_auth_reply(struct spawner_client *c, uint64_t id, const char *reply,
    struct err *err) MUST_CHECK;
int spawner_auth_cancel(
    struct spawner_client *c, uint64_t id, struct err *err) MUST_CHECK;

struct spawner_start {
	const char *key, *account, *profile;
	/* Strings by JUPYTERHUB_*, JPY_API_TOKEN, MEM_* and CPU_* names. */
	const json_t *env;
	const json_t *options; /* the person's choices; may be NULL */
	bool create, visit;    /* a missing account is made; for a visit only */
	/* Not NULL: a managed service of spawner.yaml, which knows account and
	 * profile ("service:NAME"). Without a port it is ready at once. */
	const char *service;
	int32_t port;      /* on 127.0.0.1; 0: any; -1: it does not listen */
	const json_t *tls; /* PEM: key, certificate, authority; NULL: none */
};
int spawner_start(struct spawner_client *c, const struct spawner_start *s,
    struct err *err) MUST_CHECK;
/* grace_ms: between SIGINT and SIGTERM, and again before the whole tree is
 * killed; less than 0: as the profile says. Again with less: hurry. */
int spawner_stop(struct spawner_client *c, const char *key, int64_t grace_ms,
    struct err *err) MUST_CHECK;
int spawner_ack(
    struct spawner_client *c, const char *key, struct err *err) MUST_CHECK;
int spawner_tail(
    struct spawner_client *c, const char *key, struct err *err) MUST_CHECK;
int spawner_list(struct spawner_client *c, struct err *err) MUST_CHECK;

#endif
