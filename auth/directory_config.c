/*
 * See directory.h: the options of the kind "ldap", whose names are those of
 * JupyterHub's LDAPAuthenticator where they mean the same. Whatever could make
 * a login weaker than it was meant is refused here, at start.
 */
#include "auth/directory.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

#define SERVERS_MAX    8
#define TEMPLATES_MAX  16
#define SECRET_MAX     1024
#define FILLED_MAX     8192
#define DEFAULT_CAS    "/etc/ssl/certs/ca-certificates.crt"
#define PORT_LDAP      389
#define PORT_LDAPS     636
#define ANONYMOUS_HINT "for an anonymous search leave both out"

struct ldap_options {
	struct conf_node *server_address, *bind_dn_template;
	int64_t server_port, timeout_s;
	const char *tls_strategy, *tls_ca_file;
	bool lookup_dn;
	const char *search_user, *search_password, *search_password_file;
	const char *lookup_filter, *user_search_base, *user_attribute;
	const char *username_attribute, *valid_username_regex, *search_filter;
	const char *group_search_base, *group_search_filter, *group_attribute;
};

#define TEXT_OPTION(name_, member_, fallback_, max_, doc_)                     \
	{                                                                      \
		.path = name_, .type = CONF_STRING,                            \
		.offset = offsetof(struct ldap_options, member_),              \
		.fallback = fallback_, .hi = max_, .doc = doc_,                \
		.restart = true,                                               \
	}

static const struct conf_option table[] = {
	{
	    .path = "server_address",
	    .type = CONF_TREE,
	    .offset = offsetof(struct ldap_options, server_address),
	    .doc = "The directory's host, or a list of hosts to be tried in "
		   "order: host or host:port.",
	    .restart = true,
	},
	{
	    .path = "server_port",
	    .type = CONF_INT,
	    .offset = offsetof(struct ldap_options, server_port),
	    .fallback = "0",
	    .lo = 0,
	    .hi = 65535,
	    .doc = "0: 636 with tls_strategy on_connect, else 389.",
	    .restart = true,
	},
	{
	    .path = "tls_strategy",
	    .type = CONF_WORD,
	    .offset = offsetof(struct ldap_options, tls_strategy),
	    .fallback = "before_bind",
	    .words = "before_bind|on_connect|insecure",
	    .doc = "StartTLS, ldaps, or passwords in clear.",
	    .restart = true,
	},
	{
	    .path = "timeout",
	    .type = CONF_SECONDS,
	    .offset = offsetof(struct ldap_options, timeout_s),
	    .fallback = "5s",
	    .lo = 1,
	    .hi = 60,
	    .doc = "How long one step with a server may take.",
	    .restart = true,
	},
	{
	    .path = "bind_dn_template",
	    .type = CONF_TREE,
	    .offset = offsetof(struct ldap_options, bind_dn_template),
	    .doc = "Whom {username} binds as; a list is tried in order.",
	    .restart = true,
	},
	{
	    .path = "lookup_dn",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct ldap_options, lookup_dn),
	    .fallback = "false",
	    .doc = "Search for the person first, then bind as what was found.",
	    .restart = true,
	},
	TEXT_OPTION("tls_ca_file", tls_ca_file, DEFAULT_CAS, 4096,
	    "The authorities that may vouch for the directory, as PEM."),
	TEXT_OPTION("lookup_dn_search_user", search_user, "", 1024,
	    "Who searches. Empty: anonymous."),
	TEXT_OPTION("lookup_dn_search_password", search_password, "",
	    SECRET_MAX, "The password of lookup_dn_search_user."),
	TEXT_OPTION("lookup_dn_search_password_file", search_password_file, "",
	    4096, "The file whose first line is that password."),
	TEXT_OPTION("lookup_dn_search_filter", lookup_filter,
	    "\"({login_attr}={login})\"", 4096, "What finds the person."),
	TEXT_OPTION("user_search_base", user_search_base, "", 1024,
	    "Below which entry people are."),
	TEXT_OPTION("user_attribute", user_attribute, "uid", 64,
	    "What {login_attr} is: the attribute with the typed name."),
	TEXT_OPTION("username_attribute", username_attribute, "", 64,
	    "The attribute with the name in Carrel."),
	TEXT_OPTION("valid_username_regex", valid_username_regex,
	    "\"[a-z0-9_][a-z0-9._-]*\"", 255,
	    "What the typed name must match as a whole."),
	TEXT_OPTION("search_filter", search_filter, "", 4096,
	    "Must find exactly one entry below user_search_base."),
	TEXT_OPTION("group_search_base", group_search_base, "", 1024,
	    "Below which entry groups are. Empty: no groups."),
	TEXT_OPTION("group_search_filter", group_search_filter,
	    "\"(|(member={userdn})(uniqueMember={userdn})"
	    "(memberUid={username}))\"",
	    4096, "What finds a person's groups."),
	TEXT_OPTION("group_attribute", group_attribute, "cn", 64,
	    "The attribute with a group's name."),
};

static int refuse(struct err *err, const char *option, const char *text)
{
	return err_set(
	    err, ERR_INVALID, "auth.options: \"%s\" %s", option, text);
}

/* ---- lists --------------------------------------------------------------- */

/* One text, or a list of texts. */
static int read_list(struct arena *a, const struct conf_node *node,
    const char *option, size_t max, struct conf_strings *out, struct err *err)
{
	const struct conf_node *n = node;
	size_t count;

	*out = (struct conf_strings){ 0 };
	if (node == NULL)
		return 0;
	if (node->kind == CONF_LIST)
		n = node->child;
	count = node->kind == CONF_LIST ? node->n_children : 1;
	if (node->kind == CONF_MAP || count == 0 || count > max)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"%s\" must be a text, or a list of 1 to "
		    "%zu texts",
		    option, max);
	out->items = arena_array(a, count, sizeof *out->items);
	for (; out->n < count; n = n->next) {
		if (n->kind != CONF_SCALAR || n->text[0] == '\0')
			return refuse(err, option,
			    "has an entry that is no "
			    "text, or is empty");
		out->items[out->n++] = arena_strdup(a, n->text);
	}
	return 0;
}

/* ---- servers ------------------------------------------------------------- */

static bool is_host(struct slice host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (!isalnum((unsigned char)host.p[i]) &&
		    !strchr(".-:", host.p[i]))
			return false;
	}
	return host.len > 0 && host.len <= 255;
}

/* "host", "host:389", "[::1]", "[::1]:389", "::1". */
static int split_address(
    const char *text, struct slice *host, uint16_t *port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *rest = "";

	if (close) {
		*host = slice_make(text + 1, (size_t)(close - text - 1));
		rest = close + 1;
	} else if (colon && strchr(text, ':') == colon) {
		*host = slice_make(text, (size_t)(colon - text));
		rest = colon;
	} else {
		*host = slice_of(text);
	}
	if (!is_host(*host) || (*rest && *rest != ':') ||
	    (*rest && (num_u16(rest + 1, port, err) < 0 || *port == 0)))
		return refuse(err, "server_address",
		    "must be like ldap.example.org or ldap.example.org:389; "
		    "how it is encrypted stands in \"tls_strategy\"");
	return 0;
}

static int read_servers(struct directory_config *cfg,
    const struct ldap_options *opt, struct err *err)
{
	uint16_t usual = cfg->tls == DIRECTORY_LDAPS ? PORT_LDAPS : PORT_LDAP;

	if (opt->server_port > 0)
		usual = (uint16_t)opt->server_port;
	if (read_list(&cfg->arena, opt->server_address, "server_address",
		SERVERS_MAX, &cfg->servers, err) < 0)
		return -1;
	if (cfg->servers.n == 0)
		return refuse(
		    err, "server_address", "is missing: the directory's host");
	for (size_t i = 0; i < cfg->servers.n; i++) {
		uint16_t port = usual;
		struct slice host;
		bool is_v6;

		if (split_address(cfg->servers.items[i], &host, &port, err) < 0)
			return -1;
		is_v6 = memchr(host.p, ':', host.len) != NULL;
		cfg->servers.items[i] = arena_printf(&cfg->arena,
		    "ldap://%s%.*s%s:%u", is_v6 ? "[" : "", (int)host.len,
		    host.p, is_v6 ? "]" : "", port);
	}
	return 0;
}

static int read_tls(struct directory_config *cfg,
    const struct ldap_options *opt, struct err *err)
{
	char *text = NULL;
	size_t len;

	cfg->tls_ca_file = arena_strdup(&cfg->arena, opt->tls_ca_file);
	cfg->tls = DIRECTORY_STARTTLS;
	if (strcmp(opt->tls_strategy, "on_connect") == 0)
		cfg->tls = DIRECTORY_LDAPS;
	if (strcmp(opt->tls_strategy, "insecure") == 0) {
		cfg->tls = DIRECTORY_INSECURE;
		log_warn(NULL, "passwords go to the directory in clear",
		    "kind=ldap hint=\"auth.options.tls_strategy is insecure\"");
		return 0;
	}
	if (file_read_all(cfg->tls_ca_file, 4 << 20, &text, &len, err) < 0)
		return err_wrap(err, "auth.options: tls_ca_file");
	free(text);
	return 0;
}

/* ---- names and filters --------------------------------------------------- */

/* RFC 4512 section 2.5: an attribute's description, or an OID. */
static int check_attribute(
    const char *option, const char *text, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.;-";

	if (text[0] == '\0' || text[strspn(text, allowed)] != '\0')
		return refuse(err, option,
		    "must be the name of one attribute, like uid or cn");
	return 0;
}

typedef int fill_fn(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err);

/* Once with a name that needs no escape: placeholders and length are right. A
 * template that says the same for everybody would let in anybody who knows one
 * password. */
static int check_template(const char *option, const char *text,
    const char *const *names, fill_fn *fill, struct err *err)
{
	struct directory_word words[3] = { 0 };
	struct buf filled;
	size_t n = 0;
	int rc;

	for (; names[n]; n++)
		words[n] =
		    (struct directory_word){ .name = names[n], .value = "x" };
	buf_init(&filled, FILLED_MAX);
	rc = fill(&filled, text, words, n, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options: \"%s\"", option);
	else if (strcmp(buf_view(&filled), text) == 0)
		rc = err_set(err, ERR_INVALID,
		    "auth.options: \"%s\" has no \"{%s}\" and would say the "
		    "same of everybody",
		    option, names[0]);
	buf_fini(&filled);
	return rc;
}

static int check_filter(const char *option, const char *text,
    const char *const *names, struct err *err)
{
	if (text[0] != '(')
		return refuse(err, option,
		    "must be an LDAP filter in parentheses, like (uid=...)");
	return check_template(option, text, names, directory_fill_filter, err);
}

static int check_filters(const struct directory_config *cfg, struct err *err)
{
	static const char *const lookup[] = { "login", "username", "login_attr",
		NULL };
	static const char *const search[] = { "username", "userdn", NULL };
	static const char *const group[] = { "userdn", "username", NULL };

	if (cfg->lookup_dn && check_filter("lookup_dn_search_filter",
				  cfg->lookup_filter, lookup, err) < 0)
		return -1;
	if (*cfg->search_filter &&
	    check_filter("search_filter", cfg->search_filter, search, err) < 0)
		return -1;
	return check_filter(
	    "group_search_filter", cfg->group_search_filter, group, err);
}

static int check_attributes(const struct directory_config *cfg, struct err *err)
{
	if (check_attribute("user_attribute", cfg->user_attribute, err) < 0 ||
	    check_attribute("group_attribute", cfg->group_attribute, err) < 0)
		return -1;
	return *cfg->username_attribute ? check_attribute("username_attribute",
					      cfg->username_attribute, err)
					: 0;
}

static int read_regex(struct directory_config *cfg, const char *text,
    bool *is_made, struct err *err)
{
	char why[120];
	int rc = regcomp(&cfg->username_regex, text, REG_EXTENDED);

	if (rc != 0) {
		regerror(rc, &cfg->username_regex, why, sizeof why);
		return err_set(err, ERR_INVALID,
		    "auth.options: \"valid_username_regex\": %s", why);
	}
	*is_made = true;
	return 0;
}

/* ---- the two ways -------------------------------------------------------- */

static int read_password(struct directory_config *cfg,
    const struct ldap_options *opt, struct err *err)
{
	char *text = NULL;
	size_t len;

	cfg->lookup_password = arena_strdup(&cfg->arena, opt->search_password);
	if (!*opt->search_password_file)
		return 0;
	if (*opt->search_password)
		return refuse(err, "lookup_dn_search_password",
		    "stands there beside its file: keep one of them");
	if (file_read_all(opt->search_password_file, SECRET_MAX + 1, &text,
		&len, err) < 0)
		return err_wrap(
		    err, "auth.options: lookup_dn_search_password_file");
	text[strcspn(text, "\r\n")] = '\0';
	cfg->lookup_password = arena_strdup(&cfg->arena, text);
	mem_wipe(text, len);
	free(text);
	return 0;
}

static int read_lookup(struct directory_config *cfg,
    const struct ldap_options *opt, struct err *err)
{
	cfg->lookup_user = arena_strdup(&cfg->arena, opt->search_user);
	if (read_password(cfg, opt, err) < 0)
		return -1;
	if (!cfg->lookup_dn && (*cfg->lookup_user || *cfg->lookup_password))
		return refuse(err, "lookup_dn_search_user",
		    "is of no use without \"lookup_dn: true\"");
	if (!*cfg->lookup_user != !*cfg->lookup_password)
		return refuse(err, "lookup_dn_search_user",
		    "and its password go together; " ANONYMOUS_HINT);
	return 0;
}

static int read_templates(struct directory_config *cfg,
    const struct ldap_options *opt, struct err *err)
{
	static const char *const names[] = { "username", NULL };

	if (read_list(&cfg->arena, opt->bind_dn_template, "bind_dn_template",
		TEMPLATES_MAX, &cfg->bind_dn_templates, err) < 0)
		return -1;
	for (size_t i = 0; i < cfg->bind_dn_templates.n; i++) {
		if (check_template("bind_dn_template",
			cfg->bind_dn_templates.items[i], names,
			directory_fill_name, err) < 0)
			return -1;
	}
	return 0;
}

static int check_way(const struct directory_config *cfg, struct err *err)
{
	bool has_template = cfg->bind_dn_templates.n > 0;

	if (has_template == cfg->lookup_dn)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: ldap\" needs either "
		    "\"bind_dn_template\" (people bind under a name made of "
		    "theirs) or \"lookup_dn: true\" (they are searched for), "
		    "and %s",
		    has_template ? "has both" : "has neither");
	if ((cfg->lookup_dn || *cfg->search_filter) && !*cfg->user_search_base)
		return refuse(err, "user_search_base",
		    "is missing: below which entry people are searched");
	for (size_t i = 0; i < cfg->bind_dn_templates.n; i++) {
		if (strchr(cfg->bind_dn_templates.items[i], '=') == NULL &&
		    (*cfg->username_attribute || *cfg->group_search_base))
			return refuse(err, "bind_dn_template",
			    "must be a DN (cn=...) for groups and "
			    "\"username_attribute\"; for a name like "
			    "alice@example.org use \"lookup_dn: true\"");
	}
	return 0;
}

/* ---- all of it ----------------------------------------------------------- */

static void copy_texts(
    struct directory_config *cfg, const struct ldap_options *opt)
{
	struct arena *a = &cfg->arena;

	cfg->timeout_s = (int)opt->timeout_s;
	cfg->lookup_dn = opt->lookup_dn;
	cfg->lookup_filter = arena_strdup(a, opt->lookup_filter);
	cfg->user_search_base = arena_strdup(a, opt->user_search_base);
	cfg->user_attribute = arena_strdup(a, opt->user_attribute);
	cfg->username_attribute = arena_strdup(a, opt->username_attribute);
	cfg->search_filter = arena_strdup(a, opt->search_filter);
	cfg->group_search_base = arena_strdup(a, opt->group_search_base);
	cfg->group_search_filter = arena_strdup(a, opt->group_search_filter);
	cfg->group_attribute = arena_strdup(a, opt->group_attribute);
	/* As the directory spells it, so that one person is one name. */
	if (cfg->lookup_dn && !*cfg->username_attribute)
		cfg->username_attribute = cfg->user_attribute;
}

static int read_all(struct directory_config *cfg,
    const struct ldap_options *opt, bool *has_regex, struct err *err)
{
	copy_texts(cfg, opt);
	if (read_tls(cfg, opt, err) < 0 || read_servers(cfg, opt, err) < 0 ||
	    read_templates(cfg, opt, err) < 0 ||
	    read_lookup(cfg, opt, err) < 0 || check_way(cfg, err) < 0 ||
	    check_attributes(cfg, err) < 0 || check_filters(cfg, err) < 0)
		return -1;
	return read_regex(cfg, opt->valid_username_regex, has_regex, err);
}

static void config_free(struct directory_config *cfg, bool has_regex)
{
	if (has_regex)
		regfree(&cfg->username_regex);
	if (cfg->lookup_password)
		mem_wipe((char *)(uintptr_t)cfg->lookup_password,
		    strlen(cfg->lookup_password));
	arena_fini(&cfg->arena);
	free(cfg);
}

struct directory_config *directory_config_read(
    const struct auth_env *env, struct err *err)
{
	struct directory_config *cfg = xcalloc(1, sizeof *cfg);
	struct ldap_options opt = { 0 };
	bool has_regex = false;
	struct arena a;
	int rc;

	cfg->refs = 1;
	arena_init(&cfg->arena);
	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	if (rc == 0)
		rc = read_all(cfg, &opt, &has_regex, err);
	arena_fini(&a);
	if (rc == 0)
		return cfg;
	config_free(cfg, has_regex);
	return NULL;
}

struct directory_config *directory_config_ref(struct directory_config *cfg)
{
	cfg->refs++;
	return cfg;
}

void directory_config_unref(struct directory_config **cfg)
{
	assert((*cfg)->refs > 0);
	if (--(*cfg)->refs == 0)
		config_free(*cfg, true);
	*cfg = NULL;
}

bool directory_config_takes(
    const struct directory_config *cfg, const char *username)
{
	regmatch_t match[1];
	size_t len = strnlen(username, DIRECTORY_NAME_MAX + 1);

	return len > 0 && len <= DIRECTORY_NAME_MAX &&
	       utf8_valid(username, len) && !str_has_control(username, len) &&
	       regexec(&cfg->username_regex, username, 1, match, 0) == 0 &&
	       match[0].rm_so == 0 && match[0].rm_eo == (regoff_t)len;
}
