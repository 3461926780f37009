/*
 * What a notebook server is told: its environment, its token's and its OAuth
 * client's properties (contract/hub.md 3.1, 4.1, 4.2). Pure: no database, no
 * spawner.
 */
#ifndef CARREL_HUB_SERVER_ENV_H
#define CARREL_HUB_SERVER_ENV_H

#include "base/arena.h"
#include "base/json.h"
#include "hub/config.h"

struct server_env {
	const struct config *cfg;
	const char *user, *name; /* raw; "" is the default server */
	const char *path;        /* "/user/alice/" */
};

/* "jupyterhub-user-alice", "jupyterhub-user-alice-lab"; no two servers have the
 * same. */
const char *server_env_client_id(struct arena *a, const struct server_env *e);
/* "/user/alice/oauth_callback"; absolute when people have their own hosts */
const char *server_env_callback(struct arena *a, const struct server_env *e);
/* "Server at /user/alice/": the note of the token, the client's description. */
const char *server_env_note(struct arena *a, const struct server_env *e);
/* JSON lists: what its own token may, what its OAuth client may ask for. */
const char *server_env_token_scopes(
    struct arena *a, const struct server_env *e);
const char *server_env_client_scopes(
    struct arena *a, const struct server_env *e);
/* "http://127.0.0.1:8081/hub/api" */
const char *server_env_api_url(struct arena *a, const struct config *cfg);
/* A new object of strings. JUPYTERHUB_SERVICE_URL is added by the spawner. */
json_t *server_env_build(
    struct arena *a, const struct server_env *e, const char *token);
/* hub.public_url without a slash at the end; "" when there is none. */
const char *server_env_public_origin(struct arena *a, const struct config *cfg);

#endif
