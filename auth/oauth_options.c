/*
 * See oauth_options.h and presets.def.
 */
#include "auth/oauth_options.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/idtoken.h"
#include "auth/oidc.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define PROBLEMS_MAX 4096
#define SECRET_MAX   4096
#define IDPS_MAX     200
#define GUID_LEN     36

/* ---- the rows ------------------------------------------------------------ */

#define PRESET(...)
#define CLAIM(...)
#define LIST(...)
#define PAGES(...)
#define DIRECTORY(...)
#define PROBE(...)
#define MEMBER(...)
#define GONE(...)

static const struct preset presets[] = {
#undef PRESET
#define PRESET(...) { __VA_ARGS__ },
#include "auth/presets.def"
};
#define N_PRESETS (sizeof presets / sizeof *presets)

#define PRESET(...)
#define LIST(...)
#define PAGES(...)
#define DIRECTORY(...)
#define PROBE(...)
#define MEMBER(...)
#define GONE(...)
#define CLAIM(kind, option, claim)                                             \
	{ kind, #option, claim, offsetof(struct oauth_options, option) },
const struct oauth_claim_rule oauth_claim_rules[] = {
#include "auth/presets.def"
	{ NULL, NULL, NULL, 0 },
};

#define PRESET(...)
#define LIST(...)
#define PAGES(...)
#define DIRECTORY(...)
#define PROBE(...)
#define CLAIM(...)
#define GONE(...)
#define MEMBER(kind, option, prefix)                                           \
	{ kind, #option, prefix, offsetof(struct oauth_options, option) },
const struct oauth_member_rule oauth_member_rules[] = {
#include "auth/presets.def"
	{ NULL, NULL, NULL, 0 },
};

#define PRESET(...)
#define MEMBER(...)
#define CLAIM(...)
#define GONE(...)
#define LIST(kind_, path_, first_, second_)                                    \
	{                                                                      \
		.kind = kind_,                                                 \
		.path = path_,                                                 \
		.when = CALL_LIST,                                             \
		.first = first_,                                               \
		.second = second_,                                             \
	},
#define PAGES(kind_, option_, scope_, when_, path_, items_, next_, first_,     \
    where_, value_, resource_)                                                 \
	{                                                                      \
		.kind = kind_,                                                 \
		.path = path_,                                                 \
		.when = when_,                                                 \
		.option = #option_,                                            \
		.scope = scope_,                                               \
		.items = items_,                                               \
		.next = next_,                                                 \
		.first = first_,                                               \
		.where = where_,                                               \
		.value = value_,                                               \
		.resource = resource_,                                         \
		.offset = offsetof(struct oauth_options, option_),             \
	},
#define DIRECTORY(kind_, option_, path_)                                       \
	{                                                                      \
		.kind = kind_,                                                 \
		.path = path_,                                                 \
		.when = CALL_DIRECTORY,                                        \
		.option = #option_,                                            \
		.offset = offsetof(struct oauth_options, option_),             \
	},
#define PROBE(kind_, option_, path_, scope_, prefix_, id_, level_)             \
	{                                                                      \
		.kind = kind_,                                                 \
		.path = path_,                                                 \
		.when = CALL_PROBE,                                            \
		.option = #option_,                                            \
		.scope = scope_,                                               \
		.prefix = prefix_,                                             \
		.first = id_,                                                  \
		.level = level_,                                               \
		.offset = offsetof(struct oauth_options, option_),             \
	},
const struct oauth_call oauth_calls[] = {
#include "auth/presets.def"
	{ .kind = NULL },
};

#define PRESET(...)
#define MEMBER(...)
#define CLAIM(...)
#define LIST(...)
#define PAGES(...)
#define DIRECTORY(...)
#define PROBE(...)
#define GONE(option, hint) { (char *)option, (char *)hint },
static const struct conf_pair gone[] = {
#include "auth/presets.def"
};

const struct conf_strings *oauth_values(
    const struct oauth_options *opt, size_t offset)
{
	return (const struct conf_strings *)(const void *)((const char *)opt +
							   offset);
}

const char *preset_kinds(void)
{
	static char names[256];
	size_t len = 0;

	for (size_t i = 0; i < N_PRESETS; i++) {
		int rc = str_format(names + len, sizeof names - len, "%s%s",
		    i > 0 ? ", " : "", presets[i].kind);

		assert(rc == 0);
		len = strlen(names);
	}
	return names;
}

/* ---- the table ----------------------------------------------------------- */

#define ROW(member_, type_, fallback_, lo_, hi_, words_)                       \
	{                                                                      \
		.path = #member_, .type = CONF_##type_,                        \
		.offset = offsetof(struct oauth_options, member_),             \
		.fallback = fallback_, .lo = lo_, .hi = hi_, .words = words_,  \
		.restart = true,                                               \
	}
#define TEXT(member)   ROW(member, STRING, NULL, 1, 2048, NULL)
#define LISTED(member) ROW(member, STRINGS, NULL, 0, 1024, NULL)

/* docs/login.md says what each means. */
static const struct conf_option table[] = {
	ROW(name, STRING, NULL, 1, TRIP_PROVIDER_MAX, NULL),
	TEXT(kind),
	TEXT(label),
	TEXT(client_id),
	TEXT(client_secret),
	TEXT(client_secret_file),
	TEXT(issuer),
	TEXT(authorize_url),
	TEXT(token_url),
	TEXT(userdata_url),
	TEXT(api_url),
	TEXT(oauth_callback_url),
	TEXT(ca_file),
	ROW(token_auth, WORD, "auto", 0, 0, "auto|basic|post"),
	TEXT(username_claim),
	ROW(username_prefix, STRING, NULL, 0, 64, NULL),
	TEXT(strip_domain),
	ROW(groups_claim, STRING, NULL, 0, 255, NULL),
	ROW(group_prefix, STRING, NULL, 0, 64, NULL),
	TEXT(custom_403_message),
	TEXT(tenant_id),
	LISTED(scope),
	LISTED(allowed_scopes),
	LISTED(id_token_algs),
	ROW(extra_authorize_params, MAP_STR, NULL, 0, 64, NULL),
	ROW(enable_pkce, BOOL, "true", 0, 0, NULL),
	ROW(allow_unverified_email, BOOL, "false", 0, 0, NULL),
	ROW(userdata_from_id_token, BOOL, "false", 0, 0, NULL),
	ROW(logout, BOOL, "false", 0, 0, NULL),
	ROW(fetch_groups, BOOL, "true", 0, 0, NULL),
	{
	    .path = "leeway",
	    .type = CONF_SECONDS,
	    .offset = offsetof(struct oauth_options, leeway_s),
	    .fallback = "60s",
	    .lo = 0,
	    .hi = IDTOKEN_LEEWAY_MAX,
	    .restart = true,
	},
	LISTED(required_groups),
	LISTED(allowed_organizations),
	LISTED(allowed_gitlab_groups),
	LISTED(allowed_project_ids),
	LISTED(allowed_teams),
	LISTED(allowed_globus_groups),
	LISTED(allowed_google_groups),
	ROW(google_service_account_keys, MAP_STR, NULL, 0, 64, NULL),
	ROW(gsuite_administrator, MAP_STR, NULL, 0, 64, NULL),
	LISTED(hosted_domain),
	LISTED(identity_provider),
	{
	    .path = "allowed_idps",
	    .type = CONF_TREE,
	    .offset = offsetof(struct oauth_options, allowed_idps_tree),
	    .restart = true,
	},
};

/* Options that one kind has alone. */
static const struct {
	const char *option, *kind;
} own[] = {
	{ "tenant_id", "entra" },
	{ "allowed_idps", "cilogon" },
	{ "allowed_organizations", "github" },
	{ "allowed_gitlab_groups", "gitlab" },
	{ "allowed_project_ids", "gitlab" },
	{ "allowed_teams", "bitbucket" },
	{ "allowed_globus_groups", "globus" },
	{ "allowed_google_groups", "google" },
	{ "google_service_account_keys", "google" },
	{ "gsuite_administrator", "google" },
	{ "hosted_domain", "google" },
	{ "identity_provider", "globus" },
};

/* ---- checks -------------------------------------------------------------- */

static int refuse(const struct conf_node *at, const char *file, struct err *err,
    const char *why)
{
	return err_set(err, ERR_INVALID, "%s:%d:%d: %s", file,
	    at->key ? at->key_line : at->line,
	    at->key ? at->key_column : at->column, why);
}

static int check_gone(
    const struct conf_node *tree, const char *file, struct err *err)
{
	char why[256];

	for (const struct conf_node *n = tree->child; n; n = n->next) {
		for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
			if (!str_eq(n->key, gone[i].name))
				continue;
			if (str_format(why, sizeof why,
				"\"%s\" is not an option here, and what it "
				"restricted would be open: write %s",
				gone[i].name, gone[i].value) != 0)
				why[0] = '\0';
			return refuse(n, file, err, why);
		}
	}
	return 0;
}

static int check_own(const struct conf_node *tree, const char *file,
    const char *kind, struct err *err)
{
	char why[160];

	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		const struct conf_node *n = conf_child(tree, own[i].option);

		if (!n || str_eq(own[i].kind, kind))
			continue;
		if (str_format(why, sizeof why,
			"\"%s\" is an option of the kind \"%s\" and would "
			"restrict nothing here",
			own[i].option, own[i].kind) != 0)
			why[0] = '\0';
		return refuse(n, file, err, why);
	}
	return 0;
}

static int bind_rows(struct arena *a, const struct conf_node *tree,
    const char *file, struct oauth_options *out, struct err *err)
{
	struct buf problems;
	int rc;

	buf_init(&problems, PROBLEMS_MAX);
	rc = conf_bind(a, tree, file, table, sizeof table / sizeof *table, out,
	    &problems, err);
	if (rc < 0 && problems.len > 0)
		(void)err_set(err, ERR_INVALID, "%.*s",
		    (int)strcspn(buf_view(&problems), "\n"),
		    buf_view(&problems));
	buf_fini(&problems);
	return rc;
}

static bool is_word(const char *s)
{
	for (; *s; s++) {
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
		    *s != '-' && *s != '_')
			return false;
	}
	return true;
}

static int find_preset(const struct conf_node *tree, const char *file,
    struct oauth_options *o, struct err *err)
{
	char why[400];

	if (!o->name || !is_word(o->name))
		return refuse(tree, file, err,
		    "a provider needs a \"name\" of small letters, digits, - "
		    "and _: it stands in the address of its login");
	for (size_t i = 0; o->kind && i < N_PRESETS; i++) {
		if (str_eq(presets[i].kind, o->kind))
			o->preset = &presets[i];
	}
	if (o->preset)
		return 0;
	if (str_format(why, sizeof why,
		"the provider \"%s\" needs a \"kind\": one of %s, lti13, lti11",
		o->name, preset_kinds()) != 0)
		why[0] = '\0';
	return refuse(tree, file, err, why);
}

/* ---- filling in ---------------------------------------------------------- */

/* "https://x/{word}/y" with the word replaced. */
static const char *fill(
    struct arena *a, const char *text, const char *word, const char *value)
{
	const char *at = text ? strstr(text, word) : NULL;

	if (!at)
		return text;
	return arena_printf(
	    a, "%.*s%s%s", (int)(at - text), text, value, at + strlen(word));
}

static struct conf_strings one_string(struct arena *a, const char *s)
{
	struct conf_strings list = { .n = 1 };

	list.items = arena_array(a, 1, sizeof *list.items);
	list.items[0] = s;
	return list;
}

static bool is_guid(const char *s)
{
	if (strlen(s) != GUID_LEN)
		return false;
	for (size_t i = 0; i < GUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return true;
}

static int fill_tenant(
    struct arena *a, struct oauth_options *o, struct err *err)
{
	if (!str_eq(o->kind, "entra"))
		return 0;
	if (!o->tenant_id || !is_guid(o->tenant_id))
		return err_set(err, ERR_INVALID,
		    "entra needs \"tenant_id\", the directory's id of 36 "
		    "characters: \"common\" would let in accounts of every "
		    "organisation");
	o->issuer = fill(a, o->issuer, "{tenant_id}", o->tenant_id);
	o->tenant_ids = one_string(a, o->tenant_id);
	return 0;
}

static void fill_scope(struct arena *a, struct oauth_options *o)
{
	struct slice rest = slice_of(o->preset->scope), word;
	size_t n = 0;

	if (o->scope.n > 0)
		return;
	o->scope.items = arena_array(a, 32, sizeof *o->scope.items);
	while (slice_split(&rest, ' ', &word))
		o->scope.items[n++] = arena_strndup(a, word.p, word.len);
	for (const struct oauth_call *c = oauth_calls; c->kind; c++) {
		if (c->scope && str_eq(c->kind, o->kind) &&
		    oauth_values(o, c->offset)->n > 0)
			o->scope.items[n++] = c->scope;
	}
	o->scope.n = n;
}

#define DEFAULT(member, value)                                                 \
	do {                                                                   \
		if (!(member))                                                 \
			(member) = (value);                                    \
	} while (0)

static int fill_in(struct arena *a, struct oauth_options *o, struct err *err)
{
	const struct preset *p = o->preset;

	DEFAULT(o->label, p->label);
	DEFAULT(o->issuer, p->issuer);
	DEFAULT(o->authorize_url, p->authorize);
	DEFAULT(o->token_url, p->token);
	DEFAULT(o->userdata_url, p->userdata);
	DEFAULT(o->username_claim, p->username_claim);
	DEFAULT(o->groups_claim, p->groups_claim);
	if (fill_tenant(a, o, err) != 0)
		return -1;
	if (o->issuer) {
		struct slice base = slice_of(o->issuer);

		while (base.len > 0 && base.p[base.len - 1] == '/')
			base.len--;
		DEFAULT(o->api_url, fill(a, p->api, "{issuer}",
					arena_strndup(a, base.p, base.len)));
	}
	DEFAULT(o->api_url, p->api);
	DEFAULT(o->group_prefix, arena_printf(a, "%s:", o->name));
	fill_scope(a, o);
	return 0;
}

/* ---- identity providers behind CILogon ----------------------------------- */

static int same_names(const struct oauth_options *o, struct err *err)
{
	for (size_t i = 0; i < o->n_idps; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct oauth_idp *x = &o->idps[i];
			const struct oauth_idp *y = &o->idps[j];

			if ((x->strip_domain || y->strip_domain) &&
			    str_eq(x->username_prefix, y->username_prefix))
				return err_set(err, ERR_INVALID,
				    "allowed_idps: with \"strip_domain\" "
				    "people of %.80s and %.80s could have one "
				    "name; give them different "
				    "\"username_prefix\"",
				    y->entity_id, x->entity_id);
		}
	}
	return 0;
}

static int read_idp(struct arena *a, const struct conf_node *n,
    const char *file, struct oauth_options *o, struct err *err)
{
	static const struct conf_option rows[] = {
		{ .path = "username_claim",
		    .type = CONF_STRING,
		    .offset = offsetof(struct oauth_idp, username_claim),
		    .lo = 1 },
		{ .path = "strip_domain",
		    .type = CONF_STRING,
		    .offset = offsetof(struct oauth_idp, strip_domain),
		    .lo = 1 },
		{ .path = "username_prefix",
		    .type = CONF_STRING,
		    .offset = offsetof(struct oauth_idp, username_prefix),
		    .lo = 1,
		    .hi = 64 },
	};
	struct oauth_idp *idp = &o->idps[o->n_idps];

	if (conf_bind(a, n, file, rows, sizeof rows / sizeof *rows, idp, NULL,
		err) != 0)
		return err_wrap(err, "allowed_idps");
	idp->entity_id = n->key;
	DEFAULT(idp->username_claim, o->username_claim);
	o->idp_names.items[o->n_idps++] = n->key;
	o->idp_names.n = o->n_idps;
	return 0;
}

static int read_idps(
    struct arena *a, const char *file, struct oauth_options *o, struct err *err)
{
	const struct conf_node *tree = o->allowed_idps_tree;

	if (!str_eq(o->kind, "cilogon"))
		return 0;
	if (!tree || tree->kind != CONF_MAP || tree->n_children > IDPS_MAX)
		return err_set(err, ERR_INVALID,
		    "cilogon needs \"allowed_idps\": a map of at most %d "
		    "entity ids, such as "
		    "https://idp.example.edu/shibboleth, to username_claim, "
		    "strip_domain and username_prefix of each; without it "
		    "everybody with an account anywhere could be anybody",
		    IDPS_MAX);
	o->idps = arena_array(a, tree->n_children, sizeof *o->idps);
	o->idp_names.items =
	    arena_array(a, tree->n_children, sizeof *o->idp_names.items);
	for (const struct conf_node *n = tree->child; n; n = n->next) {
		if (read_idp(a, n, file, o, err) != 0)
			return -1;
	}
	return same_names(o, err);
}

/* ---- relations ----------------------------------------------------------- */

static int read_secret(
    struct arena *a, struct oauth_options *o, struct err *err)
{
	char *text = NULL;
	size_t len = 0;

	if (!o->client_id)
		return err_set(err, ERR_INVALID,
		    "\"client_id\" is missing: the provider gives it when the "
		    "hub is registered there");
	if (o->client_secret_file) {
		if (o->client_secret)
			return err_set(err, ERR_INVALID,
			    "\"client_secret\" and \"client_secret_file\" "
			    "exclude each other");
		if (file_read_all(o->client_secret_file, SECRET_MAX, &text,
			&len, err) != 0)
			return err_wrap(err, "client_secret_file");
		while (len > 0 && isspace((unsigned char)text[len - 1]))
			len--;
		o->client_secret = arena_strndup(a, text, len);
		mem_wipe(text, len);
		free(text);
	}
	if (!o->client_secret || !*o->client_secret)
		return err_set(err, ERR_INVALID,
		    "\"client_secret\" (or \"client_secret_file\") is missing");
	/* Ours to wipe; the configuration keeps its own. */
	if (!o->client_secret_file)
		o->client_secret = arena_strdup(a, o->client_secret);
	return 0;
}

/* A provider of one's own (GitHub Enterprise) is elsewhere with all of it. */
static int check_moved(const struct oauth_options *o, struct err *err)
{
	const struct preset *p = o->preset;
	int n = !str_eq(o->authorize_url, p->authorize) +
		!str_eq(o->token_url, p->token) +
		!str_eq(o->userdata_url, p->userdata) +
		!str_eq(o->api_url, p->api);

	if (!p->authorize || n == 0 || n == 4)
		return 0;
	return err_set(err, ERR_INVALID,
	    "\"authorize_url\", \"token_url\", \"userdata_url\" and "
	    "\"api_url\" go together: give all four or none");
}

static int check_urls(const struct oauth_options *o, struct err *err)
{
	const struct {
		const char *what, *url;
	} urls[] = {
		{ "issuer", o->issuer },
		{ "authorize_url", o->authorize_url },
		{ "token_url", o->token_url },
		{ "userdata_url", o->userdata_url },
		{ "api_url", o->api_url },
		{ "oauth_callback_url", o->oauth_callback_url },
	};
	bool is_oidc = o->preset->flags & PRESET_OIDC;

	if (check_moved(o, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		if (urls[i].url &&
		    oidc_check_url(urls[i].what, urls[i].url, err) != 0)
			return -1;
	}
	if (is_oidc && !o->issuer)
		return err_set(err, ERR_INVALID,
		    "\"issuer\" is missing: the address whose "
		    "/.well-known/openid-configuration names the rest");
	if (is_oidc && (o->authorize_url || o->token_url || o->userdata_url))
		return err_set(err, ERR_INVALID,
		    "\"authorize_url\", \"token_url\" and \"userdata_url\" "
		    "are the issuer's to say; leave them out");
	if (!is_oidc && (o->issuer || !o->authorize_url || !o->token_url ||
			    !o->userdata_url))
		return err_set(err, ERR_INVALID,
		    "this kind needs \"authorize_url\", \"token_url\" and "
		    "\"userdata_url\", and has no \"issuer\"");
	return 0;
}

static int check_params(const struct oauth_options *o, struct err *err)
{
	static const char *const ours[] = { "response_type", "client_id",
		"redirect_uri", "scope", "state", "nonce", "code_challenge",
		"code_challenge_method", "response_mode" };
	bool has_openid = false;

	for (size_t i = 0; i < o->extra_authorize_params.n; i++) {
		for (size_t j = 0; j < sizeof ours / sizeof *ours; j++) {
			if (str_eq(o->extra_authorize_params.items[i].name,
				ours[j]))
				return err_set(err, ERR_INVALID,
				    "extra_authorize_params: \"%s\" is set by "
				    "the login itself",
				    ours[j]);
		}
	}
	for (size_t i = 0; i < o->scope.n; i++)
		has_openid |= str_eq(o->scope.items[i], "openid");
	if ((o->preset->flags & PRESET_OIDC) && !has_openid)
		return err_set(err, ERR_INVALID,
		    "\"scope\" must have \"openid\": without it there is no "
		    "ID token");
	for (size_t i = 0; i < o->id_token_algs.n; i++) {
		if (!idtoken_alg_known(o->id_token_algs.items[i]))
			return err_set(err, ERR_INVALID,
			    "id_token_algs: \"%.20s\" is not one of RS256, "
			    "RS384, RS512, PS256, PS384, PS512, ES256, ES384, "
			    "ES512; unsigned tokens and those with a shared "
			    "key are never taken",
			    o->id_token_algs.items[i]);
	}
	return 0;
}

bool oauth_asks_scope(const struct oauth_options *o, const char *scope)
{
	for (size_t i = 0; i < o->scope.n; i++) {
		if (str_eq(o->scope.items[i], scope))
			return true;
	}
	return false;
}

/* Who writes `scope` writes all of it. */
static int check_calls(const struct oauth_options *o, struct err *err)
{
	for (const struct oauth_call *c = oauth_calls; c->kind; c++) {
		if (c->when == CALL_SCOPED && str_eq(c->kind, o->kind) &&
		    oauth_values(o, c->offset)->n > 0 &&
		    !oauth_asks_scope(o, c->scope))
			return err_set(err, ERR_INVALID,
			    "\"%s\" needs \"%s\" in \"scope\"", c->option,
			    c->scope);
	}
	return 0;
}

/* JupyterHub's is a domain, which would let nobody in here. */
static int check_globus(const struct oauth_options *o, struct err *err)
{
	for (size_t i = 0; i < o->identity_provider.n; i++) {
		if (!is_guid(o->identity_provider.items[i]))
			return err_set(err, ERR_INVALID,
			    "identity_provider: \"%.80s\" is no id of 36 "
			    "characters: the claim identity_provider has one, "
			    "not a domain",
			    o->identity_provider.items[i]);
	}
	return 0;
}

static bool has_name(const struct conf_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++) {
		if (!strcasecmp(pairs->items[i].name, name))
			return true;
	}
	return false;
}

/* Groups by their whole address, and of each domain a key and whom it acts
 * for. */
static int check_google(const struct oauth_options *o, struct err *err)
{
	const struct conf_pairs *keys = &o->google_service_account_keys;
	const struct conf_pairs *admins = &o->gsuite_administrator;

	for (size_t i = 0; i < keys->n; i++) {
		if (!has_name(admins, keys->items[i].name))
			return err_set(err, ERR_INVALID,
			    "\"gsuite_administrator\" names nobody of %.80s "
			    "for whom the service account could ask",
			    keys->items[i].name);
	}
	if (admins->n != keys->n ||
	    (o->allowed_google_groups.n > 0 && keys->n == 0))
		return err_set(err, ERR_INVALID,
		    "\"allowed_google_groups\" and \"gsuite_administrator\" "
		    "need \"google_service_account_keys\": a map of each "
		    "domain to a key file");
	for (size_t i = 0; i < o->allowed_google_groups.n; i++) {
		const char *group = o->allowed_google_groups.items[i];

		if (!strchr(group, '@'))
			return err_set(err, ERR_INVALID,
			    "allowed_google_groups: \"%.80s\" is no address: "
			    "write group@domain",
			    group);
	}
	return 0;
}

/* A list that stands there and is empty was meant to restrict. */
static int check_lists(const struct conf_node *tree, const char *file,
    const struct oauth_options *o, struct err *err)
{
	for (const struct oauth_member_rule *m = oauth_member_rules; m->option;
	     m++) {
		if (conf_child(tree, m->option) &&
		    oauth_values(o, m->offset)->n == 0)
			return refuse(conf_child(tree, m->option), file, err,
			    "an empty list would restrict nothing; leave it "
			    "out, or name somebody");
	}
	for (const struct oauth_claim_rule *c = oauth_claim_rules; c->kind;
	     c++) {
		if (conf_child(tree, c->option) &&
		    oauth_values(o, c->offset)->n == 0)
			return refuse(conf_child(tree, c->option), file, err,
			    "an empty list would restrict nothing; leave it "
			    "out, or name somebody");
	}
	if (check_calls(o, err) != 0 || check_google(o, err) != 0 ||
	    check_globus(o, err) != 0)
		return -1;
	if (!o->fetch_groups && o->allowed_organizations.n > 0)
		return err_set(err, ERR_INVALID,
		    "\"allowed_organizations\" needs \"fetch_groups\"");
	for (size_t i = 0; i < o->allowed_project_ids.n; i++) {
		const char *id = o->allowed_project_ids.items[i];

		if (strspn(id, "0123456789") != strlen(id))
			return err_set(err, ERR_INVALID,
			    "allowed_project_ids: \"%.40s\" is no number", id);
	}
	return 0;
}

int oauth_options_read(struct arena *a, const struct conf_node *tree,
    const char *file, struct oauth_options *out, struct err *err)
{
	memset(out, 0, sizeof *out);
	if (!tree || tree->kind != CONF_MAP)
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: each provider is a map of its options", file,
		    tree ? tree->line : 1, tree ? tree->column : 1);
	if (check_gone(tree, file, err) != 0 ||
	    bind_rows(a, tree, file, out, err) != 0 ||
	    find_preset(tree, file, out, err) != 0 ||
	    check_own(tree, file, out->kind, err) != 0)
		return -1;
	if (fill_in(a, out, err) != 0 || read_secret(a, out, err) != 0 ||
	    check_urls(out, err) != 0 || check_params(out, err) != 0 ||
	    check_lists(tree, file, out, err) != 0 ||
	    read_idps(a, file, out, err) != 0)
		return err_wrap(
		    err, "%s:%d: provider \"%s\"", file, tree->line, out->name);
	return 0;
}
