/*
 * See header.h. What our proxy appended to X-Forwarded-For last is the address
 * that it had the request from; all before it is somebody's word.
 */
#include "auth/header.h"

#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "base/cidr.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/str.h"

#define FROM_MAX       64
#define GROUPS_MAX     256
#define SECRET_MIN     16
#define SECRET_MAX     1024
#define DEFAULT_HEADER "X-Remote-User"

struct header_options {
	const char *username_header, *groups_header, *groups_separator;
	const char *secret_header, *secret_file;
	struct conf_strings from;
};

struct header {
	struct authenticator base;
	struct answers answers;
	struct arena arena;
	struct header_options opt;
	struct cidr from[FROM_MAX];
	bool has_secret;
	unsigned char secret[MAC_SHA256_LEN];
};

static struct header *header_of(struct authenticator *au)
{
	return (struct header *)(void *)au;
}

/* ---- opening ------------------------------------------------------------- */

#define TEXT_OPTION(name, default_text, most, text)                            \
	{                                                                      \
		.path = #name, .type = CONF_STRING,                            \
		.offset = offsetof(struct header_options, name),               \
		.fallback = (default_text), .lo = 0, .hi = (most),             \
		.doc = (text), .restart = true,                                \
	}

static const struct conf_option table[] = {
	TEXT_OPTION(username_header, DEFAULT_HEADER, 64,
	    "The header that names the person."),
	TEXT_OPTION(groups_header, "", 64,
	    "The header that lists the person's groups. Empty: no groups."),
	TEXT_OPTION(
	    groups_separator, "\",\"", 1, "What stands between two groups."),
	{
	    .path = "from",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct header_options, from),
	    .hi = FROM_MAX,
	    .doc = "Addresses and ranges of the front ends.",
	    .restart = true,
	},
	TEXT_OPTION(secret_header, "X-Carrel-Secret", 64,
	    "The header with the secret of secret_file."),
	TEXT_OPTION(secret_file, "", 4096,
	    "The file whose first line the front end must send in "
	    "secret_header. Empty: none."),
};

static int refuse(struct err *err, const char *option, const char *text)
{
	return err_set(
	    err, ERR_INVALID, "auth.options: \"%s\" %s", option, text);
}

static int check_name(const char *option, const char *name, struct err *err)
{
	size_t len = strspn(name,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	if (*name && name[len] == '\0')
		return 0;
	return refuse(err, option,
	    "must be the name of a header: letters, digits and '-'");
}

static int check_names(const struct header_options *o, struct err *err)
{
	if (check_name("username_header", o->username_header, err) != 0 ||
	    (*o->groups_header &&
		check_name("groups_header", o->groups_header, err) != 0) ||
	    check_name("secret_header", o->secret_header, err) != 0)
		return -1;
	if (!*o->groups_separator)
		return refuse(err, "groups_separator", "must be one character");
	return 0;
}

static int read_secret(struct header *h, struct err *err)
{
	char *text = NULL;
	size_t len = 0;

	if (!*h->opt.secret_file)
		return 0;
	if (file_read_all(h->opt.secret_file, SECRET_MAX, &text, &len, err) < 0)
		return err_wrap(err, "auth.options: secret_file");
	size_t n = strcspn(text, "\r\n");
	if (n >= SECRET_MIN) {
		mac_sha256(text, n, h->secret);
		h->has_secret = true;
	}
	mem_wipe(text, len);
	free(text);
	return h->has_secret
		   ? 0
		   : refuse(err, "secret_file",
			 "has a first line of fewer than 16 bytes: make one "
			 "with \"openssl rand -hex 32\"");
}

static bool has_loopback(const struct cidr *c)
{
	static const char *const loopback[] = { "127.0.0.0/8", "::1" };
	struct cidr own;
	struct err err;

	for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
		if (cidr_parse(loopback[i], &own, &err) != 0 ||
		    cidr_overlap(c, &own))
			return true;
	return false;
}

static int read_from(struct header *h, struct err *err)
{
	const struct conf_strings *from = &h->opt.from;

	if (from->n == 0)
		return refuse(err, "from",
		    "is missing: the addresses of the front ends that may say "
		    "who somebody is, such as [192.0.2.10]");
	for (size_t i = 0; i < from->n; i++) {
		if (cidr_parse(from->items[i], &h->from[i], err) != 0)
			return err_wrap(err, "auth.options: from");
		if (has_loopback(&h->from[i]) && !h->has_secret)
			return refuse(err, "secret_file",
			    "is missing: \"from\" has an address of this "
			    "machine, from where everybody with a notebook "
			    "can reach the proxy too");
	}
	return 0;
}

static int read_options(
    struct header *h, const struct auth_env *env, struct err *err)
{
	if (conf_bind(&h->arena, env->options, env->file, table,
		sizeof table / sizeof table[0], &h->opt, NULL, err) < 0)
		return err_wrap(err, "auth.options");
	if (check_names(&h->opt, err) != 0 || read_secret(h, err) != 0)
		return -1;
	return read_from(h, err);
}

static void header_close(struct authenticator **au)
{
	struct header *h = header_of(*au);

	*au = NULL;
	if (!h)
		return;
	answers_fini(&h->answers);
	arena_fini(&h->arena);
	mem_wipe(h->secret, sizeof h->secret);
	free(h);
}

static struct authenticator *header_open(
    const struct auth_env *env, struct err *err)
{
	struct header *h = xcalloc(1, sizeof *h);
	struct authenticator *au = &h->base;

	h->base.kind = &authenticator_header;
	answers_init(&h->answers, env);
	arena_init(&h->arena);
	if (read_options(h, env, err) != 0)
		header_close(&au);
	return au;
}

/* ---- a request ----------------------------------------------------------- */

/* The address that our proxy had the request from. */
static int proxys_peer(struct http_req *http, struct in6_addr *out)
{
	const char *value = http_header_list(http, "X-Forwarded-For");
	struct slice rest = slice_of(value ? value : ""), item, last = rest;
	char text[INET6_ADDRSTRLEN];

	while (slice_split(&rest, ',', &item))
		last = slice_trim(item);
	if (str_copy_slice(text, sizeof text, last) != 0)
		return -1;
	return cidr_address(text, out);
}

static bool has_secret(const struct header *h, const struct http_req *http)
{
	const char *value = http_header(http, h->opt.secret_header);
	unsigned char digest[MAC_SHA256_LEN];

	if (!h->has_secret)
		return true;
	if (!value)
		return false;
	mac_sha256(value, strlen(value), digest);
	return mac_equal(digest, sizeof digest, h->secret, sizeof h->secret);
}

static const char *why_not(
    const struct header *h, struct http_req *http, bool by_proxy)
{
	struct in6_addr peer;

	if (!by_proxy)
		return "it did not come by the proxy's own listener";
	if (proxys_peer(http, &peer) != 0 ||
	    !cidr_has(h->from, h->opt.from.n, &peer))
		return "the proxy had it from an address that is not listed "
		       "in auth.options.from";
	if (!has_secret(h, http))
		return "the front end's secret is missing or wrong";
	/* Everybody with a notebook here has this machine's address too. */
	if (!h->has_secret && sock_is_own_address(&peer))
		return "it came from this machine itself: with a front end "
		       "here, auth.options.secret_file is needed";
	/* The front end added its header to one that came from outside. */
	if (http_header_count(http, h->opt.username_header) > 1 ||
	    (*h->opt.groups_header &&
		http_header_count(http, h->opt.groups_header) > 1))
		return "the header is there twice: let the front end remove "
		       "what comes from outside";
	return NULL;
}

static void read_groups(const struct header *h, const struct http_req *http,
    struct arena *a, struct auth_identity *out)
{
	const char *value = *h->opt.groups_header
				? http_header(http, h->opt.groups_header)
				: NULL;
	struct slice rest = slice_of(value ? value : ""), item;
	const char **groups = arena_alloc(a, GROUPS_MAX * sizeof *groups);
	size_t n = 0;

	while (n < GROUPS_MAX &&
	       slice_split(&rest, *h->opt.groups_separator, &item)) {
		item = slice_trim(item);
		if (item.len > 0)
			groups[n++] = arena_strndup(a, item.p, item.len);
	}
	out->groups = groups;
	out->n_groups = n;
}

enum header_verdict header_login(const struct authenticator *au,
    struct http_req *http, bool by_proxy, struct arena *a,
    struct auth_identity *out, const char **why)
{
	const struct header *h = (const struct header *)(const void *)au;
	const char *name = http_header(http, h->opt.username_header);

	*why = "the front end names nobody";
	if (!name || !*name)
		return HEADER_NOBODY;
	*why = why_not(h, http, by_proxy);
	if (*why)
		return HEADER_REFUSED;
	*why = "";
	*out = (struct auth_identity){ .name = arena_strdup(a, name) };
	read_groups(h, http, a, out);
	return HEADER_PERSON;
}

/* A form that somebody sends all the same is denied. */
static void header_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)form;
	answers_give(&header_of(au)->answers, attempt, AUTH_RES_DENIED, "");
}

static void header_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&header_of(au)->answers, attempt);
}

const struct authenticator_kind authenticator_header = {
	.name = "header",
	.has_form = false,
	.open = header_open,
	.begin = header_begin,
	.reply = answers_no_reply,
	.cancel = header_cancel,
	.close = header_close,
};
