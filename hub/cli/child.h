/*
 * One program under `carrel up`: started by descriptor as its account, its
 * output prefixed line by line, started again with back-off when it dies.
 */
#ifndef CARREL_HUB_CLI_CHILD_H
#define CARREL_HUB_CLI_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/loop.h"

#define CHILD_ARGS_MAX  32
#define CHILD_LINE_MAX  4096
/* The descriptor under which a child finds its configuration file. */
#define CHILD_CONFIG_FD 3

struct child;

struct child_spec {
	const char *name;       /* "hub": the prefix of its lines */
	const char *program;    /* file name beside ours */
	const char *account;    /* run as this account; NULL: as we are */
	const char *config;     /* opened as CHILD_CONFIG_FD; NULL: none */
	const char *token_file; /* CONFIGPROXY_AUTH_TOKEN_FILE; NULL: none */
	const char *args[CHILD_ARGS_MAX]; /* after argv[0]; NULL-ended */
};

struct child_output {
	struct watch watch;
	char line[CHILD_LINE_MAX];
	size_t len;
};

struct child {
	struct child_spec spec;
	struct loop *loop;
	int exe_fd;
	pid_t pid; /* 0: does not run */
	int pid_fd;
	bool ready; /* it said READY=1 since it was started */
	bool stopping;
	int64_t started_ms, backoff_ms;
	struct watch pid_watch;
	struct timer restart;
	struct child_output out;
	char notify[64]; /* abstract name of the readiness socket */
	/* The process went. Return true to have it started again. */
	bool (*exited)(struct child *c, int status, void *arg);
	void *arg;
};

/* Opens the program; nothing runs yet. spec is copied, its strings are not. */
int child_init(struct child *c, struct loop *l, const struct child_spec *spec,
    const char *bin_dir, struct err *err) MUST_CHECK;
void child_fini(struct child *c);
int child_start(struct child *c, struct err *err) MUST_CHECK;
/* SIGTERM, once; it is not started again. */
void child_stop(struct child *c);
void child_kill(struct child *c);
bool child_runs(const struct child *c);
/* "exited with status 1", "was ended by signal 9 (Killed)". */
void child_explain(int wait_status, char *out, size_t cap);

#endif
