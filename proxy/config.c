/*
 * Command line: see config.h.
 */
#include "proxy/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/httphead.h"
#include "base/mem.h"
#include "base/num.h"
#include "proxy/route.h"

#define HEADERS_MAX 64
#define CIDRS_MAX   256
#define LIST_MAX    64
#define TOKEN_MAX   4096
#define NUMBER_MAX  100000000
#define HEAD_MIN    1024

#define TAKEOVER_END     ".takeover"
#define SOCKET_PATH_SIZE 108 /* of sockaddr_un, with its NUL */

enum kind {
	STRING,
	ADDRESS,
	PORT,
	FLAG,
	OFF,
	MILLIS,
	SECONDS,
	COUNT,
	LEVEL,
	HEADERS,
	CIDRS,
	LIST,
	PROTOCOL,
	NUMBER,
	HEAD_SIZE,
	HEAD_COUNT,
	REFUSED,
	HARMLESS,
	TITLE,
};

struct option {
	enum kind kind;
	bool takes_value;
	size_t offset;
	const char *flag, *argument, *fallback, *text;
};

static const struct option options[] = {
#define SECTION(title) { .kind = TITLE, .text = title },
#define OPT(k, member, name, arg, def, words)                                  \
	{ .kind = k,                                                           \
		.takes_value = k != FLAG && k != OFF,                          \
		.offset = offsetof(struct config, member),                     \
		.flag = name,                                                  \
		.argument = arg,                                               \
		.fallback = def,                                               \
		.text = words },
#define GONE(k, name, has_value, words)                                        \
	{ .kind = k, .takes_value = has_value, .flag = name, .text = words },
#include "proxy/config.def"
#undef SECTION
#undef OPT
#undef GONE
};
#define N_OPTIONS (sizeof options / sizeof options[0])

/* What a parse carries along. */
struct parse {
	struct config *c;
	struct buf *notes;
	bool seen[N_OPTIONS];
};

static void *member(struct config *c, const struct option *o)
{
	return (char *)c + o->offset;
}

/* ---- single values ------------------------------------------------------- */

/* Who writes "$FILE" and has no FILE is not to lose TLS or a token by it. */
static int set_string(const char **out, const char *v, struct err *err)
{
	if (v[0] == '\0')
		return err_set(err, ERR_INVALID,
		    "the value is empty: leave the flag out, or say what is "
		    "meant");
	*out = v;
	return 0;
}

static int set_port(int *out, const char *v, struct err *err)
{
	int64_t n;

	if (num_range(v, 0, 65535, &n, err) < 0)
		return -1;
	*out = (int)n;
	return 0;
}

/* These are the proxy's own business on every hop. */
static bool is_framing(struct slice name)
{
	static const char *const names[] = { "connection", "content-length",
		"te", "trailer", "transfer-encoding", "upgrade" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_ieq(name, names[i]))
			return true;
	return false;
}

static int set_header(
    struct config *c, struct config_headers *h, const char *v, struct err *err)
{
	const char *colon = strchr(v, ':');
	struct slice name, value;

	if (colon != NULL)
		name = slice_trim(slice_make(v, (size_t)(colon - v)));
	if (colon == NULL || name.len == 0)
		return err_set(err, ERR_INVALID,
		    "a colon was expected between name and value: NAME:VALUE");
	value = slice_trim(slice_of(colon + 1));
	if (!httphead_is_token(name) || str_has_control(value.p, value.len))
		return err_set(err, ERR_INVALID,
		    "this can be no header: the name must be a word and the "
		    "value have no control byte");
	if (is_framing(name))
		return err_set(err, ERR_INVALID,
		    "a header of the message's framing cannot be set");
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_ieq(name, h->items[i].name))
			continue;
		h->items[i].value =
		    arena_strndup(&c->arena, value.p, value.len);
		return 0;
	}
	if (h->n == HEADERS_MAX)
		return err_set(
		    err, ERR_LIMIT, "at most %d are possible", HEADERS_MAX);
	if (h->items == NULL)
		h->items =
		    arena_array(&c->arena, HEADERS_MAX, sizeof *h->items);
	h->items[h->n++] = (struct config_header){
		.name = arena_strndup(&c->arena, name.p, name.len),
		.value = arena_strndup(&c->arena, value.p, value.len),
	};
	return 0;
}

static int add_cidr(struct config *c, const char *v, struct err *err)
{
	struct config_cidrs *list = &c->trusted;

	if (list->n == CIDRS_MAX)
		return err_set(
		    err, ERR_LIMIT, "at most %d are possible", CIDRS_MAX);
	if (list->items == NULL)
		list->items =
		    arena_array(&c->arena, CIDRS_MAX, sizeof *list->items);
	if (cidr_parse(v, &list->items[list->n], err) < 0)
		return -1;
	list->n++;
	return 0;
}

static int add_item(
    struct config *c, struct config_list *list, const char *v, struct err *err)
{
	const char *item;

	if (set_string(&item, v, err) < 0)
		return -1;
	if (list->n == LIST_MAX)
		return err_set(
		    err, ERR_LIMIT, "at most %d are possible", LIST_MAX);
	if (list->items == NULL)
		list->items =
		    arena_array(&c->arena, LIST_MAX, sizeof *list->items);
	list->items[list->n++] = item;
	return 0;
}

static int set_level(enum log_level *out, const char *v, struct err *err)
{
	char low[16];

	if (str_copy(low, sizeof low, v) == 0) {
		str_lower_ascii(low);
		if (str_eq(low, "warning"))
			low[4] = '\0';
		if (log_level_parse(low, out) == 0)
			return 0;
	}
	return err_set(err, ERR_INVALID,
	    "\"%.40s\" is no level: debug, info, warn or error", v);
}

static int set_protocol(const char **out, const char *v, struct err *err)
{
	if (!str_eq(v, "http") && !str_eq(v, "https"))
		return err_set(
		    err, ERR_INVALID, "\"%.40s\" is neither http nor https", v);
	*out = v;
	return 0;
}

static int refuse(const struct option *o, struct err *err)
{
	return err_set(
	    err, ERR_INVALID, "carrel-proxy cannot do this: %s", o->text);
}

/* v is NULL for a flag without a value. */
static int set_value(
    struct parse *p, const struct option *o, const char *v, struct err *err)
{
	void *m = member(p->c, o);

	switch (o->kind) {
	case STRING:
		return set_string(m, v, err);
	case ADDRESS:
		*(const char **)m = v;
		return 0;
	case PORT:
		return set_port(m, v, err);
	case FLAG:
		*(bool *)m = true;
		return 0;
	case OFF:
		*(bool *)m = false;
		return 0;
	case MILLIS:
		return num_range(v, 0, INT32_MAX, m, err);
	case SECONDS:
		return num_range(v, 0, 86400, m, err);
	case COUNT:
		return num_range(v, 1, 256, m, err);
	case NUMBER:
		return num_range(v, 0, NUMBER_MAX, m, err);
	case HEAD_SIZE:
		return num_range(v, HEAD_MIN, HTTPHEAD_MAX_BYTES, m, err);
	case HEAD_COUNT:
		return num_range(v, 1, HTTPHEAD_MAX_FIELDS, m, err);
	case LEVEL:
		return set_level(m, v, err);
	case HEADERS:
		return set_header(p->c, m, v, err);
	case CIDRS:
		return add_cidr(p->c, v, err);
	case LIST:
		return add_item(p->c, m, v, err);
	case PROTOCOL:
		return set_protocol(m, v, err);
	case REFUSED:
		return refuse(o, err);
	case HARMLESS:
		buf_printf(p->notes, "--%s is ignored: %s\n", o->flag, o->text);
		return 0;
	case TITLE:
		break;
	}
	return err_set(err, ERR_INTERNAL, "option table");
}

static int set_defaults(struct parse *p, struct err *err)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];

		if (o->kind == PORT)
			*(int *)member(p->c, o) = CONFIG_PORT_UNSET;
		if (o->kind == OFF)
			*(bool *)member(p->c, o) = true;
		if (o->fallback != NULL &&
		    set_value(p, o, o->fallback, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- arguments ----------------------------------------------------------- */

static const struct option *find_option(struct slice name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].kind != TITLE && slice_eq(name, options[i].flag))
			return &options[i];
	return NULL;
}

static int unknown_flag(const char *arg, struct slice name, struct err *err)
{
	const char *nearest = NULL;
	size_t best = 4;
	char copy[64];

	if (str_copy_slice(copy, sizeof copy, name) < 0)
		copy[0] = '\0';
	for (size_t i = 0; i < N_OPTIONS; i++) {
		size_t d;

		if (options[i].kind == TITLE)
			continue;
		d = str_distance(copy, options[i].flag, best);
		if (d >= best)
			continue;
		best = d;
		nearest = options[i].flag;
	}
	if (nearest != NULL)
		return err_set(err, ERR_INVALID,
		    "unknown option %.60s; did you mean --%s?", arg, nearest);
	return err_set(
	    err, ERR_INVALID, "unknown option %.60s; --help lists all", arg);
}

/* One "--flag", "--flag=value" or "--flag value"; *at is moved on. */
static int parse_one(
    struct parse *p, int argc, char *const *argv, int *at, struct err *err)
{
	const char *arg = argv[(*at)++], *value = NULL;
	struct slice rest = slice_of(arg + 2), name;
	const struct option *o;

	if (!str_starts(arg, "--"))
		return err_set(err, ERR_INVALID,
		    "unexpected argument \"%.60s\"; options begin with --",
		    arg);
	if (!slice_split(&rest, '=', &name))
		name = rest;
	o = find_option(name);
	if (o == NULL)
		return unknown_flag(arg, name, err);
	if (strchr(arg, '=') != NULL)
		value = strchr(arg, '=') + 1;
	if (!o->takes_value && value != NULL)
		return err_set(
		    err, ERR_INVALID, "--%s takes no value", o->flag);
	if (o->takes_value && value == NULL) {
		if (*at == argc)
			return err_set(
			    err, ERR_INVALID, "--%s needs a value", o->flag);
		value = argv[(*at)++];
	}
	p->seen[o - options] = true;
	return set_value(p, o, value, err) < 0 ? err_wrap(err, "--%s", o->flag)
					       : 0;
}

static bool was_seen(const struct parse *p, const char *flag)
{
	const struct option *o = find_option(slice_of(flag));

	assert(o != NULL);
	return p->seen[o - options];
}

/* ---- what the options mean together -------------------------------------- */

static int check_listeners(struct parse *p, struct err *err)
{
	struct config *c = p->c;

	if (c->socket != NULL && (was_seen(p, "ip") || was_seen(p, "port")))
		return err_set(err, ERR_INVALID,
		    "--socket cannot be used together with --ip or --port");
	if (c->api_socket != NULL &&
	    (was_seen(p, "api-ip") || was_seen(p, "api-port")))
		buf_str(p->notes, "--api-socket is used, and --api-ip and "
				  "--api-port are ignored\n");
	if (c->ip == NULL)
		c->ip = "";
	if (str_eq(c->ip, "*")) {
		buf_str(p->notes, "--ip '*' is understood as all addresses\n");
		c->ip = "";
	}
	if (c->port == CONFIG_PORT_UNSET)
		c->port = 8000;
	if (c->api_port == CONFIG_PORT_UNSET) {
		c->api_port = c->socket != NULL ? 8001
			      : c->port == 0    ? 0
						: c->port + 1;
		if (c->api_port > 65535 && c->api_socket == NULL)
			return err_set(err, ERR_INVALID,
			    "there is no port after %d: give --api-port",
			    c->port);
	}
	return 0;
}

/* The query is ours: url=... */
static int check_error_target(struct parse *p, struct err *err)
{
	struct config *c = p->c;

	if (url_parse(&c->arena, c->error_target, &c->error_url, err) < 0)
		return err_wrap(err, "--error-target");
	if (c->error_url.query == NULL)
		return 0;
	buf_str(p->notes, "the query of --error-target is ignored\n");
	c->error_target = arena_strndup(&c->arena, c->error_target,
	    (size_t)(strchr(c->error_target, '?') - c->error_target));
	c->error_url.query = NULL;
	return 0;
}

static int check_errors(struct parse *p, struct err *err)
{
	struct config *c = p->c;

	if (c->error_target == NULL)
		return 0;
	if (c->error_path != NULL)
		return err_set(err, ERR_INVALID,
		    "--error-target and --error-path exclude each other");
	return check_error_target(p, err);
}

static int check_redirect(struct parse *p, struct err *err)
{
	struct config *c = p->c;

	if (c->redirect_port == CONFIG_PORT_UNSET)
		return c->acme_webroot == NULL
			   ? 0
			   : err_set(err, ERR_INVALID,
				 "--acme-webroot needs --redirect-port");
	if (!config_has_tls(c))
		return err_set(err, ERR_INVALID,
		    "--redirect-port needs --ssl-key and --ssl-cert: there is "
		    "no https to redirect to");
	if (c->socket == NULL && c->port != 80)
		return 0;
	buf_str(p->notes, "--redirect-port is ignored: the public side is a "
			  "unix socket or port 80\n");
	c->redirect_port = CONFIG_PORT_UNSET;
	return 0;
}

/* The socket's place, if nobody chose one, is beside the journal. */
static void set_takeover_socket(struct parse *p)
{
	struct config *c = p->c;

	if (c->takeover_socket != NULL || c->journal == NULL)
		return;
	if (strlen(c->journal) + strlen(TAKEOVER_END) < SOCKET_PATH_SIZE)
		c->takeover_socket =
		    arena_printf(&c->arena, "%s" TAKEOVER_END, c->journal);
	else
		buf_str(p->notes, "the journal's path is too long for a socket "
				  "beside it: without --takeover-socket no "
				  "other process can take over\n");
}

static int check_takeover(struct parse *p, struct err *err)
{
	set_takeover_socket(p);
	if (p->c->takeover && p->c->takeover_socket == NULL)
		return err_set(err, ERR_INVALID,
		    "--takeover needs to know where the running proxy is: give "
		    "--takeover-socket, or --journal as it has it");
	return 0;
}

static int check_access_log(struct config *c, struct err *err)
{
	if (str_eq(c->access_log_format, "json") ||
	    str_eq(c->access_log_format, "combined"))
		return 0;
	return err_set(err, ERR_INVALID,
	    "--access-log-format: \"%.40s\" is neither json nor combined",
	    c->access_log_format);
}

static int check_client_dir(struct config *c, struct err *err)
{
	const char *dir = c->client_ssl_dir;

	if (dir == NULL)
		return 0;
	if (c->client_ssl_key != NULL || c->client_ssl_cert != NULL ||
	    c->client_ssl_ca != NULL)
		return err_set(err, ERR_INVALID,
		    "--client-ssl-dir takes the place of --client-ssl-key, "
		    "--client-ssl-cert and --client-ssl-ca: give one or the "
		    "other");
	c->client_dir_pair = arena_printf(&c->arena, "%s/proxy.pem", dir);
	c->client_dir_ca = arena_printf(&c->arena, "%s/trust.crt", dir);
	return 0;
}

static int check_together(struct parse *p, struct err *err)
{
	struct config *c = p->c;

	if (check_listeners(p, err) < 0 || check_errors(p, err) < 0 ||
	    check_takeover(p, err) < 0 || check_redirect(p, err) < 0 ||
	    check_access_log(c, err) < 0 || check_client_dir(c, err) < 0)
		return -1;
	if (c->trusted.n == 0 && (add_cidr(c, "127.0.0.0/8", err) < 0 ||
				     add_cidr(c, "::1", err) < 0))
		return -1;
	return 0;
}

int config_parse(struct config *c, int argc, char *const *argv,
    enum config_outcome *outcome, struct buf *notes, struct err *err)
{
	struct parse p = { .c = c, .notes = notes };
	int at = 1;

	*c = (struct config){ .token = "" };
	arena_init(&c->arena);
	*outcome = CONFIG_RUN;
	if (set_defaults(&p, err) < 0)
		return -1;
	while (at < argc) {
		if (str_eq(argv[at], "-h") || str_eq(argv[at], "--help")) {
			*outcome = CONFIG_HELP;
			return 0;
		}
		if (str_eq(argv[at], "-V") || str_eq(argv[at], "--version")) {
			*outcome = CONFIG_VERSION;
			return 0;
		}
		if (str_eq(argv[at], "--print-config-manual")) {
			*outcome = CONFIG_MANUAL;
			return 0;
		}
		if (parse_one(&p, argc, argv, &at, err) < 0)
			return -1;
	}
	return check_together(&p, err);
}

/* ---- the token ----------------------------------------------------------- */

static int check_token(const char *token, const char *from, struct err *err)
{
	size_t n = strlen(token);

	for (size_t i = 0; i < n; i++)
		if (token[i] <= ' ' || token[i] == 0x7f)
			return err_set(err, ERR_INVALID,
			    "%s: the token has a blank or a control byte",
			    from);
	if (n > TOKEN_MAX)
		return err_set(err, ERR_INVALID,
		    "%s: the token is longer than %d bytes", from, TOKEN_MAX);
	return 0;
}

/* `from` is who named the file: a flag or a variable. */
static int read_token_file(struct config *c, const char *path, const char *from,
    const char **out, struct err *err)
{
	struct slice s;
	char *text;
	size_t len;

	if (file_read_all(path, TOKEN_MAX + 2, &text, &len, err) < 0)
		return err_wrap(err, "%s", from);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	s = slice_trim(slice_make(text, len));
	*out = arena_strndup(&c->arena, s.p, s.len);
	mem_wipe(text, len);
	free(text);
	if ((*out)[0] == '\0')
		return err_set(err, ERR_INVALID, "%s: %s is empty", from, path);
	return check_token(*out, path, err);
}

bool config_has_tls(const struct config *c)
{
	return c->ssl_keys.n + c->ssl_certs.n > 0;
}

bool config_has_api_tls(const struct config *c)
{
	return c->api_ssl_key != NULL || c->api_ssl_cert != NULL;
}

int config_read_token(struct config *c, struct err *err)
{
	const char *token = getenv("CONFIGPROXY_AUTH_TOKEN");
	const char *path = getenv("CONFIGPROXY_AUTH_TOKEN_FILE");
	const char *log = getenv("CONFIGPROXY_ACCESS_LOG");

	c->ssl_passphrase = getenv("CONFIGPROXY_SSL_KEY_PASSPHRASE");
	c->api_ssl_passphrase = getenv("CONFIGPROXY_API_SSL_KEY_PASSPHRASE");
	if (c->access_log == NULL && log != NULL && log[0] != '\0')
		c->access_log = log;
	c->metrics_token = "";
	if (c->metrics_token_file != NULL &&
	    read_token_file(c, c->metrics_token_file, "--metrics-token-file",
		&c->metrics_token, err) < 0)
		return -1;
	if (token != NULL && token[0] != '\0') {
		c->token = arena_strdup(&c->arena, token);
		return check_token(token, "CONFIGPROXY_AUTH_TOKEN", err);
	}
	if (path != NULL && path[0] != '\0')
		return read_token_file(
		    c, path, "CONFIGPROXY_AUTH_TOKEN_FILE", &c->token, err);
	return 0;
}

void config_fini(struct config *c)
{
	arena_fini(&c->arena);
}
