/*
 * See service_conf.h. Source: contract/hub.md 9.1.
 */
#include "hub/service_conf.h"

#include <stdlib.h>
#include <string.h>

#include "auth/scope.h"
#include "base/str.h"
#include "base/url.h"
#include "db/service.h"
#include "hub/conf_json.h"

#define SERVICES_MAX  256
#define TOKEN_MIN     16
#define CLIENT_PREFIX "service-"

struct reader {
	struct arena *arena;
	const struct config *cfg;
	const char *file;
	struct buf *problems;
	struct err *err;
};

static int wrong(const struct reader *r, const struct conf_node *at,
    const char *what, const char *why)
{
	struct err e = { 0 };

	if (!at)
		return err_set(
		    r->err, ERR_INVALID, "service %.64s: %s", what, why);
	(void)err_set(&e, ERR_INVALID, "%s:%d:%d: service %.64s: %s", r->file,
	    at->line, at->column, what, why);
	if (r->problems)
		buf_printf(r->problems, "%s\n", e.text);
	return err_set(r->err, ERR_INVALID, "%s", e.text);
}

/* ---- one entry ---------------------------------------------------- */

struct bound {
	struct service_options o;
	struct conf_node *info;
};

#define SERVICE_OPTION(path_, member, kind, default_, least, most, text)       \
	{                                                                      \
		.path = path_, .type = kind,                                   \
		.offset = offsetof(struct bound, member),                      \
		.fallback = default_, .lo = least, .hi = most, .doc = text,    \
	}

static const struct conf_option table[] = {
	SERVICE_OPTION("name", o.name, CONF_STRING, "", 0, 64, "The name."),
	SERVICE_OPTION(
	    "url", o.url, CONF_STRING, "", 0, 255, "Where it serves."),
	SERVICE_OPTION("managed", o.managed, CONF_STRING, "", 0, 64,
	    "Its entry in spawner.yaml."),
	SERVICE_OPTION(
	    "api_token", o.api_token, CONF_STRING, "", 0, 255, "Its token."),
	SERVICE_OPTION("api_token_file", o.api_token_file, CONF_STRING, "", 0,
	    4095, "The file that has it."),
	SERVICE_OPTION(
	    "admin", o.admin, CONF_BOOL, "false", 0, 0, "Has the role admin."),
	SERVICE_OPTION("display", o.display, CONF_BOOL, "true", 0, 0,
	    "Is shown to those who may use it."),
	SERVICE_OPTION("info", info, CONF_TREE, NULL, 0, 0, "Notes."),
	SERVICE_OPTION("timeout", o.timeout_s, CONF_SECONDS, "30s", 1, 3600,
	    "How long it may take until it answers."),
	SERVICE_OPTION("oauth_client_id", o.client_id, CONF_STRING, "", 0, 255,
	    "Its OAuth client's name."),
	SERVICE_OPTION("oauth_redirect_uri", o.redirect_uri, CONF_STRING, "", 0,
	    1024, "Where people return to."),
	SERVICE_OPTION("oauth_client_allowed_scopes", o.allowed_scopes,
	    CONF_STRINGS, "[]", 0, 256, "What it may ask people for."),
	SERVICE_OPTION("oauth_no_confirm", o.no_confirm, CONF_BOOL, "false", 0,
	    0, "Nobody is asked."),
};

/* It stands in paths, in the client's name and in spawner.yaml, never escaped.
 */
static bool is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(s);

	return len > 0 && len <= SERVICE_NAME_MAX && strchr(letters, *s) &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~") == len;
}

static bool is_this_machine(const char *host)
{
	return str_eq(host, "127.0.0.1") || str_eq(host, "localhost");
}

/* A managed one runs here, so that the spawner can see whose port it is. */
static int read_url(const struct reader *r, const struct conf_node *at,
    const struct service_options *o, struct service_conf *out)
{
	struct url u;
	struct err err;

	out->url = o->url;
	out->origin = "";
	out->port = -1;
	if (!*o->url)
		return 0;
	if (url_parse(r->arena, o->url, &u, &err) != 0)
		return wrong(r, at, out->name, err.text);
	if (u.scheme == URL_HTTP_UNIX || u.query)
		return wrong(r, at, out->name,
		    "url must be http://host:port or https://host:port");
	out->origin = url_origin(r->arena, &u);
	if (!out->managed)
		return 0;
	if (u.scheme != URL_HTTP || !is_this_machine(u.host))
		return wrong(r, at, out->name,
		    "the url of a managed service is http://127.0.0.1:PORT, or "
		    "http://127.0.0.1 for any port that is free");
	out->port = u.has_port ? u.port : 0;
	return 0;
}

static int read_token(const struct reader *r, const struct conf_node *at,
    const struct service_options *o, struct service_conf *out)
{
	size_t len = strlen(o->api_token);

	out->api_token = o->api_token;
	out->api_token_file = o->api_token_file;
	if (out->managed && (*o->api_token || *o->api_token_file))
		return wrong(r, at, out->name,
		    "a managed service gets a new token at each start, in "
		    "$JUPYTERHUB_API_TOKEN: take api_token out");
	if (*o->api_token && *o->api_token_file)
		return wrong(r, at, out->name,
		    "api_token and api_token_file exclude each other");
	if (*o->api_token &&
	    (len < TOKEN_MIN || strpbrk(o->api_token, " \t\r\n") ||
		str_has_control(o->api_token, len)))
		return wrong(r, at, out->name,
		    "api_token must have 16 characters or more and no blanks; "
		    "make one with: openssl rand -hex 32");
	return 0;
}

static bool has_token(
    const struct service_options *o, const struct service_conf *c)
{
	return c->managed || o->has_token || *c->api_token ||
	       *c->api_token_file;
}

static int check_redirect(const struct reader *r, const struct conf_node *at,
    const struct service_conf *c)
{
	struct url u;
	struct err err;

	if (c->redirect_uri[0] == '/' && c->redirect_uri[1] != '/' &&
	    !str_has_control(c->redirect_uri, strlen(c->redirect_uri)))
		return 0;
	if (url_parse(r->arena, c->redirect_uri, &u, &err) != 0 ||
	    u.scheme == URL_HTTP_UNIX)
		return wrong(r, at, c->name,
		    "oauth_redirect_uri must be a path here, or http:// or "
		    "https://");
	return 0;
}

static int read_scopes(const struct reader *r, const struct conf_node *at,
    const struct service_options *o, struct service_conf *out)
{
	struct scope_set set;
	struct err why;
	json_t *list;
	char *text;

	scope_set_init(&set, r->arena);
	for (size_t i = 0; i < o->allowed_scopes.n; i++)
		if (scope_set_add(&set, o->allowed_scopes.items[i], &why) != 0)
			return wrong(r, at, out->name, why.text);
	list = scope_set_json(&set);
	text = json_text(list, NULL);
	out->allowed_scopes = arena_strdup(r->arena, text);
	free(text);
	json_decref(list);
	return 0;
}

static int read_client(const struct reader *r, const struct conf_node *map,
    const struct service_options *o, struct service_conf *out)
{
	if (read_scopes(r, map, o, out) != 0)
		return -1;
	out->no_confirm = o->no_confirm;
	/* Without a token it could not prove itself, and needs no client. */
	if (!o->wants_client && (!*out->url || !has_token(o, out)))
		return 0;
	if (!has_token(o, out))
		return wrong(r, map, out->name,
		    "logging people in needs api_token or api_token_file: it "
		    "is the secret of the OAuth client");
	if (!*out->url && !*o->redirect_uri)
		return wrong(r, map, out->name,
		    "logging people in needs url, or oauth_redirect_uri for a "
		    "service that is reached elsewhere");
	out->client_id = *o->client_id ? o->client_id
				       : arena_printf(r->arena,
					     CLIENT_PREFIX "%s", out->name);
	if (!str_starts(out->client_id, CLIENT_PREFIX))
		return wrong(r, map, out->name,
		    "oauth_client_id must begin with \"" CLIENT_PREFIX "\"");
	out->redirect_uri =
	    *o->redirect_uri
		? o->redirect_uri
		: arena_printf(r->arena, "%soauth_callback",
		      service_conf_url(r->arena, r->cfg, out->name));
	return check_redirect(r, map, out);
}

/* Under a name, or in a list and with a name. */
static int read_name(const struct reader *r, const struct conf_node *map,
    const struct service_options *o, struct service_conf *out)
{
	const char *key = map ? map->key : NULL;

	out->name = *o->name ? o->name : (key ? key : "");
	if (!is_name(out->name) || (key && !str_eq(key, out->name)))
		return wrong(r, map, out->name,
		    "a service's name has 1 to 64 of A-Z a-z 0-9 - _ . ~, "
		    "begins with a letter or a digit, and is given once");
	return 0;
}

static int judge(const struct reader *r, const struct conf_node *map,
    const struct service_options *o, struct service_conf *out)
{
	*out = (struct service_conf){
		.admin = o->admin,
		.display = o->display,
		.managed = *o->managed ? o->managed : NULL,
		.info = o->info,
		.timeout_s = o->timeout_s,
	};
	if (read_name(r, map, o, out) != 0 || read_url(r, map, o, out) != 0 ||
	    read_token(r, map, o, out) != 0)
		return -1;
	return read_client(r, map, o, out);
}

int service_conf_make(struct arena *a, const struct config *cfg,
    const struct service_options *o, struct service_conf *out, struct err *err)
{
	const struct reader r = { .arena = a, .cfg = cfg, .err = err };

	return judge(&r, NULL, o, out);
}

static bool says_client(const struct conf_node *map)
{
	static const char *const names[] = { "oauth_client_id",
		"oauth_redirect_uri", "oauth_client_allowed_scopes",
		"oauth_no_confirm" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (conf_child(map, names[i]))
			return true;
	return false;
}

static int read_entry(const struct reader *r, const struct conf_node *map,
    struct service_conf *out)
{
	const char *name = map->key ? map->key : "";
	struct bound b = { .info = NULL };

	if (map->kind != CONF_MAP)
		return wrong(r, map, name,
		    "must be a section: its options stand below it, indented");
	if (conf_bind(r->arena, map, r->file, table,
		sizeof table / sizeof *table, &b, r->problems, r->err) != 0)
		return -1;
	if (b.info && b.info->kind != CONF_MAP)
		return wrong(r, map, name, "info must be a map");
	b.o.info = b.info ? conf_json_text(r->arena, b.info) : "{}";
	b.o.wants_client = says_client(map);
	return judge(r, map, &b.o, out);
}

/* ---- all ---------------------------------------------------------- */

static int check_twice(const struct reader *r, const struct conf_node *at,
    const struct service_confs *all, const struct service_conf *c)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct service_conf *other = &all->items[i];

		if (str_eq(other->name, c->name))
			return wrong(r, at, c->name, "stands here twice");
		if (*c->api_token && str_eq(other->api_token, c->api_token))
			return wrong(r, at, c->name,
			    "has the api_token of another service");
		if (c->client_id && str_eq(other->client_id, c->client_id))
			return wrong(r, at, c->name,
			    "has the oauth_client_id of another service");
	}
	return 0;
}

int service_conf_read(struct arena *a, const struct config *cfg,
    const char *file, struct service_confs *out, struct buf *problems,
    struct err *err)
{
	const struct reader r = { a, cfg, file, problems, err };
	const struct conf_node *tree = cfg->services;

	*out = (struct service_confs){ 0 };
	if (!tree)
		return 0;
	if ((tree->kind != CONF_MAP && tree->kind != CONF_LIST) ||
	    tree->n_children > SERVICES_MAX)
		return wrong(&r, tree, "",
		    "\"services\" must be a map of names to services, or a "
		    "list of services with names; at most 256");
	out->items = arena_array(a, tree->n_children, sizeof *out->items);
	for (const struct conf_node *n = tree->child; n; n = n->next) {
		struct service_conf *c = &out->items[out->n];

		if (read_entry(&r, n, c) != 0 ||
		    check_twice(&r, n, out, c) != 0)
			return -1;
		out->n++;
	}
	return 0;
}

bool service_conf_names(const struct conf_node *services, const char *name)
{
	if (!services ||
	    (services->kind != CONF_MAP && services->kind != CONF_LIST))
		return false;
	for (const struct conf_node *n = services->child; n; n = n->next) {
		const struct conf_node *own =
		    n->kind == CONF_MAP ? conf_child(n, "name") : NULL;

		if (str_eq(n->key, name) || (own && own->kind == CONF_SCALAR &&
						str_eq(own->text, name)))
			return true;
	}
	return false;
}

const char *service_conf_prefix(
    struct arena *a, const struct config *cfg, const char *name)
{
	return arena_printf(a, "%sservices/%s/", cfg->base_url, name);
}

const char *service_conf_url(
    struct arena *a, const struct config *cfg, const char *name)
{
	return arena_printf(a, "%s%s", domain_service_origin(a, cfg, name),
	    service_conf_prefix(a, cfg, name));
}
