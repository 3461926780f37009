/*
 * Where the hub's files and sockets are when nobody says otherwise, and the
 * proxy's token. The system account "carrel" has the system's places, any other
 * account its own (~/.local/state, $XDG_RUNTIME_DIR).
 */
#ifndef CARREL_HUB_PLACES_H
#define CARREL_HUB_PLACES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

#define PLACES_ACCOUNT "carrel"
#define PLACES_ADMIN   "admin.sock"

/* What the command line said; NULL: nothing. */
struct places_args {
	const char *config, *state_dir, *run_dir;
	const char *spawner_socket, *hub_socket;
};

struct places {
	const char *config, *state_dir, *run_dir;
	const char *spawner_socket, *hub_socket, *database, *keys_dir;
	const char *admin_socket; /* beside hub_socket */
};

/* spawner_socket and hub_socket of the configuration may be "" (unset). */
int places_find(struct arena *a, const struct places_args *args,
    const char *conf_spawner_socket, const char *conf_hub_socket,
    struct places *out, struct err *err) MUST_CHECK;
/* carrel.yaml, when --config does not say. */
const char *places_config(struct arena *a);

/*
 * $CONFIGPROXY_AUTH_TOKEN, else the file that $CONFIGPROXY_AUTH_TOKEN_FILE
 * names, else `file`, else /etc/carrel/proxy.token. The variable is removed
 * from the environment.
 */
int places_proxy_token(struct arena *a, const char *file, const char **out,
    struct err *err) MUST_CHECK;

#endif
