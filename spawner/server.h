/*
 * One server as the spawner knows it, and what kinds say about it. Owned by
 * the fleet (fleet.h); a kind keeps what it needs in `priv`.
 *
 *   STARTING -> RUNNING -> STOPPING -> ENDED -> (acknowledged) forgotten
 *   STARTING -> FAILED -> (told) forgotten
 */
#ifndef CARREL_SPAWNER_SERVER_H
#define CARREL_SPAWNER_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "spawner/client.h"
#include "spawner/job.h"
#include "spawner/kind.h"

struct fleet;

enum server_state {
	SERVER_STARTING,
	SERVER_RUNNING,
	SERVER_STOPPING,
	SERVER_ENDED,  /* `exit` holds; waits for the hub's ACK */
	SERVER_FAILED, /* `fail`, `text` hold; waits until the hub is there */
};

struct server_exit {
	int status; /* -1: a signal ended it */
	int signo;
	bool oom, asked;
};

struct server {
	struct fleet *fleet;
	char key[JOB_KEY_LEN + 1];
	char *account, *profile;
	const struct kind *kind;
	enum server_state state;
	bool is_ready; /* it listens on its port, and nobody else does */
	uint16_t port;
	char *address;
	pid_t pid;
	uint64_t start_time;
	struct server_exit exit;
	enum spawner_fail_code fail;
	char *text, *tail; /* of the end */
	void *priv;
};

/* What a kind says, each in the states given. */
void server_started(
    struct server *s, pid_t pid, uint64_t start_time); /* STARTING */
/* RUNNING; in other states, and again, it says nothing. */
void server_ready(struct server *s);
/* STARTING, RUNNING, STOPPING. tail is taken (malloc'ed, may be NULL). The
 * server may be gone on return. */
void server_failed(struct server *s, enum spawner_fail_code code,
    const char *text, char *tail_take);
void server_exited(
    struct server *s, const struct server_exit *exit, char *tail_take);
/* A stop was asked for elsewhere (an earlier spawner). */
void server_stopping(struct server *s);
/* The answer to `tail`. */
void server_tail(struct server *s, const char *text);

#endif
