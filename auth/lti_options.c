/*
 * See lti_options.h.
 */
#include "auth/lti_options.h"

#include <stddef.h>
#include <string.h>

#include "auth/idtoken.h"
#include "auth/oidc.h"
#include "auth/trip.h"
#include "base/buf.h"
#include "base/str.h"

#define PROBLEMS_MAX 4096
#define SECRET_MIN   16
#define WORD_CHARS   "abcdefghijklmnopqrstuvwxyz0123456789-_"

/* ---- the tables ---------------------------------------------------------- */

#define ROW(member_, type_, fallback_, lo_, hi_)                               \
	{                                                                      \
		.path = #member_, .type = CONF_##type_,                        \
		.offset = offsetof(struct lti_options, member_),               \
		.fallback = fallback_, .lo = lo_, .hi = hi_, .restart = true,  \
	}
#define TEXT(member) ROW(member, STRING, NULL, 1, 2048)
#define LEEWAY                                                                 \
	{                                                                      \
		.path = "leeway", .type = CONF_SECONDS,                        \
		.offset = offsetof(struct lti_options, leeway_s),              \
		.fallback = "60s", .lo = 0, .hi = IDTOKEN_LEEWAY_MAX,          \
		.restart = true,                                               \
	}
#define COMMON                                                                 \
	ROW(name, STRING, NULL, 1, TRIP_PROVIDER_MAX), TEXT(kind),             \
	    ROW(label, STRING, "The learning platform", 1, 200),               \
	    ROW(username_prefix, STRING, NULL, 0, 64), TEXT(strip_domain),     \
	    ROW(group_prefix, STRING, NULL, 0, 64),                            \
	    ROW(allow_unverified_email, BOOL, "false", 0, 0),                  \
	    ROW(tool_name, STRING, "Notebooks", 1, 200),                       \
	    ROW(tool_description, STRING, "Notebooks in the browser", 1, 500), \
	    LEEWAY

static const struct conf_option table_13[] = {
	COMMON,
	ROW(username_key, STRING, "sub", 1, 255),
	TEXT(issuer),
	TEXT(client_id),
	TEXT(authorize_url),
	TEXT(jwks_endpoint),
	TEXT(ca_file),
	ROW(deployment_ids, STRINGS, NULL, 0, 1024),
};

static const struct conf_option table_11[] = {
	COMMON,
	ROW(username_key, STRING, "user_id", 1, 255),
	ROW(consumers, MAP_STR, NULL, 0, 100),
};

/* ---- binding ------------------------------------------------------------- */

static int bind_rows(struct arena *a, const struct conf_node *tree,
    const char *file, const struct conf_option *table, size_t n,
    struct lti_options *out, struct err *err)
{
	struct buf problems;
	int rc;

	buf_init(&problems, PROBLEMS_MAX);
	rc = conf_bind(a, tree, file, table, n, out, &problems, err);
	if (rc < 0 && problems.len > 0)
		(void)err_set(err, ERR_INVALID, "%.*s",
		    (int)strcspn(buf_view(&problems), "\n"),
		    buf_view(&problems));
	buf_fini(&problems);
	return rc;
}

static int read_common(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *o, struct err *err)
{
	if (!o->name || strspn(o->name, WORD_CHARS) != strlen(o->name))
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: a provider needs a \"name\" of small letters, "
		    "digits, - and _",
		    file, tree->line, tree->column);
	if (!o->group_prefix)
		o->group_prefix = arena_printf(a, "%s:", o->name);
	return 0;
}

/* ---- relations ----------------------------------------------------------- */

static int check_platform(const struct lti_options *o, struct err *err)
{
	const struct {
		const char *what, *value;
		bool is_url;
	} wanted[] = {
		{ "issuer", o->issuer, true },
		{ "client_id", o->client_id, false },
		{ "authorize_url", o->authorize_url, true },
		{ "jwks_endpoint", o->jwks_endpoint, true },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		if (!wanted[i].value)
			return err_set(err, ERR_INVALID,
			    "\"%s\" is missing: the learning platform shows it "
			    "when the tool is registered there",
			    wanted[i].what);
		if (wanted[i].is_url &&
		    oidc_check_url(wanted[i].what, wanted[i].value, err) != 0)
			return -1;
	}
	if (strchr(o->authorize_url, '#'))
		return err_set(
		    err, ERR_INVALID, "\"authorize_url\" may have no #");
	if (o->deployment_ids.n == 0)
		return err_set(err, ERR_INVALID,
		    "\"deployment_ids\" is missing: a list of the deployments "
		    "whose launches are taken; the platform shows them, and a "
		    "refused launch's stands in the log");
	return 0;
}

static int check_consumers(const struct lti_options *o, struct err *err)
{
	if (o->consumers.n == 0)
		return err_set(err, ERR_INVALID,
		    "\"consumers\" is missing: a map of consumer keys to "
		    "their shared secrets");
	for (size_t i = 0; i < o->consumers.n; i++) {
		const struct conf_pair *c = &o->consumers.items[i];

		if (!*c->name || strlen(c->value) < SECRET_MIN)
			return err_set(err, ERR_INVALID,
			    "consumers: the secret of \"%.64s\" has fewer than "
			    "%d characters; whoever guesses it can be anybody: "
			    "take one of \"openssl rand -hex 32\"",
			    c->name, SECRET_MIN);
	}
	return 0;
}

int lti13_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (bind_rows(a, tree, file, table_13,
		sizeof table_13 / sizeof *table_13, out, err) != 0 ||
	    read_common(a, tree, file, out, err) != 0)
		return -1;
	if (check_platform(out, err) != 0)
		return err_wrap(
		    err, "%s:%d: provider \"%s\"", file, tree->line, out->name);
	return 0;
}

int lti11_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct lti_options *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (bind_rows(a, tree, file, table_11,
		sizeof table_11 / sizeof *table_11, out, err) != 0 ||
	    read_common(a, tree, file, out, err) != 0)
		return -1;
	if (check_consumers(out, err) != 0)
		return err_wrap(
		    err, "%s:%d: provider \"%s\"", file, tree->line, out->name);
	return 0;
}
