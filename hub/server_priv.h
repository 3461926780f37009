/*
 * The object behind hub/server.h, private to hub/server*.c and reconcile.c.
 */
#ifndef CARREL_HUB_SERVER_PRIV_H
#define CARREL_HUB_SERVER_PRIV_H

#include "base/loop.h"
#include "base/map.h"
#include "db/token.h"
#include "hub/server_event.h"

struct server_step {
	int percent;
	char *message;
	bool ready, failed;
	bool is_place; /* a place in the line: replaced by the next one */
	int64_t at_us; /* wall */
};

/* How its process ended, for server_failure.c. */
struct server_end {
	bool is_known, oom;
	int status, signo;
};

/* A bounded number under way, the others in line (server_turn.c). */
struct turn_pool {
	struct list waiting;
	size_t n_waiting, n_held;
	bool needs_spawner;
};

/* Polling the server's address until it answers (server_probe.c). */
struct server_probe {
	uint64_t fetch_id; /* 0: none under way */
	struct timer again;
	int64_t delay_ms, until_ms;
	char last[96]; /* what the last try came to */
};

struct server {
	struct app *app;
	int64_t id, user_id;
	char *user, *name, *account, *profile;
	char *path;  /* "/user/alice/" as browsers see it */
	char *route; /* "/user/alice" as the proxy's API wants it; the user's
			host in front */
	enum server_state state;
	bool is_adopted;   /* ran before this hub did */
	bool is_cancelled; /* a start that somebody stopped */
	bool was_ready;    /* people may have worked in it */
	bool is_wanted;
	bool is_listening; /* the spawner saw its own socket at its address */
	bool is_stop_sent; /* on the present connection to the spawner */
	char key[SPAWNER_KEY_LEN + 1]; /* "": no process */
	uint64_t asked_round; /* of the spawner's lists, when START was sent */
	uint64_t seen_round;
	int64_t answer_by_ms;      /* when a process that runs is too late */
	int64_t refused_since_ms;  /* the spawner had no room; 0: it had */
	char *address;             /* "127.0.0.1:40123"; NULL: not known */
	char *listed_target;       /* what the proxy's list said last */
	uint64_t listed_round;     /* which list that was */
	char version[32];          /* the server's X-JupyterHub-Version */
	json_t *options;           /* the person's choices */
	char token[TOKEN_LEN + 1]; /* until the process runs */
	int64_t started_us, activity_us, written_activity_us;
	struct server_timing timing;
	char *failure, *tail;
	struct server_end end;
	struct server_step *steps;
	size_t n_steps, n_told;
	struct list watches;
	struct db_waiter saved;
	struct timer deadline;
	struct server_probe probe;
	struct turn_pool *pool;
	bool is_in_line, holds_turn;
	struct list turn, of_user, all;
};

struct servers {
	struct app *app;
	struct map *by_id, *by_key, *by_name, *by_user;
	struct list all, graves;
	size_t n_active;
	struct turn_pool starts, checks;
	struct defer bury, pump;
	struct timer retry, places;
};

typedef enum server_state server_action_fn(
    struct server *s, struct server_cause *c);

/* server_object.c: memory and indexes. */
struct server *server_object_new(
    struct app *app, int64_t id, const struct user *user, const char *name);
void server_object_free(struct server *s);
void server_object_bury(struct server *s); /* freed when this turn ends */
void server_object_set_key(struct server *s, const char *key);
void server_object_set_text(char **slot, const char *text);
struct server *server_by_key(struct app *app, const char *key);

/* server_action.c, server_check.c: named in server_table.c. */
#define SERVER_ACTIONS(X)                                                      \
	X(save)                                                                \
	X(adopt)                                                               \
	X(already)                                                             \
	X(busy)                                                                \
	X(keep)                                                                \
	X(line_up)                                                             \
	X(ask)                                                                 \
	X(no_spawner)                                                          \
	X(line_deadline)                                                       \
	X(started)                                                             \
	X(listens)                                                             \
	X(late_listen)                                                         \
	X(refused)                                                             \
	X(exited_start)                                                        \
	X(lost_start)                                                          \
	X(late_start)                                                          \
	X(open_route)                                                          \
	X(unreachable)                                                         \
	X(ready)                                                               \
	X(no_route)                                                            \
	X(cancel)                                                              \
	X(cancel_process)                                                      \
	X(close_route)                                                         \
	X(found_waiting)                                                       \
	X(found_running)                                                       \
	X(exited_routed)                                                       \
	X(lost_routed)                                                         \
	X(stop_process)                                                        \
	X(stop_again)                                                          \
	X(stop_unsent)                                                         \
	X(exited_stopping)                                                     \
	X(lost_stopping)                                                       \
	X(rest)                                                                \
	X(listens_check)                                                       \
	X(found_check)                                                         \
	X(check)                                                               \
	X(late_check)                                                          \
	X(checked)                                                             \
	X(check_failed)                                                        \
	X(forget)                                                              \
	X(bug)
#define SERVER_ACTION_DECLARE(name) server_action_fn server_act_##name;
SERVER_ACTIONS(SERVER_ACTION_DECLARE)
#undef SERVER_ACTION_DECLARE

#endif
