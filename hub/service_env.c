/*
 * See service_env.h.
 */
#include "hub/service_env.h"

#include "hub/server_env.h"

static void set(json_t *env, const char *name, const char *value)
{
	json_object_set_new(env, name, json_string(value));
}

static void set_addresses(struct arena *a, json_t *env,
    const struct config *cfg, const struct service_conf *c)
{
	const char *origin = server_env_public_origin(a, cfg);
	const char *prefix = service_conf_prefix(a, cfg, c->name);
	const char *own = domain_is_used(cfg)
			      ? domain_service_origin(a, cfg, c->name)
			      : origin;

	set(env, "JUPYTERHUB_API_URL", server_env_api_url(a, cfg));
	set(env, "JUPYTERHUB_BASE_URL", cfg->base_url);
	set(env, "JUPYTERHUB_HOST", origin);
	set(env, "JUPYTERHUB_PUBLIC_HUB_URL",
	    *origin ? arena_printf(a, "%s%shub/", origin, cfg->base_url) : "");
	if (!*c->url)
		return;
	/* JUPYTERHUB_SERVICE_URL is the spawner's to say: it has the port. */
	set(env, "JUPYTERHUB_SERVICE_PREFIX", prefix);
	set(env, "JUPYTERHUB_PUBLIC_URL",
	    *own ? arena_printf(a, "%s%s", own, prefix) : "");
}

static void set_client(
    struct arena *a, json_t *env, const struct service_conf *c)
{
	const char *access = arena_printf(a,
	    "[\"access:services\", \"access:services!service=%s\"]", c->name);

	if (!c->client_id)
		return;
	set(env, "JUPYTERHUB_CLIENT_ID", c->client_id);
	set(env, "JUPYTERHUB_OAUTH_CALLBACK_URL", c->redirect_uri);
	set(env, "JUPYTERHUB_OAUTH_ACCESS_SCOPES", access);
	set(env, "JUPYTERHUB_OAUTH_SCOPES", access);
	set(env, "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES", c->allowed_scopes);
}

json_t *service_env(struct arena *a, const struct config *cfg,
    const struct service_conf *c, const char *token)
{
	json_t *env = json_object();

	set(env, "JUPYTERHUB_SERVICE_NAME", c->name);
	set(env, "JUPYTERHUB_USER", "");
	set(env, "JUPYTERHUB_SERVER_NAME", "");
	set(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
	    cfg->cookie_host_prefix ? "1" : "0");
	if (*token) {
		set(env, "JUPYTERHUB_API_TOKEN", token);
		set(env, "JPY_API_TOKEN", token);
	}
	set_addresses(a, env, cfg, c);
	set_client(a, env, c);
	return env;
}
