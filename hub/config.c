/*
 * See config.h. What a table cannot say (relations, URLs, the hint for people
 * who look for "command") is checked here.
 */
#include "hub/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/custom_scopes.h"
#include "hub/own_pages.h"
#include "hub/own_routes.h"
#include "hub/rbac_conf.h"
#include "hub/server_name.h"
#include "hub/service_conf.h"

static const struct conf_option options[] = {
#define OPT(member, kind, path_, fallback_, lo_, hi_, words_, restart_, doc_)  \
	{                                                                      \
		.path = path_,                                                 \
		.type = CONF_##kind,                                           \
		.offset = offsetof(struct config, member),                     \
		.fallback = fallback_,                                         \
		.lo = lo_,                                                     \
		.hi = hi_,                                                     \
		.words = words_,                                               \
		.doc = doc_,                                                   \
		.restart = restart_,                                           \
	},
#define OPT_IN OPT
#include "hub/config.def"
};

#define N_OPTIONS (sizeof options / sizeof *options)

/* What the shipped file says beyond the built-in defaults. */
static const struct conf_pair shipped[] = {
	{ .name = "auth.allow_all", .value = "true" },
	{ .name = "auth.admin_groups", .value = "[sudo]" },
};

const struct conf_option *config_options(size_t *n_out)
{
	*n_out = N_OPTIONS;
	return options;
}

/* ---- problems ------------------------------------------------------------ */

struct checker {
	struct arena *arena;
	const char *file;
	const struct conf_node *tree;
	struct buf *problems;
	struct err first;
	size_t n;
};

static void problem(struct checker *c, const struct conf_node *at,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

static void problem(
    struct checker *c, const struct conf_node *at, const char *fmt, ...)
{
	char text[sizeof c->first.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->n++ == 0)
		err_set(&c->first, ERR_INVALID, "%s:%d:%d: %s", c->file,
		    at ? at->line : 1, at ? at->column : 1, text);
	if (c->problems)
		buf_printf(c->problems, "%s:%d:%d: %s\n", c->file,
		    at ? at->line : 1, at ? at->column : 1, text);
}

/* The node of an option, "a.b.c"; NULL: not in the file. */
static const struct conf_node *node_at(
    const struct checker *c, const char *path)
{
	const struct conf_node *n = c->tree;
	struct slice rest = slice_of(path), part;

	while (n && slice_split(&rest, '.', &part)) {
		char key[64];

		if (str_copy_slice(key, sizeof key, part) != 0)
			return NULL;
		n = conf_child(n, key);
	}
	return n;
}

/* ---- programs do not belong here ----------------------------------------- */

static bool is_one_of(const char *key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(key, names[i]))
			return true;
	}
	return false;
}

static bool names_a_program(const char *key)
{
	static const char *const names[] = { "command", "cmd", "args" };

	return is_one_of(key, names, sizeof names / sizeof *names);
}

/* What JupyterHub says of a managed service, and here root does. */
static bool is_root_s_word(const char *key)
{
	static const char *const names[] = { "command", "cmd", "args", "cwd",
		"user", "environment" };

	return is_one_of(key, names, sizeof names / sizeof *names);
}

static void find_programs_of_service(
    struct checker *c, const struct conf_node *service)
{
	for (const struct conf_node *n = service->child; n; n = n->next) {
		struct conf_node at = *n;

		if (!n->key || !is_root_s_word(n->key))
			continue;
		at.line = n->key_line;
		at.column = n->key_column;
		problem(c, &at,
		    "\"%s\" of a service has no place in this file: what is "
		    "executed, where and as whom is root's choice and stands "
		    "in /etc/carrel/spawner.yaml below \"services\"; name its "
		    "entry here with \"managed\"",
		    n->key);
	}
}

/* Depth is bounded by conf_parse (32). */
static void find_programs(struct checker *c, const struct conf_node *map)
{
	for (const struct conf_node *n = map->child; n; n = n->next) {
		if (map == c->tree && str_eq(n->key, "services")) {
			for (const struct conf_node *s = n->child; s;
			     s = s->next)
				find_programs_of_service(c, s);
		} else if (n->key && names_a_program(n->key)) {
			struct conf_node at = *n;

			at.line = n->key_line;
			at.column = n->key_column;
			problem(c, &at,
			    "\"%s\" has no place in this file: what is "
			    "executed "
			    "is root's choice and stands in "
			    "/etc/carrel/spawner.yaml, as a profile; name the "
			    "profile here (server.default_profile)",
			    n->key);
		} else if (n->kind == CONF_MAP || n->kind == CONF_LIST) {
			find_programs(c, n);
		}
	}
}

/* ---- values -------------------------------------------------------------- */

/* Is it scheme://host[:port], without a path? */
static void check_origin(struct checker *c, const char *path, const char *value)
{
	struct url u;
	struct err err;

	if (!*value)
		return;
	if (url_parse(c->arena, value, &u, &err) != 0)
		problem(c, node_at(c, path), "\"%s\": %s", path, err.text);
	else if (u.scheme == URL_HTTP_UNIX || !str_eq(u.path, "/") || u.query)
		problem(c, node_at(c, path),
		    "\"%s\" must be http://host:port or https://host, without "
		    "a path",
		    path);
}

static void check_base_url(struct checker *c, const char *value)
{
	if (value[0] == '/' && value[strlen(value) - 1] == '/' &&
	    !strstr(value, "//") &&
	    strspn(value,
		"/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"abcdefghijklmnopqrstuvwxyz0123456789-_.~@") == strlen(value))
		return;
	problem(c, node_at(c, "hub.base_url"),
	    "\"hub.base_url\" must begin and end with a slash and have only "
	    "letters, digits and -_.~@ between single slashes, such as "
	    "/notebooks/");
}

/* "/lab" is a page here; "//elsewhere" would be another host. */
static void check_local_path(
    struct checker *c, const char *path, const char *value)
{
	if (!*value)
		return;
	if (value[0] != '/' || value[1] == '/' || strchr(value, '\\') ||
	    str_has_control(value, strlen(value)))
		problem(c, node_at(c, path),
		    "\"%s\" must be a path with one slash in front, such as "
		    "/hub/home",
		    path);
}

/* Elsewhere, or a path here. */
static void check_logout(struct checker *c, const char *value)
{
	static const char path[] = "auth.logout_redirect_url";
	struct url u;
	struct err err;

	if (!str_starts(value, "http://") && !str_starts(value, "https://"))
		check_local_path(c, path, value);
	else if (url_parse(c->arena, value, &u, &err) != 0)
		problem(c, node_at(c, path), "\"%s\": %s", path, err.text);
}

static void check_default_name(struct checker *c, const char *value)
{
	struct err err;

	if (server_name_check(value, true, &err) != 0)
		problem(c, node_at(c, "server.default_name"),
		    "\"server.default_name\": %s", err.text);
}

/* What people may choose has what they get when they choose nothing. */
static void check_profiles(struct checker *c, const struct config *cfg)
{
	bool has = cfg->profiles.n == 0;

	for (size_t i = 0; !has && i < cfg->profiles.n; i++)
		has = str_eq(cfg->profiles.items[i], cfg->default_profile);
	if (!has)
		problem(c, node_at(c, "server.profiles"),
		    "\"server.profiles\" lacks \"%s\", which is "
		    "server.default_profile",
		    cfg->default_profile);
}

/* ---- pages --------------------------------------------------------------- */

static bool is_link(const struct conf_node *n)
{
	const char *s = n->text;

	return str_starts(s, "https://") || str_starts(s, "http://") ||
	       (s[0] == '/' && s[1] != '/' && s[1] != '\\');
}

/* What our own pages print. */
static void check_known_var(struct checker *c, const struct conf_node *var)
{
	bool is_terms = str_eq(var->key, "login_term_url");

	if (!is_terms && !str_starts(var->key, "announcement"))
		return;
	if (var->kind != CONF_SCALAR && var->kind != CONF_NULL)
		problem(c, var, "\"%s\" of hub.template_vars must be a text",
		    var->key);
	else if (is_terms && var->kind == CONF_SCALAR && !is_link(var))
		problem(c, var,
		    "\"login_term_url\" must begin with https://, http:// or "
		    "one slash");
}

static void check_template_vars(struct checker *c, const struct conf_node *vars)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789_";

	if (vars && vars->kind != CONF_MAP)
		problem(c, vars,
		    "\"hub.template_vars\" must be a section: its names stand "
		    "below it, indented");
	if (!vars || vars->kind != CONF_MAP)
		return;
	for (const struct conf_node *n = vars->child; n; n = n->next) {
		if (strspn(n->key, letters) != strlen(n->key))
			problem(c, n,
			    "\"%.64s\" of hub.template_vars: a name has "
			    "letters, digits and _ only",
			    n->key);
		check_known_var(c, n);
	}
}

static void check_logo(struct checker *c, const char *path)
{
	const char *type;
	struct err err;

	if (*path && own_logo_type(path, &type, &err) != 0)
		problem(c, node_at(c, "hub.logo_file"), "%s", err.text);
}

static void check_trusted_proxies(
    struct checker *c, const struct conf_strings *list)
{
	struct cidr range;
	struct err err;

	for (size_t i = 0; i < list->n; i++)
		if (cidr_parse(list->items[i], &range, &err) != 0)
			problem(c, node_at(c, "hub.trusted_proxies"),
			    "\"hub.trusted_proxies\": %s", err.text);
}

/* What follows from the answer itself, or would break the protocol. */
static bool is_settable(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789-_";
	static const char *const fixed[] = { "Content-Length", "Content-Type",
		"Transfer-Encoding", "Connection", "Date", "ETag", "Location",
		"Set-Cookie", "X-JupyterHub-Version" };

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (slice_ieq(slice_of(name), fixed[i]))
			return false;
	return *name && strspn(name, letters) == strlen(name);
}

static void check_headers(struct checker *c, const struct conf_pairs *headers)
{
	for (size_t i = 0; i < headers->n; i++) {
		const struct conf_pair *h = &headers->items[i];

		if (!is_settable(h->name))
			problem(c, node_at(c, "hub.headers"),
			    "\"%.64s\" of hub.headers cannot be set", h->name);
		else if (str_has_control(h->value, strlen(h->value)))
			problem(c, node_at(c, "hub.headers"),
			    "\"%.64s\" of hub.headers has a value with a line "
			    "break or another control character",
			    h->name);
	}
}

static void check_proxy_tls(struct checker *c, const struct config *cfg)
{
	bool has_files = *cfg->proxy_api_ca_file || *cfg->proxy_api_cert_file ||
			 *cfg->proxy_api_key_file;

	if (has_files && !str_starts(cfg->proxy_api_url, "https:"))
		problem(c, node_at(c, "proxy.api_url"),
		    "\"proxy.api_ca_file\", \"api_cert_file\" and "
		    "\"api_key_file\" are for a \"proxy.api_url\" that "
		    "begins with https://");
	if (*cfg->proxy_api_key_file && !*cfg->proxy_api_cert_file)
		problem(c, node_at(c, "proxy.api_key_file"),
		    "\"proxy.api_key_file\" lacks its certificate, "
		    "\"proxy.api_cert_file\"");
}

static void check_values(struct checker *c, const struct config *cfg)
{
	check_base_url(c, cfg->base_url);
	check_origin(c, "hub.public_url", cfg->public_url);
	check_origin(c, "hub.subdomain_host", cfg->subdomain_host);
	check_origin(c, "hub.connect_url", cfg->connect_url);
	check_origin(c, "proxy.api_url", cfg->proxy_api_url);
	if (cfg->internal_tls && str_starts(cfg->connect_url, "http:"))
		problem(c, node_at(c, "hub.connect_url"),
		    "\"hub.connect_url\" must begin with https:// when "
		    "\"hub.internal_tls\" is on");
	check_local_path(c, "hub.default_url", cfg->default_url);
	check_local_path(c, "server.default_url", cfg->server_default_url);
	check_logout(c, cfg->logout_redirect_url);
	check_default_name(c, cfg->default_name);
	check_profiles(c, cfg);
	check_template_vars(c, cfg->template_vars);
	check_logo(c, cfg->logo_file);
	check_headers(c, &cfg->headers);
	check_trusted_proxies(c, &cfg->trusted_proxies);
	check_proxy_tls(c, cfg);
	if (cfg->throttle.max_s < cfg->throttle.first_s)
		problem(c, node_at(c, "auth.throttle.longest_wait"),
		    "\"auth.throttle.longest_wait\" must not be shorter than "
		    "\"auth.throttle.first_wait\"");
	if (cfg->auth_options && cfg->auth_options->kind != CONF_MAP)
		problem(c, cfg->auth_options,
		    "\"auth.options\" must be a section: its options stand "
		    "below it, indented");
}

static void check_routes(struct checker *c, const struct config *cfg)
{
	const struct conf_pairs *extra = &cfg->proxy_extra_routes;
	struct err err;

	if (own_route_check(cfg, &err) != 0)
		problem(c, node_at(c, "hub.routespec"), "%s", err.text);
	for (size_t i = 0; i < extra->n; i++)
		if (extra_route_check(cfg, &extra->items[i], &err) != 0)
			problem(c, node_at(c, "proxy.extra_routes"), "%s",
			    err.text);
}

/* After the values themselves: what follows from several of them. */
static void derive(struct checker *c, struct config *cfg)
{
	struct err err = { 0 };

	if (c->n == 0 && domain_open(c->arena, cfg, &err) != 0)
		problem(c, node_at(c, "hub.subdomain_host"), "%s", err.text);
	if (c->n == 0)
		check_routes(c, cfg);
}

/* ---- all together -------------------------------------------------------- */

static int check(struct checker *c, struct err *err)
{
	if (c->n == 0)
		return 0;
	if (c->n == 1)
		return err_set(err, ERR_INVALID, "%s", c->first.text);
	return err_set(
	    err, ERR_INVALID, "%s (%zu problems in all)", c->first.text, c->n);
}

static int check_client_scopes(struct arena *a, const char *file,
    const struct config *cfg, struct buf *problems, struct err *err)
{
	const struct conf_strings *list = &cfg->server_client_scopes;
	struct scope_set set;

	scope_set_init(&set, a);
	for (size_t i = 0; i < list->n; i++) {
		if (scope_set_add(&set, list->items[i], err) == 0)
			continue;
		(void)err_wrap(
		    err, "%s: server.oauth_client_allowed_scopes", file);
		if (problems)
			buf_printf(problems, "%s\n", err->text);
		return -1;
	}
	return 0;
}

/* Roles and services may have scopes of this configuration, which is not in use
 * yet. */
static int check_scopes(struct arena *a, const char *file, struct config *out,
    struct buf *problems, struct err *err)
{
	const struct scope_customs *before;
	struct service_confs services;
	struct rbac rbac;
	int rc;

	if (custom_scopes_read(
		a, out->custom_scopes, file, &out->customs, problems, err) != 0)
		return -1;
	before = scope_customs_use(out->customs);
	rc = check_client_scopes(a, file, out, problems, err);
	if (rc == 0)
		rc = service_conf_read(a, out, file, &services, problems, err);
	if (rc == 0)
		rc = rbac_read(a, out, file, &rbac, problems, err);
	(void)scope_customs_use(before);
	return rc;
}

int config_load(struct arena *a, const char *text, size_t len, const char *file,
    struct config *out, struct buf *problems, struct err *err)
{
	struct checker c = { .arena = a, .file = file, .problems = problems };
	struct conf_node *tree = NULL;

	memset(out, 0, sizeof *out);
	if (text && conf_parse(a, text, len, file, &tree, err) != 0) {
		if (problems && err)
			buf_printf(problems, "%s\n", err->text);
		return -1;
	}
	c.tree = tree;
	if (tree)
		find_programs(&c, tree);
	if (check(&c, err) != 0)
		return -1;
	if (conf_bind(a, tree, file, options, N_OPTIONS, out, problems, err) !=
	    0)
		return -1;
	check_values(&c, out);
	derive(&c, out);
	if (check(&c, err) != 0)
		return -1;
	return check_scopes(a, file, out, problems, err);
}

/* ---- what is generated ----------------------------------------------------
 */

void config_write_sample(struct buf *b)
{
	buf_str(b,
	    "# Carrel: the hub. Every option stands here with its default, "
	    "commented out;\n"
	    "# take the '#' off to change one. `carrel-hub --check` says what "
	    "is wrong with\n"
	    "# this file. What is executed, and as whom, stands in "
	    "spawner.yaml.\n\n");
	conf_write_sample_set(
	    b, options, N_OPTIONS, shipped, sizeof shipped / sizeof *shipped);
}

void config_write_manual(struct buf *b)
{
	buf_str(b,
	    "# carrel.yaml\n\n"
	    "Made from hub/config.def by `make docs`; do not edit. The "
	    "built-in "
	    "defaults admit\n"
	    "nobody; the shipped etc/carrel.yaml says `allow_all: true` and "
	    "`admin_groups: [sudo]`.\n"
	    "An unknown key is an error that names the nearest known one. What "
	    "is executed stands\n"
	    "in root's spawner.yaml, never here.\n\n");
	conf_write_manual(b, options, N_OPTIONS);
}
