/*
 * Services: programs beside the notebook servers that use the hub's API or log
 * people in through it (docs/services.md). All of the configuration live here
 * as long as the process. External ones are only known; a managed one is kept
 * running: started by the spawner, restarted with back-off when it ends, taken
 * up again after a restart of the hub.
 *
 *   WAITING -> SAVING -> ASKED -> STARTED -> RUNNING -> (ended) WAITING
 *   CHECKING: it may run, the spawner's list will tell
 */
#ifndef CARREL_HUB_SERVICE_H
#define CARREL_HUB_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/loop.h"
#include "db/db.h"
#include "hub/service_conf.h"
#include "spawner/client.h"

struct app;

enum service_state {
	SERVICE_EXTERNAL, /* somebody else runs it */
	SERVICE_WAITING,  /* for the spawner, or for its next try */
	SERVICE_SAVING,   /* its start is being written to disk */
	SERVICE_ASKED,    /* START_SERVICE was sent */
	SERVICE_STARTED,  /* the process runs and does not listen yet */
	SERVICE_RUNNING,
	SERVICE_CHECKING,
	SERVICE_STOPPING,
};

struct service {
	struct app *app;
	struct service_conf conf; /* strings live in app->config_arena */
	int64_t id;               /* its row */
	bool is_runtime;          /* made over REST; may be deleted there */
	enum service_state state;
	char key[SPAWNER_KEY_LEN + 1]; /* of its start; "" */
	char token[33];                /* until START_SERVICE was sent */
	const char *made_of;           /* what the running one was told */
	struct arena arena;            /* of made_of; of conf if is_runtime */
	char address[64];              /* "127.0.0.1:40123"; "" */
	pid_t pid;
	int64_t since_ms, delay_ms;       /* of the back-off */
	uint64_t asked_round, seen_round; /* reconcile_round */
	char failure[400], tail[1024];    /* of its last end; "" */
	struct timer timer;
	struct db_waiter waiter;
	uint64_t fetch_id; /* a look whether it answers */
	int answers;       /* 1, 0; -1: nobody has looked yet */
};

struct services {
	struct service **items;
	size_t n;
	struct timer check_timer;
	bool is_stopping;
};

/* service_load.c: its OAuth client, if it has one; secret NULL: as it was. */
int service_client_put(
    struct service *s, const char *secret, struct err *err) MUST_CHECK;

/* Read the configuration, bring the database to it. app->db is there. */
int services_open(struct app *app, struct err *err) MUST_CHECK;
/* Routes of external ones, first looks. What is managed begins with the first
 * list of the spawner. */
void services_begin(struct app *app);
/* Managed ones run on. Accepts that there are none. */
void services_free(struct app *app);

/*
 * Over REST, an external one: in the database and in force. spec has what
 * service_spec_read reads; plain is its token ("": none). ERR_EXISTS: the token
 * or the OAuth client is somebody else's.
 */
int service_add(struct app *app, const char *name, bool admin,
    const json_t *spec, const char *plain, struct service **out,
    struct err *err) MUST_CHECK;
/* One that is_runtime, with its tokens, its client and its route. */
int service_remove(
    struct app *app, struct service *s, struct err *err) MUST_CHECK;

/* By name, key, row; NULL. */
struct service *service_find(struct app *app, const char *name);
struct service *service_by_id(struct app *app, int64_t id);
/* "external", "starting", ... */
const char *service_state_name(const struct service *s);
/* It runs and answers, as far as we know. */
bool service_is_usable(const struct service *s);
/* Until the spawner's list has come, what the proxy has may be right. */
bool service_is_in_doubt(struct app *app, const char *name);

/* What the spawner says; false: the key is no service's. */
bool service_on_started(struct app *app, const struct spawner_server *p);
bool service_on_ready(struct app *app, const char *key);
bool service_on_failed(struct app *app, const struct spawner_failed *f);
bool service_on_exited(struct app *app, const struct spawner_exited *e);
bool service_on_found(struct app *app, const struct spawner_server *p);
/* A whole list has come, the `round`th that was asked for. */
void services_list_end(struct app *app, uint64_t round);
void services_spawner_down(struct app *app);

/* The hub ends and takes them along. */
void services_stop_all(struct app *app);
/* Managed ones that run or may run. */
size_t services_count_active(const struct app *app);

/* service_check.c: look now and then whether those with a url answer. */
void services_check_begin(struct app *app);

/* Between the files of this module. */
void service_open_route(struct service *s);
void service_close_route(struct service *s);
void service_free(struct service **s);

#endif
