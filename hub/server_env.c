/*
 * See server_env.h.
 */
#include "hub/server_env.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/url.h"

/* With its '-' escaped, too: else the server "lab" of alice and the server of
 * alice-lab would be one client, and whichever starts takes it from the other.
 */
static const char *quote_owner(struct arena *a, const char *user)
{
	const char *quoted = url_quote(a, user, true);
	struct buf b;

	buf_init(&b, 3 * strlen(quoted) + 1);
	for (; *quoted; quoted++) {
		if (*quoted == '-')
			buf_str(&b, "%2D");
		else
			buf_char(&b, *quoted);
	}
	const char *out = arena_strdup(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

const char *server_env_client_id(struct arena *a, const struct server_env *e)
{
	const char *user = quote_owner(a, e->user);

	if (!*e->name)
		return arena_printf(a, "jupyterhub-user-%s", user);
	return arena_printf(
	    a, "jupyterhub-user-%s-%s", user, url_quote(a, e->name, true));
}

const char *server_env_callback(struct arena *a, const struct server_env *e)
{
	return arena_printf(a, "%s%soauth_callback",
	    domain_user_origin(a, e->cfg, e->user), e->path);
}

const char *server_env_note(struct arena *a, const struct server_env *e)
{
	return arena_printf(a, "Server at %s", e->path);
}

/* The list as text in the arena; takes the reference. */
static const char *list_text(struct arena *a, json_t *list)
{
	char *text = json_text(list, NULL);
	const char *copy = arena_strdup(a, text);

	free(text);
	json_decref(list);
	return copy;
}

static void add_scope(json_t *list, const char *scope)
{
	json_array_append_new(list, json_string(scope));
}

static const char *access_scope(struct arena *a, const struct server_env *e)
{
	return arena_printf(a, "access:servers!server=%s/%s", e->user, e->name);
}

const char *server_env_token_scopes(struct arena *a, const struct server_env *e)
{
	json_t *list = json_array();

	add_scope(list, arena_printf(a, "users:activity!user=%s", e->user));
	add_scope(list, access_scope(a, e));
	return list_text(a, list);
}

static json_t *configured_scopes(const struct server_env *e)
{
	const struct conf_strings *more = &e->cfg->server_client_scopes;
	json_t *list = json_array();

	for (size_t i = 0; i < more->n; i++)
		add_scope(list, more->items[i]);
	return list;
}

const char *server_env_client_scopes(
    struct arena *a, const struct server_env *e)
{
	json_t *list = configured_scopes(e);

	add_scope(list, access_scope(a, e));
	return list_text(a, list);
}

/* Whom the single-user server lets in: any of these. */
static const char *oauth_scopes(struct arena *a, const struct server_env *e)
{
	json_t *list = json_array();

	add_scope(list, access_scope(a, e));
	add_scope(list, arena_printf(a, "access:servers!user=%s", e->user));
	return list_text(a, list);
}

/* A wildcard is where we listen, not where we can be reached. */
static const char *connect_host(const char *host)
{
	if (str_eq(host, "0.0.0.0") || str_eq(host, "*"))
		return "127.0.0.1";
	return str_eq(host, "::") ? "::1" : host;
}

const char *server_env_api_url(struct arena *a, const struct config *cfg)
{
	const char *host = connect_host(cfg->hub_host);
	const char *origin = cfg->connect_url;
	size_t len = strlen(origin);
	bool is_v6 = strchr(host, ':') != NULL;

	if (len > 0 && origin[len - 1] == '/')
		origin = arena_strndup(a, origin, len - 1);
	if (len == 0)
		origin = arena_printf(a, "%s://%s%s%s:%d",
		    cfg->internal_tls ? "https" : "http", is_v6 ? "[" : "",
		    host, is_v6 ? "]" : "", (int)cfg->hub_port);
	return arena_printf(a, "%s%shub/api", origin, cfg->base_url);
}

const char *server_env_public_origin(struct arena *a, const struct config *cfg)
{
	size_t len = strlen(cfg->public_url);

	if (len > 0 && cfg->public_url[len - 1] == '/')
		len--;
	return arena_strndup(a, cfg->public_url, len);
}

static void set(json_t *env, const char *name, const char *value)
{
	json_object_set_new(env, name, json_string(value));
}

/* {username} and {base_url} replaced; other braces stay. */
static const char *fill_in(
    struct arena *a, const char *template, const struct server_env *e)
{
	const char *out = "", *at;

	while ((at = strchr(template, '{')) != NULL) {
		const bool is_user = str_starts(at, "{username}");
		const bool is_path = str_starts(at, "{base_url}");

		out = arena_printf(a, "%s%.*s%s", out, (int)(at - template),
		    template,
		    is_user   ? e->user
		    : is_path ? e->path
			      : "{");
		template = is_user || is_path ? strchr(at, '}') + 1 : at + 1;
	}
	return arena_printf(a, "%s%s", out, template);
}

static void set_choices(
    struct arena *a, json_t *env, const struct server_env *e)
{
	const struct config *cfg = e->cfg;

	if (*cfg->root_dir)
		set(env, "JUPYTERHUB_ROOT_DIR", fill_in(a, cfg->root_dir, e));
	if (*cfg->server_default_url)
		set(env, "JUPYTERHUB_DEFAULT_URL",
		    fill_in(a, cfg->server_default_url, e));
}

static void set_addresses(
    struct arena *a, json_t *env, const struct server_env *e)
{
	const struct config *cfg = e->cfg;
	const char *origin = server_env_public_origin(a, cfg);
	const char *own =
	    domain_is_used(cfg) ? domain_user_origin(a, cfg, e->user) : origin;
	const char *api = server_env_api_url(a, cfg);

	set(env, "JUPYTERHUB_API_URL", api);
	set(env, "JUPYTERHUB_ACTIVITY_URL",
	    arena_printf(a, "%s/users/%s/activity", api,
		url_escape_segment(a, e->user)));
	set(env, "JUPYTERHUB_BASE_URL", cfg->base_url);
	set(env, "JUPYTERHUB_SERVICE_PREFIX", e->path);
	set(env, "JUPYTERHUB_HOST", origin);
	set(env, "JUPYTERHUB_PUBLIC_URL",
	    *own ? arena_printf(a, "%s%s", own, e->path) : "");
	set(env, "JUPYTERHUB_PUBLIC_HUB_URL",
	    *origin ? arena_printf(a, "%s%shub/", origin, cfg->base_url) : "");
}

json_t *server_env_build(
    struct arena *a, const struct server_env *e, const char *token)
{
	json_t *env = json_object();
	const char *scopes = oauth_scopes(a, e);

	set(env, "JUPYTERHUB_API_TOKEN", token);
	set(env, "JPY_API_TOKEN", token);
	set(env, "JUPYTERHUB_CLIENT_ID", server_env_client_id(a, e));
	set(env, "JUPYTERHUB_OAUTH_CALLBACK_URL", server_env_callback(a, e));
	set(env, "JUPYTERHUB_OAUTH_ACCESS_SCOPES", scopes);
	set(env, "JUPYTERHUB_OAUTH_SCOPES", scopes);
	set(env, "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES",
	    list_text(a, configured_scopes(e)));
	set(env, "JUPYTERHUB_USER", e->user);
	set(env, "JUPYTERHUB_SERVER_NAME", e->name);
	set(env, "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED",
	    e->cfg->cookie_host_prefix ? "1" : "0");
	set_addresses(a, env, e);
	set_choices(a, env, e);
	return env;
}
