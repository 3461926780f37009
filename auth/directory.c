/*
 * See directory.h: one question to the directory, by libldap. Each step ends in
 * a verdict; only a server that is away lets the next one be asked, so that a
 * wrong password is tried at one server.
 */
#include "auth/directory.h"

#include <string.h>
#include <sys/time.h>

#include <ldap.h>

#include "auth/directory_bind.h"
#include "auth/directory_line.h"
#include "base/str.h"

#define FILLED_MAX 8192

#define TEXT_PASSWORD                                                          \
	"Your password must be changed before you can log in here. Change it " \
	"where your institution lets you, then log in with the new one."
#define TEXT_ACCOUNT                                                           \
	"Your account has expired. Ask those who gave it to you to prolong "   \
	"it."

enum verdict {
	V_YES,
	V_NO, /* not this person, or not this password */
	V_EXPIRED,
	V_AWAY,   /* this server cannot be asked now */
	V_BROKEN, /* no server will do: the configuration, or the directory */
};

struct talk {
	const struct directory_config *cfg;
	const struct directory_question *q;
	struct arena *arena;
	struct directory_answer *out;
	LDAP *ld;
	const char *uri;
	const char *dn; /* of the person */
	struct timeval step;
	struct directory_line line;
};

/* ---- what went wrong ----------------------------------------------------- */

static enum verdict verdict_of(int rc)
{
	switch (rc) {
	case LDAP_SUCCESS:
		return V_YES;
	case LDAP_BUSY:
	case LDAP_UNAVAILABLE:
		return V_AWAY;
	default:
		/* libldap's own codes, below zero: no connection, no answer in
		 * time, no TLS. */
		return rc < 0 ? V_AWAY : V_BROKEN;
	}
}

static const char *hint(int rc)
{
	switch (rc) {
	case LDAP_STRONG_AUTH_REQUIRED:
	case LDAP_CONFIDENTIALITY_REQUIRED:
		return "; it wants encryption: see auth.options.tls_strategy";
	case LDAP_NO_SUCH_OBJECT:
		return "; the base of this search does not exist, or may not "
		       "be seen";
	case LDAP_CONNECT_ERROR:
		return "; is its certificate for this host name, and from an "
		       "authority in auth.options.tls_ca_file?";
	case LDAP_SIZELIMIT_EXCEEDED:
		return "; the filter finds too much";
	default:
		return "";
	}
}

/* Keeps what libldap and the server say of it for the log. */
static enum verdict problem(struct talk *t, const char *step, int rc)
{
	char *said = NULL;
	char shown[160] = "";

	if (t->ld)
		(void)ldap_get_option(
		    t->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	if (said && *said)
		str_printable(shown, sizeof shown, said, strlen(said));
	(void)err_set(&t->out->why, ERR_UNAVAILABLE, "%s: %s: %s%s%s%s%s",
	    t->uri, step, ldap_err2string(rc), *shown ? " (" : "", shown,
	    *shown ? ")" : "", hint(rc));
	ldap_memfree(said);
	return verdict_of(rc);
}

/* ---- the connection ------------------------------------------------------ */

struct ld_option {
	int name;
	const void *value;
};

/* All that matters is set here, whatever ldap.conf and the environment say. */
static int set_options(struct talk *t)
{
	const int version = LDAP_VERSION3, deref = LDAP_DEREF_NEVER;
	const int demand = LDAP_OPT_X_TLS_DEMAND, is_server = 0;
	const int tls_min = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
	const struct ld_option options[] = {
		{ LDAP_OPT_PROTOCOL_VERSION, &version },
		{ LDAP_OPT_REFERRALS, LDAP_OPT_OFF },
		{ LDAP_OPT_DEREF, &deref },
		{ LDAP_OPT_RESTART, LDAP_OPT_ON },
		{ LDAP_OPT_NETWORK_TIMEOUT, &t->step },
		{ LDAP_OPT_TIMEOUT, &t->step },
		{ LDAP_OPT_CONNECT_CB, &t->line.on_connect },
		{ LDAP_OPT_X_TLS_REQUIRE_CERT, &demand },
		{ LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls_min },
		{ LDAP_OPT_X_TLS_CACERTFILE, t->cfg->tls_ca_file },
		/* The last: makes a context of the above. */
		{ LDAP_OPT_X_TLS_NEWCTX, &is_server },
	};
	size_t n = sizeof options / sizeof options[0];

	if (t->cfg->tls == DIRECTORY_INSECURE)
		n -= 4;
	for (size_t i = 0; i < n; i++) {
		if (ldap_set_option(t->ld, options[i].name, options[i].value) !=
		    LDAP_OPT_SUCCESS)
			return -1;
	}
	return 0;
}

/*
 * ldaps too is a plain connection first: were it left to libldap 2.5, its
 * handshake would begin before our deadlines are in place, and with GnuTLS it
 * would spin for as long as the server says nothing.
 */
static enum verdict connect_to(struct talk *t)
{
	int rc = ldap_initialize(&t->ld, t->uri);

	directory_line_step(&t->line, t->cfg->timeout_s);
	if (rc != LDAP_SUCCESS)
		return problem(t, "prepare the connection", rc);
	if (set_options(t) < 0) {
		(void)problem(t, "set up the connection", LDAP_PARAM_ERROR);
		return V_BROKEN;
	}
	rc = ldap_connect(t->ld);
	if (rc != LDAP_SUCCESS)
		return problem(t, "connect", rc);
	if (t->cfg->tls == DIRECTORY_INSECURE)
		return V_YES;
	rc = t->cfg->tls == DIRECTORY_LDAPS
		 ? ldap_install_tls(t->ld)
		 : ldap_start_tls_s(t->ld, NULL, NULL);
	if (rc == LDAP_SUCCESS && !ldap_tls_inplace(t->ld))
		rc = LDAP_CONNECT_ERROR;
	return rc == LDAP_SUCCESS ? V_YES : problem(t, "TLS", rc);
}

static void disconnect(struct talk *t)
{
	if (t->ld)
		(void)ldap_unbind_ext_s(t->ld, NULL, NULL);
	t->ld = NULL;
}

/* ---- binding ------------------------------------------------------------- */

/* As the one who searches; with nobody named, anonymous. */
static enum verdict bind_as_searcher(struct talk *t)
{
	enum directory_expiry expiry;
	int rc;

	directory_line_step(&t->line, t->cfg->timeout_s);
	rc = directory_bind(t->ld, t->cfg->lookup_user, t->cfg->lookup_password,
	    t->step, &expiry);
	if (rc == LDAP_SUCCESS)
		return V_YES;
	return problem(t, "bind as auth.options.lookup_dn_search_user", rc);
}

static enum verdict expired(struct talk *t, enum directory_expiry expiry)
{
	t->out->text = expiry == EXPIRY_PASSWORD ? TEXT_PASSWORD : TEXT_ACCOUNT;
	(void)err_set(&t->out->why, ERR_DENIED,
	    "%s: the directory says that the person's %s", t->uri,
	    expiry == EXPIRY_PASSWORD ? "password must be changed first"
				      : "account has expired");
	return V_EXPIRED;
}

/* What the directory answered to the person's bind. */
static enum verdict judge_bind(struct talk *t, int rc)
{
	switch (rc) {
	case LDAP_SUCCESS:
		return V_YES;
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_INVALID_DN_SYNTAX:
	case LDAP_INAPPROPRIATE_AUTH:
		return V_NO;
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_UNWILLING_TO_PERFORM:
	case LDAP_INSUFFICIENT_ACCESS:
		/* A locked account: no, and worth a line. */
		(void)problem(t, "bind as the person", rc);
		return V_NO;
	default:
		return problem(t, "bind as the person", rc);
	}
}

/* A DN or a password that is empty would be an anonymous bind, which succeeds
 * without proving anything. */
static enum verdict bind_as_person(struct talk *t, const char *dn)
{
	enum directory_expiry expiry;
	int rc;

	if (!*dn || !*t->q->password)
		return V_NO;
	directory_line_step(&t->line, t->cfg->timeout_s);
	rc = directory_bind(t->ld, dn, t->q->password, t->step, &expiry);
	return expiry == EXPIRY_NONE ? judge_bind(t, rc) : expired(t, expiry);
}

/* ---- searching ----------------------------------------------------------- */

struct search {
	const char *step, *base, *filter;
	int scope;
	const char *attribute; /* the only one that is wanted; NULL: none */
	int limit;
};

/* At most limit entries in *res, to be freed by ldap_msgfree. */
static enum verdict run_search(
    struct talk *t, const struct search *s, LDAPMessage **res)
{
	struct timeval wait = t->step;
	char *attributes[2] = {
		(char *)(uintptr_t)(s->attribute ? s->attribute
						 : LDAP_NO_ATTRS),
		NULL,
	};
	int rc;

	directory_line_step(&t->line, t->cfg->timeout_s);
	rc = ldap_search_ext_s(t->ld, s->base, s->scope, s->filter, attributes,
	    0, NULL, NULL, &wait, s->limit, res);

	if (rc == LDAP_SUCCESS && ldap_count_entries(t->ld, *res) > s->limit)
		rc = LDAP_SIZELIMIT_EXCEEDED;
	return rc == LDAP_SUCCESS ? V_YES : problem(t, s->step, rc);
}

/* Exactly one entry, or no. It is asked for two, to notice a second. */
static enum verdict find_one(
    struct talk *t, const struct search *s, LDAPMessage **res)
{
	enum verdict v = run_search(t, s, res);
	int n = *res ? ldap_count_entries(t->ld, *res) : 0;

	if (n > 1) {
		(void)err_set(&t->out->why, ERR_INVALID,
		    "%s: %s: more than one entry fits", t->uri, s->step);
		return V_NO;
	}
	return v == V_YES && n == 0 ? V_NO : v;
}

static bool is_text(const struct berval *v)
{
	return v->bv_len > 0 && v->bv_len <= DIRECTORY_NAME_MAX &&
	       utf8_valid(v->bv_val, v->bv_len) &&
	       !str_has_control(v->bv_val, v->bv_len);
}

/*
 * The value of an attribute that has one; of several, the one that is `wanted`
 * (NULL: the first). NULL: none that can be used.
 */
static const char *value_of(
    struct talk *t, LDAPMessage *entry, const char *name, const char *wanted)
{
	struct berval **values = ldap_get_values_len(t->ld, entry, name);
	const struct berval *found = NULL;
	int n = ldap_count_values_len(values);

	for (int i = 0; i < n && !found; i++) {
		struct slice v =
		    slice_make(values[i]->bv_val, values[i]->bv_len);

		if (is_text(values[i]) &&
		    (n == 1 || !wanted || slice_ieq(v, wanted)))
			found = values[i];
	}
	const char *out =
	    found ? arena_strndup(t->arena, found->bv_val, found->bv_len)
		  : NULL;
	ldap_value_free_len(values);
	return out;
}

static enum verdict name_from(struct talk *t, LDAPMessage *entry)
{
	t->out->name =
	    value_of(t, entry, t->cfg->username_attribute, t->q->username);
	if (t->out->name)
		return V_YES;
	(void)err_set(&t->out->why, ERR_INVALID,
	    "%s: the entry \"%.100s\" has no single usable \"%s\", which "
	    "auth.options.username_attribute takes for the name",
	    t->uri, t->dn, t->cfg->username_attribute);
	return V_BROKEN;
}

/* The template with the person in it, in the arena; NULL: cannot be one. */
static const char *filled(struct talk *t, const char *text,
    int (*fill)(struct buf *, const char *, const struct directory_word *,
	size_t, struct err *))
{
	const struct directory_word words[] = {
		{ .name = "username", .value = t->out->name },
		{ .name = "login", .value = t->out->name },
		{ .name = "login_attr",
		    .value = t->cfg->user_attribute,
		    .is_plain = true },
		{ .name = "userdn", .value = t->dn ? t->dn : "" },
	};
	const char *out = NULL;
	struct buf b;

	buf_init(&b, FILLED_MAX);
	if (fill(&b, text, words, sizeof words / sizeof words[0], NULL) == 0)
		out = arena_strdup(t->arena, buf_view(&b));
	buf_fini(&b);
	return out;
}

/* ---- who they are -------------------------------------------------------- */

/* The one entry that the filter finds: its DN and the name in it. */
static enum verdict look_up(struct talk *t)
{
	const struct search s = {
		.step = "search for the person",
		.base = t->cfg->user_search_base,
		.scope = LDAP_SCOPE_SUBTREE,
		.filter =
		    filled(t, t->cfg->lookup_filter, directory_fill_filter),
		.attribute = t->cfg->username_attribute,
		.limit = 2,
	};
	LDAPMessage *res = NULL;
	enum verdict v = s.filter ? find_one(t, &s, &res) : V_NO;
	char *dn = NULL;

	if (v == V_YES) {
		LDAPMessage *entry = ldap_first_entry(t->ld, res);

		dn = ldap_get_dn(t->ld, entry);
		t->dn = arena_strdup(t->arena, dn ? dn : "");
		ldap_memfree(dn);
		v = name_from(t, entry);
	}
	(void)ldap_msgfree(res);
	return v;
}

static enum verdict by_lookup(struct talk *t)
{
	enum verdict v = bind_as_searcher(t);

	if (v == V_YES)
		v = look_up(t);
	return v == V_YES ? bind_as_person(t, t->dn) : v;
}

static enum verdict by_template(struct talk *t)
{
	const struct conf_strings *list = &t->cfg->bind_dn_templates;
	enum verdict v = V_NO;

	for (size_t i = 0; i < list->n && v == V_NO; i++) {
		t->dn = filled(t, list->items[i], directory_fill_name);
		if (t->dn)
			v = bind_as_person(t, t->dn);
	}
	return v;
}

/* ---- what else is asked, once the password was right --------------------- */

/* The name as the directory spells it, where the look-up did not say it. */
static enum verdict read_name(struct talk *t)
{
	const struct search s = {
		.step = "read the person's entry",
		.base = t->dn,
		.scope = LDAP_SCOPE_BASE,
		.filter = "(objectClass=*)",
		.attribute = t->cfg->username_attribute,
		.limit = 1,
	};
	LDAPMessage *res = NULL;
	enum verdict v;

	if (t->cfg->lookup_dn || !*t->cfg->username_attribute)
		return V_YES;
	v = find_one(t, &s, &res);
	if (v == V_YES)
		v = name_from(t, ldap_first_entry(t->ld, res));
	(void)ldap_msgfree(res);
	return v;
}

static enum verdict fits_filter(struct talk *t)
{
	struct search s = {
		.step = "search with auth.options.search_filter",
		.base = t->cfg->user_search_base,
		.scope = LDAP_SCOPE_SUBTREE,
		.limit = 2,
	};
	LDAPMessage *res = NULL;
	enum verdict v;

	if (!*t->cfg->search_filter)
		return V_YES;
	s.filter = filled(t, t->cfg->search_filter, directory_fill_filter);
	v = s.filter ? find_one(t, &s, &res) : V_NO;
	(void)ldap_msgfree(res);
	if (v == V_NO && t->out->why.code == ERR_NONE)
		(void)err_set(&t->out->why, ERR_DENIED,
		    "the password is right, but auth.options.search_filter "
		    "does not find the person");
	return v;
}

/* ---- groups -------------------------------------------------------------- */

static bool has_group(const struct directory_answer *out, const char *name)
{
	for (size_t i = 0; i < out->n_groups; i++) {
		if (strcmp(out->groups[i], name) == 0)
			return true;
	}
	return false;
}

static void take_groups(struct talk *t, LDAPMessage *res)
{
	struct directory_answer *out = t->out;
	LDAPMessage *e;

	out->groups =
	    arena_array(t->arena, DIRECTORY_GROUPS_MAX, sizeof *out->groups);
	for (e = ldap_first_entry(t->ld, res);
	     e && out->n_groups < DIRECTORY_GROUPS_MAX;
	     e = ldap_next_entry(t->ld, e)) {
		const char *name =
		    value_of(t, e, t->cfg->group_attribute, NULL);

		if (name && !has_group(out, name))
			out->groups[out->n_groups++] = name;
	}
}

static enum verdict read_groups(struct talk *t)
{
	struct search s = {
		.step = "search for the person's groups",
		.base = t->cfg->group_search_base,
		.scope = LDAP_SCOPE_SUBTREE,
		.attribute = t->cfg->group_attribute,
		.limit = DIRECTORY_GROUPS_MAX,
	};
	LDAPMessage *res = NULL;
	enum verdict v = V_YES;

	if (!*t->cfg->group_search_base)
		return V_YES;
	/* Who may search for people may see their groups, sooner than they. */
	if (*t->cfg->lookup_user)
		v = bind_as_searcher(t);
	s.filter =
	    filled(t, t->cfg->group_search_filter, directory_fill_filter);
	if (v == V_YES)
		v = s.filter ? run_search(t, &s, &res) : V_NO;
	if (v == V_YES)
		take_groups(t, res);
	(void)ldap_msgfree(res);
	return v;
}

/* ---- the question -------------------------------------------------------- */

typedef enum verdict step_fn(struct talk *t);

static enum verdict prove(struct talk *t)
{
	return t->cfg->lookup_dn ? by_lookup(t) : by_template(t);
}

static enum verdict ask_server(struct talk *t)
{
	static step_fn *const steps[] = { connect_to, prove, read_name,
		fits_filter, read_groups };
	enum verdict v = V_YES;

	t->out->name = t->q->username;
	t->out->n_groups = 0;
	t->dn = NULL;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0] && v == V_YES;
	     i++) {
		/* Nobody waits for this any more. */
		if (atomic_load(t->q->is_cancelled))
			v = V_BROKEN;
		else
			v = steps[i](t);
	}
	disconnect(t);
	return v;
}

void directory_ask(const struct directory_config *cfg,
    const struct directory_question *q, struct arena *arena,
    struct directory_answer *out)
{
	struct talk t = {
		.cfg = cfg,
		.q = q,
		.arena = arena,
		.out = out,
		.step = { .tv_sec = cfg->timeout_s },
	};
	enum verdict v = V_AWAY;

	*out = (struct directory_answer){ .res = AUTH_RES_DENIED };
	directory_line_init(&t.line, q->is_cancelled);
	if (!*q->password || !*q->username)
		return;
	for (size_t i = 0; i < cfg->servers.n && v == V_AWAY; i++) {
		out->server = (q->first_server + i) % cfg->servers.n;
		t.uri = cfg->servers.items[out->server];
		v = ask_server(&t);
	}
	if (v == V_YES)
		out->res = AUTH_RES_OK;
	else if (v == V_EXPIRED)
		out->res = AUTH_RES_EXPIRED;
	else if (v != V_NO)
		out->res = AUTH_RES_UNAVAILABLE;
}
