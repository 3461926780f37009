/*
 * What the simulated hub lives in: a spawner with processes, a proxy with a
 * table, people who start and stop servers; all of them late, lost or dead as a
 * seeded generator says. One world at a time.
 */
#ifndef CARREL_TESTS_SIM_WORLD_H
#define CARREL_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "db/token.h"
#include "hub/app.h"
#include "hub/server_priv.h"
#include "tests/sim/fake_fetch.h"
#include "tests/sim/fake_proxy.h"
#include "tests/sim/fake_spawner.h"

#define N_PEOPLE 5

enum proc_state { PROC_STARTING, PROC_RUNNING, PROC_EXITED };

/* A server's process, under its keeper. */
struct proc {
	struct list link;
	char key[SPAWNER_KEY_LEN + 1];
	size_t person;
	enum proc_state state;
	int port;
	int64_t ready_ms; /* when its address begins to answer; -1: never */
	bool is_hanging;  /* never says STARTED */
	bool is_stranger_first; /* another account's program took the port */
	bool is_ready;          /* its keeper saw it listen */
	bool was_ready;         /* the hub said "ready" */
	bool is_asked;          /* a STOP came */
	bool is_hidden;         /* its keeper has not written itself down yet */
	int status, signo;
	bool oom;
	char address[32];
	struct timer timer, listener;
};

struct person {
	char name[16];
	int64_t user_id;
	bool asked_start, asked_stop; /* the last command that was accepted */
	struct server_watch watch;
	bool is_watching;
	int n_settled, last_percent;
	char token[TOKEN_LEN + 1];           /* of the last start */
	char ready_key[SPAWNER_KEY_LEN + 1]; /* check_now saw it ready */
};

struct world {
	struct loop *loop;
	struct app *app; /* NULL: the hub is dead */
	struct app hub;
	char dir[64], database[96];
	bool trace;
	bool is_calm;      /* no more failures: everything shall settle */
	bool reuses_ports; /* a freed port may be another person's next */
	uint64_t random;
	const char *broken; /* the invariant that does not hold; NULL: none */
	char detail[400];
	struct person people[N_PEOPLE];
	/* spawner */
	struct list procs;
	bool spawner_alive;
	uint64_t connection;
	int64_t to_hub_ms, to_spawner_ms; /* packets keep their order */
	int next_port;
	struct timer spawner_timer;
	/* proxy */
	bool proxy_alive;
	bool proxy_forgets;
	int64_t trouble_ms; /* when the proxy failed last */
	struct timer proxy_timer;
	/* hub */
	struct timer hub_timer;
	uint64_t n_deaths, n_starts, n_exits;
};
extern struct world world;

/* sim.c */
void world_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An invariant does not hold; the first one counts. */
void world_broken(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t world_random(uint64_t n);   /* 0..n-1 */
bool world_chance(unsigned percent); /* never when it is calm */

/* hub.c: the life of the hub. */
void hub_up(void);
void hub_die(void);
void hub_die_soon(void);

/* spawner.c */
void spawner_init(void);
void spawner_die(void);
void spawner_connect(void);
void spawner_process_dies(void);
void spawner_process_is_busy(void);
void spawner_fini(void);
struct proc *proc_by_key(const char *key);
struct proc *proc_by_port(int port);

/* proxy.c */
void proxy_init(void);
void proxy_die(void);
void proxy_fini(void);
/* It has done what it was asked for long enough to be held to it. */
bool proxy_is_healthy(void);

/* people.c */
void people_init(void);
void people_start(size_t i);
void people_stop(size_t i);
void people_forget_watches(void);

/* check.c */
void check_now(void);
void check_start(const char *key, const struct spawner_start *start);
void check_stop(const char *key);
void check_delete(const char *path);
void check_calm(void);

#endif
