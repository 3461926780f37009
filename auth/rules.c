/*
 * Who may come in: see rules.h.
 */
#include "auth/rules.h"

#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define RAW_NAME_MAX 255

struct auth_rules {
	const struct auth_rules_config *cfg;
	/* Text to itself, or (username_map) to what it becomes. */
	struct map *allowed_users, *blocked_users, *admin_users;
	struct map *allowed_groups, *admin_groups;
	struct map *username_map, *map_results;
	regex_t regex;
	bool has_regex;
	rules_known_fn *known; /* NULL: nobody is */
	void *known_arg;
};

/* ---- names ---- */

static int bad_name(const char *name, const char *why, struct err *err)
{
	char shown[80];

	str_printable(shown, sizeof shown, name, strnlen(name, RAW_NAME_MAX));
	return err_set(
	    err, ERR_INVALID, "\"%s\" is not a user name: %s", shown, why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int rules_name_check(const char *name, struct err *err)
{
	size_t len = strnlen(name, RULES_NAME_MAX + 1);

	if (len == 0)
		return err_set(err, ERR_INVALID, "the user name is empty");
	if (len > RULES_NAME_MAX)
		return bad_name(name, "it is longer than 64 bytes", err);
	if (!utf8_valid(name, len) || str_has_control(name, len))
		return bad_name(
		    name, "it has control characters or is not UTF-8", err);
	if (is_blank(name[0]) || is_blank(name[len - 1]))
		return bad_name(name, "it begins or ends with a blank", err);
	if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return bad_name(name, "it would break URLs", err);
	return 0;
}

int rules_normalise(const struct auth_rules *r, const char *raw,
    char out[RULES_NAME_MAX + 1], struct err *err)
{
	char name[RAW_NAME_MAX + 1];
	const char *mapped;

	out[0] = 0;
	if (str_copy(name, sizeof name, raw) < 0)
		return bad_name(raw, "it is longer than 255 bytes", err);
	str_lower_ascii(name);
	mapped = map_get(r->username_map, slice_of(name));
	if (mapped == NULL)
		mapped = name;
	if (rules_name_check(mapped, err) < 0)
		return -1;
	return str_copy(out, RULES_NAME_MAX + 1, mapped);
}

/* ---- opening ---- */

static int lower_name(const char *option, const char *text,
    char out[RAW_NAME_MAX + 1], struct err *err)
{
	if (text[0] == 0 || str_copy(out, RAW_NAME_MAX + 1, text) < 0)
		return err_set(err, ERR_INVALID,
		    "%s: an entry is empty or longer than 255 bytes", option);
	str_lower_ascii(out);
	return 0;
}

static int map_one(
    struct auth_rules *r, const struct conf_pair *p, struct err *err)
{
	static const char option[] = "username_map";
	char from[RAW_NAME_MAX + 1], to[RAW_NAME_MAX + 1];

	if (lower_name(option, p->name, from, err) < 0)
		return -1;
	if (rules_name_check(p->value, err) < 0)
		return err_wrap(err, "%s", option);
	if (lower_name(option, p->value, to, err) < 0)
		return -1;
	if (strcmp(to, p->value) != 0)
		return err_set(err, ERR_INVALID,
		    "%s: \"%s\" must be written in lower case, as names are",
		    option, p->value);
	if (map_put(r->username_map, slice_of(from), (void *)p->value) != NULL)
		return err_set(err, ERR_INVALID,
		    "%s: \"%s\" is there twice (names are lower case)", option,
		    from);
	(void)map_put(r->map_results, slice_of(to), (void *)p->value);
	return 0;
}

/* A name that no login can have would be a rule that does nothing. */
static int check_reachable(const struct auth_rules *r, const char *option,
    const char *name, struct err *err)
{
	const char *to = map_get(r->username_map, slice_of(name));

	if (to == NULL || strcmp(to, name) == 0 ||
	    map_get(r->map_results, slice_of(name)) != NULL)
		return 0;
	return err_set(err, ERR_INVALID,
	    "%s: nobody is called \"%s\", since username_map makes \"%s\" of "
	    "it; write that name",
	    option, name, to);
}

static int add_users(const struct auth_rules *r, struct map *m,
    const char *option, const struct conf_strings *list, struct err *err)
{
	char name[RAW_NAME_MAX + 1];

	for (size_t i = 0; i < list->n; i++) {
		if (lower_name(option, list->items[i], name, err) < 0)
			return -1;
		if (rules_name_check(name, err) < 0)
			return err_wrap(err, "%s", option);
		if (check_reachable(r, option, name, err) < 0)
			return -1;
		(void)map_put(m, slice_of(name), (void *)list->items[i]);
	}
	return 0;
}

/* Groups are kept as they are written: Unix tells case apart. */
static int add_groups(struct map *m, const char *option,
    const struct conf_strings *list, struct err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->items[i][0] == 0)
			return err_set(
			    err, ERR_INVALID, "%s: an entry is empty", option);
		(void)map_put(
		    m, slice_of(list->items[i]), (void *)list->items[i]);
	}
	return 0;
}

/*
 * A regex that says less than its author meant lets people in: forms that
 * other languages know and POSIX reads differently are refused.
 */
static int check_regex(const char *text, struct err *err)
{
	if (strstr(text, "(?") != NULL)
		return err_set(err, ERR_INVALID,
		    "username_regex: \"(?\" is not part of POSIX extended "
		    "expressions");
	for (const char *p = text; (p = strchr(p, '\\')) != NULL; p += 2) {
		if (p[1] == 0)
			break;
		if (strchr("wWsSbB", p[1]) == NULL &&
		    ((p[1] >= 'a' && p[1] <= 'z') ||
			(p[1] >= 'A' && p[1] <= 'Z')))
			return err_set(err, ERR_INVALID,
			    "username_regex: \"\\%c\" is not part of POSIX "
			    "extended expressions; write [0-9] for \\d",
			    p[1]);
	}
	return 0;
}

static int compile_regex(struct auth_rules *r, struct err *err)
{
	const char *text = r->cfg->username_regex;
	char why[120];
	int rc;

	if (text == NULL || text[0] == 0)
		return 0;
	if (check_regex(text, err) < 0)
		return -1;
	rc = regcomp(&r->regex, text, REG_EXTENDED);
	if (rc != 0) {
		regerror(rc, &r->regex, why, sizeof why);
		return err_set(err, ERR_INVALID, "username_regex: %s", why);
	}
	r->has_regex = true;
	return 0;
}

static int fill(struct auth_rules *r, struct err *err)
{
	const struct auth_rules_config *cfg = r->cfg;

	for (size_t i = 0; i < cfg->username_map.n; i++)
		if (map_one(r, &cfg->username_map.items[i], err) < 0)
			return -1;
	if (add_users(r, r->allowed_users, "allowed_users", &cfg->allowed_users,
		err) < 0 ||
	    add_users(r, r->blocked_users, "blocked_users", &cfg->blocked_users,
		err) < 0 ||
	    add_users(
		r, r->admin_users, "admin_users", &cfg->admin_users, err) < 0 ||
	    add_groups(r->allowed_groups, "allowed_groups",
		&cfg->allowed_groups, err) < 0 ||
	    add_groups(
		r->admin_groups, "admin_groups", &cfg->admin_groups, err) < 0)
		return -1;
	return compile_regex(r, err);
}

struct auth_rules *rules_open(
    const struct auth_rules_config *cfg, struct err *err)
{
	struct auth_rules *r = xcalloc(1, sizeof *r);

	r->cfg = cfg;
	r->allowed_users = map_new();
	r->blocked_users = map_new();
	r->admin_users = map_new();
	r->allowed_groups = map_new();
	r->admin_groups = map_new();
	r->username_map = map_new();
	r->map_results = map_new();
	if (fill(r, err) < 0)
		rules_close(&r);
	return r;
}

void rules_close(struct auth_rules **rp)
{
	struct auth_rules *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	map_free(&r->allowed_users);
	map_free(&r->blocked_users);
	map_free(&r->admin_users);
	map_free(&r->allowed_groups);
	map_free(&r->admin_groups);
	map_free(&r->username_map);
	map_free(&r->map_results);
	if (r->has_regex)
		regfree(&r->regex);
	free(r);
}

void rules_set_known(struct auth_rules *r, rules_known_fn *fn, void *arg)
{
	r->known = fn;
	r->known_arg = arg;
}

bool rules_admit_nobody(const struct auth_rules *r)
{
	return !r->cfg->allow_all && !r->cfg->allow_existing_users &&
	       map_count(r->allowed_users) == 0 &&
	       map_count(r->allowed_groups) == 0 &&
	       map_count(r->admin_users) == 0 &&
	       map_count(r->admin_groups) == 0;
}

int rules_block_anew(struct auth_rules *r, struct err *err)
{
	struct map *fresh = map_new();

	if (add_users(r, fresh, "blocked_users", &r->cfg->blocked_users, err) <
	    0) {
		map_free(&fresh);
		return -1;
	}
	map_free(&r->blocked_users);
	r->blocked_users = fresh;
	return 0;
}

/* ---- deciding ---- */

static bool has_name(const struct map *m, const char *name)
{
	return map_get(m, slice_of(name)) != NULL;
}

bool rules_names_blocked(const struct auth_rules *r, const char *name)
{
	return has_name(r->blocked_users, name);
}

/* The first of the person's groups that is listed, as the list spells it. */
static const char *common_group(
    const struct map *m, const struct auth_identity *id)
{
	const char *found = NULL;

	if (map_count(m) == 0)
		return NULL;
	for (size_t i = 0; i < id->n_groups && found == NULL; i++)
		found = map_get(m, slice_of(id->groups[i]));
	return found;
}

bool rules_names_admin(const struct auth_rules *r, const char *name)
{
	return has_name(r->admin_users, name);
}

/* The whole name, not a part of it. */
static bool regex_fits(const struct auth_rules *r, const char *name)
{
	regmatch_t match[1];

	if (!r->has_regex)
		return true;
	return regexec(&r->regex, name, 1, match, 0) == 0 &&
	       match[0].rm_so == 0 && match[0].rm_eo == (regoff_t)strlen(name);
}

static int each_of(const struct auth_rules *r, const struct map *names,
    rules_listed_fn *fn, void *arg)
{
	size_t pos = 0;
	const char *name;
	void *value;

	while (map_next(names, &pos, &name, &value)) {
		if (has_name(r->blocked_users, name) || !regex_fits(r, name))
			continue;
		int rc = fn(name, has_name(r->admin_users, name), arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int rules_each_listed(
    const struct auth_rules *r, rules_listed_fn *fn, void *arg)
{
	int rc = each_of(r, r->admin_users, fn, arg);

	return rc != 0 ? rc : each_of(r, r->allowed_users, fn, arg);
}

static bool is_existing(const struct auth_rules *r, const char *name)
{
	return r->cfg->allow_existing_users && r->known &&
	       r->known(name, r->known_arg) > 0;
}

/* Membership in admin_groups, where they are configured, decides both ways at
 * each login; else what was set by hand stays. */
static enum rules_admin decide_admin(
    const struct auth_rules *r, const char *name, const char *admin_group)
{
	if (has_name(r->admin_users, name) || admin_group != NULL)
		return RULES_ADMIN_YES;
	return map_count(r->admin_groups) > 0 ? RULES_ADMIN_NO
					      : RULES_ADMIN_KEEP;
}

static enum rules_reason denied_by(const struct auth_rules *r, const char *name)
{
	if (!regex_fits(r, name))
		return RULE_USERNAME_REGEX;
	if (has_name(r->blocked_users, name))
		return RULE_BLOCKED_USERS;
	return RULE_NONE;
}

static enum rules_reason allowed_by(const struct auth_rules *r,
    const char *name, const struct auth_identity *id, const char *admin_group,
    const char **detail)
{
	if (has_name(r->admin_users, name))
		return RULE_ADMIN_USERS;
	if (admin_group != NULL) {
		*detail = admin_group;
		return RULE_ADMIN_GROUPS;
	}
	if (has_name(r->allowed_users, name))
		return RULE_ALLOWED_USERS;
	*detail = common_group(r->allowed_groups, id);
	if (*detail != NULL)
		return RULE_ALLOWED_GROUPS;
	if (is_existing(r, name))
		return RULE_EXISTING_USERS;
	return r->cfg->allow_all ? RULE_ALLOW_ALL : RULE_NONE;
}

static void say(struct rules_decision *d)
{
	static const char *const texts[] = {
		[RULE_USERNAME_REGEX] = "username_regex does not match",
		[RULE_BLOCKED_USERS] = "listed in blocked_users",
		[RULE_ADMIN_USERS] = "listed in admin_users",
		[RULE_ADMIN_GROUPS] = "admin_groups",
		[RULE_ALLOWED_USERS] = "listed in allowed_users",
		[RULE_ALLOWED_GROUPS] = "allowed_groups",
		[RULE_EXISTING_USERS] = "allow_existing_users",
		[RULE_ALLOW_ALL] = "allow_all",
		[RULE_NONE] = "no rule admits this name",
	};

	if (d->detail != NULL)
		snprintf(d->text, sizeof d->text, "%s: member of %s",
		    texts[d->reason], d->detail);
	else
		snprintf(d->text, sizeof d->text, "%s", texts[d->reason]);
}

static void refuse_name(struct rules_decision *out, const struct err *why)
{
	out->reason = RULE_BAD_NAME;
	str_printable(
	    out->text, sizeof out->text, why->text, strlen(why->text));
}

static void decide(const struct auth_rules *r, const struct auth_identity *id,
    struct rules_decision *out)
{
	const char *admin_group;

	out->reason = denied_by(r, out->name);
	if (out->reason == RULE_NONE) {
		admin_group = common_group(r->admin_groups, id);
		out->reason =
		    allowed_by(r, out->name, id, admin_group, &out->detail);
		out->allowed = out->reason != RULE_NONE;
		if (out->allowed)
			out->admin = decide_admin(r, out->name, admin_group);
	}
	say(out);
}

void rules_decide(const struct auth_rules *r, const struct auth_identity *id,
    struct rules_decision *out)
{
	struct err why = { 0 };

	memset(out, 0, sizeof *out);
	if (rules_normalise(r, id->name, out->name, &why) < 0)
		refuse_name(out, &why);
	else
		decide(r, id, out);
}

void rules_decide_known(const struct auth_rules *r,
    const struct auth_identity *id, struct rules_decision *out)
{
	struct err why = { 0 };

	memset(out, 0, sizeof *out);
	if (rules_name_check(id->name, &why) < 0 ||
	    str_copy(out->name, sizeof out->name, id->name) < 0)
		refuse_name(out, &why);
	else
		decide(r, id, out);
}

const char *rules_reason_name(enum rules_reason reason)
{
	static const char *const names[] = {
		[RULE_BAD_NAME] = "user name",
		[RULE_USERNAME_REGEX] = "username_regex",
		[RULE_BLOCKED_USERS] = "blocked_users",
		[RULE_ADMIN_USERS] = "admin_users",
		[RULE_ADMIN_GROUPS] = "admin_groups",
		[RULE_ALLOWED_USERS] = "allowed_users",
		[RULE_ALLOWED_GROUPS] = "allowed_groups",
		[RULE_EXISTING_USERS] = "allow_existing_users",
		[RULE_ALLOW_ALL] = "allow_all",
		[RULE_NONE] = "no rule",
	};

	return names[reason];
}

/* ---- explaining ---- */

static void explain_list(struct buf *out, enum rules_reason rule,
    const struct map *m, bool hit, const char *detail)
{
	buf_printf(out, "%s: ", rules_reason_name(rule));
	if (map_count(m) == 0)
		buf_str(out, "empty\n");
	else if (hit && detail != NULL)
		buf_printf(out, "yes, by %s\n", detail);
	else
		buf_str(out, hit ? "yes\n" : "no\n");
}

static void explain_rules(const struct auth_rules *r, const char *name,
    const struct auth_identity *id, struct buf *out)
{
	const char *admin = common_group(r->admin_groups, id);
	const char *group = common_group(r->allowed_groups, id);

	buf_printf(out, "username_regex: %s\n",
	    !r->has_regex         ? "none"
	    : regex_fits(r, name) ? "matches"
				  : "does not match");
	explain_list(out, RULE_BLOCKED_USERS, r->blocked_users,
	    has_name(r->blocked_users, name), NULL);
	explain_list(out, RULE_ADMIN_USERS, r->admin_users,
	    has_name(r->admin_users, name), NULL);
	explain_list(
	    out, RULE_ADMIN_GROUPS, r->admin_groups, admin != NULL, admin);
	explain_list(out, RULE_ALLOWED_USERS, r->allowed_users,
	    has_name(r->allowed_users, name), NULL);
	explain_list(
	    out, RULE_ALLOWED_GROUPS, r->allowed_groups, group != NULL, group);
	buf_printf(out, "allow_existing_users: %s\n",
	    !r->cfg->allow_existing_users ? "false"
	    : is_existing(r, name)        ? "yes"
					  : "no");
	buf_printf(
	    out, "allow_all: %s\n", r->cfg->allow_all ? "true" : "false");
}

void rules_explain(
    const struct auth_rules *r, const struct auth_identity *id, struct buf *out)
{
	static const char *const admin[] = {
		[RULES_ADMIN_KEEP] = "administrator: as set before",
		[RULES_ADMIN_YES] = "administrator: yes",
		[RULES_ADMIN_NO] = "administrator: no",
	};
	struct rules_decision d;

	rules_decide(r, id, &d);
	if (d.reason != RULE_BAD_NAME) {
		buf_printf(out, "name: %s\n", d.name);
		explain_rules(r, d.name, id, out);
	}
	buf_printf(out, "%s: %s\n",
	    d.allowed ? "may come in" : "may not come in", d.text);
	if (d.allowed)
		buf_printf(out, "%s\n", admin[d.admin]);
}
