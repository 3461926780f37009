/*
 * Who somebody is a member of, and whether that is enough: the groups of a
 * claim, those that the provider's API tells (rows LIST and PROBE of
 * presets.def), then the restrictions, then the name.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/oauth_priv.h"
#include "base/json.h"
#include "base/str.h"
#include "base/url.h"

#define PAGE_ITEMS 100
#define PAGES_MAX  10
#define SUB_MAX    255

static const struct oauth_options *opt_of(const struct oauth_attempt *at)
{
	return &at->owner->opt;
}

static bool folds(const struct oauth_attempt *at)
{
	return opt_of(at)->preset->flags & PRESET_FOLD;
}

/* A provider that takes Acme for acme has one group of that name. */
int oauth_add_group(struct oauth_attempt *at, const char *name, struct err *err)
{
	char *own = arena_strdup(&at->arena, name);

	if (folds(at))
		str_lower_ascii(own);
	return claims_add_group(&at->arena, own, &at->groups, err);
}

/* ---- the end ------------------------------------------------------------- */

static void refuse_member(struct oauth_attempt *at, const char *why)
{
	const char *text = opt_of(at)->custom_403_message;

	if (!text)
		text = arena_printf(&at->arena,
		    "Your account at %s is not one of those that may log in "
		    "here. Try another account, or ask the administrator of "
		    "this hub.",
		    opt_of(at)->label);
	oauth_refuse(at, text, why);
}

static bool is_member(
    const struct oauth_attempt *at, const struct oauth_member_rule *rule)
{
	const struct conf_strings *wanted =
	    oauth_values(opt_of(at), rule->offset);
	char name[CLAIMS_GROUP_LEN_MAX + 1];

	for (size_t i = 0; i < wanted->n; i++) {
		if (str_format(name, sizeof name, "%s%s",
			rule->prefix ? rule->prefix : "",
			wanted->items[i]) != 0)
			continue;
		for (size_t j = 0; j < at->groups.n; j++) {
			const char *have = at->groups.items[j];

			if (folds(at) ? !strcasecmp(have, name)
				      : !strcmp(have, name))
				return true;
		}
	}
	return false;
}

/* Of the provider's own lists one is enough; `required_groups` (of no kind)
 * must hold besides. */
static bool has_membership(const struct oauth_attempt *at, bool is_general)
{
	bool wanted = false;

	for (const struct oauth_member_rule *m = oauth_member_rules; m->option;
	     m++) {
		if (is_general ? m->kind != NULL
			       : !str_eq(m->kind, opt_of(at)->kind))
			continue;
		if (oauth_values(opt_of(at), m->offset)->n == 0)
			continue;
		wanted = true;
		if (is_member(at, m))
			return true;
	}
	return !wanted;
}

static const struct oauth_idp *idp_of(const struct oauth_attempt *at)
{
	const struct oauth_options *opt = opt_of(at);
	const char *id = json_string_value(json_object_get(at->claims, "idp"));

	for (size_t i = 0; i < opt->n_idps; i++) {
		if (str_eq(opt->idps[i].entity_id, id))
			return &opt->idps[i];
	}
	return NULL;
}

static int take_name(struct oauth_attempt *at, struct err *err)
{
	const struct oauth_options *opt = opt_of(at);
	const struct oauth_idp *idp = opt->n_idps > 0 ? idp_of(at) : NULL;
	struct claims_rules rules = {
		.username_claim = opt->username_claim,
		.username_prefix = opt->username_prefix,
		.strip_domain = opt->strip_domain,
		.allow_unverified_email = opt->allow_unverified_email,
		.vouches_names = opt->preset->flags & PRESET_VOUCHES,
	};

	if (idp) {
		rules.username_claim = idp->username_claim;
		rules.strip_domain = idp->strip_domain;
		rules.username_prefix = arena_printf(&at->arena, "%s%s",
		    opt->username_prefix ? opt->username_prefix : "",
		    idp->username_prefix ? idp->username_prefix : "");
	}
	return claims_name(&at->arena, at->claims, &rules, &at->name, err);
}

/* The provider's lasting word for the person. */
static const char *person_of(struct oauth_attempt *at)
{
	static const char *const names[] = { "id", "sub", "uuid" };
	const char *text = NULL;

	if (opt_of(at)->issuer)
		return claims_text(&at->arena, at->claims, "sub");
	for (size_t i = 0; !text && i < sizeof names / sizeof *names; i++)
		text = claims_text(&at->arena, at->claims, names[i]);
	return text;
}

/* Names are given anew at many providers, these are not. */
static int take_subject(struct oauth_attempt *at, struct err *err)
{
	at->subject = person_of(at);
	if (at->subject && (!*at->subject || strlen(at->subject) > SUB_MAX))
		return err_set(err, ERR_DENIED,
		    "what the provider calls the person says nobody");
	return 0;
}

static void conclude(struct oauth_attempt *at)
{
	struct err err = { 0 };

	if (!has_membership(at, false) || !has_membership(at, true)) {
		refuse_member(at, "no member of what the provider's options "
				  "demand");
	} else if (take_name(at, &err) != 0 || take_subject(at, &err) != 0) {
		refuse_member(at, err.text);
	} else {
		at->res = AUTH_RES_OK;
		oauth_finish(at);
	}
}

/* ---- calls of the API ---------------------------------------------------- */

static int add_item(
    struct oauth_attempt *at, const json_t *item, struct err *err)
{
	const struct oauth_call *c = at->call;
	const char *first = claims_text(&at->arena, item, c->first);
	const char *second =
	    c->second ? claims_text(&at->arena, item, c->second) : NULL;

	if (!first || (c->second && !second))
		return err_set(err, ERR_PROTOCOL, "%s: an item has no \"%s\"",
		    c->path, first ? c->second : c->first);
	if (second)
		first = arena_printf(&at->arena, "%s:%s", first, second);
	return oauth_add_group(at, first, err);
}

static void on_list(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	struct err err = { 0 };
	json_t *list = NULL;
	size_t n;
	int rc = 0;

	if (oauth_answer(at, res, at->call->path, &list) != 0)
		return;
	n = json_array_size(list);
	if (!json_is_array(list))
		rc = err_set(&err, ERR_PROTOCOL, "%s: it answers no list",
		    at->call->path);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_item(at, json_array_get(list, i), &err);
	json_decref(list);
	if (rc != 0) {
		oauth_unavailable(at, err.text);
		return;
	}
	if (n >= PAGE_ITEMS && at->page < PAGES_MAX) {
		at->page++;
	} else {
		at->page = 1;
		at->call++;
	}
	oauth_next_call(at);
}

/* What the item says of the person's part in it, "a/b": of any item of a. */
static bool is_value(const json_t *item, const char *where, const char *value)
{
	const char *slash = strchr(where, '/');
	const json_t *list;
	size_t i;
	json_t *part;

	if (!slash)
		return str_eq(
		    json_string_value(json_object_get(item, where)), value);
	list = json_object_getn(item, where, (size_t)(slash - where));
	json_array_foreach ((json_t *)list, i, part) {
		if (is_value(part, slash + 1, value))
			return true;
	}
	return false;
}

static int add_page(
    struct oauth_attempt *at, const json_t *list, struct err *err)
{
	const struct oauth_call *c = at->call;

	if (!json_is_array(list))
		return err_set(
		    err, ERR_PROTOCOL, "%s: it answers no list", c->path);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);

		if (is_value(item, c->where, c->value) &&
		    add_item(at, item, err) != 0)
			return -1;
	}
	return 0;
}

/* Our token is shown to no other server than the api's. */
static int take_next(
    struct oauth_attempt *at, const json_t *answer, struct err *err)
{
	const char *api = opt_of(at)->api_url;
	const char *next =
	    at->call->next
		? json_string_value(json_object_get(answer, at->call->next))
		: NULL;

	at->next_url = NULL;
	if (!next)
		return 0;
	if (!str_starts(next, api) || next[strlen(api)] != '/' ||
	    str_has_control(next, strlen(next)))
		return err_set(err, ERR_PROTOCOL,
		    "%s: the next page is of another server", at->call->path);
	if (++at->page > PAGES_MAX)
		return err_set(err, ERR_PROTOCOL,
		    "%s: it answers more than %d pages", at->call->path,
		    PAGES_MAX);
	at->next_url = arena_strdup(&at->arena, next);
	return 0;
}

static void on_page(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	const struct oauth_call *c = at->call;
	struct err err = { 0 };
	json_t *answer = NULL;
	int rc;

	if (oauth_answer(at, res, c->path, &answer) != 0)
		return;
	rc = add_page(
	    at, c->items ? json_object_get(answer, c->items) : answer, &err);
	if (rc == 0)
		rc = take_next(at, answer, &err);
	json_decref(answer);
	if (rc != 0) {
		oauth_unavailable(at, err.text);
		return;
	}
	if (!at->next_url) {
		at->page = 1;
		at->call++;
	}
	oauth_next_call(at);
}

static const char *token_for(const struct oauth_attempt *at)
{
	const char *server = at->call->resource;

	if (!server)
		return at->access_token;
	return json_string_value(json_object_get(
	    json_object_get(at->other_tokens, server), "access_token"));
}

static void start_page(struct oauth_attempt *at)
{
	const char *token = token_for(at);

	if (!token) {
		oauth_unavailable(
		    at, arena_printf(&at->arena, "it gave no token for %s",
			    at->call->resource));
		return;
	}
	oauth_get_with(at, token,
	    at->next_url ? at->next_url
			 : arena_printf(&at->arena, "%s%s", opt_of(at)->api_url,
			       at->call->path),
	    on_page);
}

bool oauth_shows_to(const struct oauth_attempt *at, const char *server)
{
	for (const struct oauth_call *c = oauth_calls; c->kind; c++) {
		if (str_eq(c->kind, opt_of(at)->kind) &&
		    str_eq(c->resource, server))
			return true;
	}
	return false;
}

/* 404 and 403 are how they say "no member". */
static void on_probe(const struct fetch_result *res, void *arg)
{
	struct oauth_attempt *at = arg;
	const struct oauth_call *c = at->call;
	const struct conf_strings *values = oauth_values(opt_of(at), c->offset);
	struct err err = { 0 };
	json_t *member = NULL;
	int rc = 0;

	if (res->status == 404 || res->status == 403)
		at->fetch = 0;
	else if (oauth_answer(at, res, c->path, &member) != 0)
		return;
	const char *sub = person_of(at);
	const char *id =
	    member ? claims_text(&at->arena, member, c->first) : NULL;
	const json_t *level = json_object_get(member, "access_level");
	if (id && str_eq(id, sub) && json_integer_value(level) >= c->level)
		rc = oauth_add_group(at,
		    arena_printf(&at->arena, "%s%s", c->prefix,
			values->items[at->i_value]),
		    &err);
	json_decref(member);
	if (rc != 0) {
		oauth_unavailable(at, err.text);
		return;
	}
	at->i_value++;
	oauth_next_call(at);
}

static void start_list(struct oauth_attempt *at)
{
	oauth_get(at,
	    arena_printf(&at->arena, "%s%s&page=%zu", opt_of(at)->api_url,
		at->call->path, at->page),
	    on_list);
}

/* "{value}" and "{sub}" in the path, each as one segment. */
static void start_probe(struct oauth_attempt *at, const char *value)
{
	const char *sub = person_of(at);
	const char *path = at->call->path;
	const char *at_value = strstr(path, "{value}");
	const char *at_sub = strstr(path, "{sub}");

	if (!sub || !*sub) {
		oauth_refuse(at, NULL, "the provider does not say who it is");
		return;
	}
	oauth_get(at,
	    arena_printf(&at->arena, "%s%.*s%s%.*s%s%s", opt_of(at)->api_url,
		(int)(at_value - path), path,
		url_escape_segment(&at->arena, value),
		(int)(at_sub - at_value - 7), at_value + 7,
		url_escape_segment(&at->arena, sub), at_sub + 5),
	    on_probe);
}

/* "_claim_names" is OpenID Connect Core 5.6.2; "hasgroups" is Entra's. */
static bool is_elsewhere(const struct oauth_attempt *at)
{
	const char *claim = opt_of(at)->groups_claim;
	const json_t *names = json_object_get(at->claims, "_claim_names");

	return claim && *claim &&
	       (json_object_get(names, claim) ||
		   json_is_true(json_object_get(at->claims, "hasgroups")));
}

static bool is_due(const struct oauth_attempt *at)
{
	const struct oauth_options *opt = opt_of(at);
	const struct oauth_call *c = at->call;

	if (!str_eq(c->kind, opt->kind))
		return false;
	switch (c->when) {
	case CALL_LIST:
		return opt->fetch_groups;
	case CALL_PROBE:
		return at->i_value < oauth_values(opt, c->offset)->n;
	case CALL_SCOPED:
		return oauth_asks_scope(opt, c->scope);
	case CALL_OVERAGE:
		return is_elsewhere(at);
	case CALL_DIRECTORY:
		return at->owner->google != NULL;
	}
	return false;
}

static void start_call(struct oauth_attempt *at)
{
	const struct oauth_call *c = at->call;

	switch (c->when) {
	case CALL_LIST:
		start_list(at);
		return;
	case CALL_PROBE:
		start_probe(at,
		    oauth_values(opt_of(at), c->offset)->items[at->i_value]);
		return;
	case CALL_SCOPED:
	case CALL_OVERAGE:
		start_page(at);
		return;
	case CALL_DIRECTORY:
		oauth_google_groups(at);
		return;
	}
}

void oauth_next_call(struct oauth_attempt *at)
{
	for (; at->call->kind; at->call++, at->i_value = 0) {
		if (!is_due(at))
			continue;
		start_call(at);
		return;
	}
	conclude(at);
}

/* ---- the beginning ------------------------------------------------------- */

static const char *broken_claim(const struct oauth_attempt *at)
{
	const struct oauth_options *opt = opt_of(at);

	for (const struct oauth_claim_rule *c = oauth_claim_rules; c->kind;
	     c++) {
		const struct conf_strings *values =
		    oauth_values(opt, c->offset);

		if (str_eq(c->kind, opt->kind) && values->n > 0 &&
		    !claims_has(at->claims, c->claim, values, folds(at)))
			return c->option;
	}
	return NULL;
}

static int claimed_groups(struct oauth_attempt *at, struct err *err)
{
	const char *claim = opt_of(at)->groups_claim;
	struct conf_strings found = { 0 };

	if (!claim || !*claim)
		return 0;
	if (claims_groups(&at->arena, at->claims, claim, &found, err) != 0)
		return -1;
	for (size_t i = 0; i < found.n; i++) {
		if (oauth_add_group(at, found.items[i], err) != 0)
			return -1;
	}
	return 0;
}

void oauth_decide(struct oauth_attempt *at)
{
	const char *option = broken_claim(at);
	struct err err = { 0 };

	if (option) {
		refuse_member(
		    at, arena_printf(&at->arena, "refused by \"%s\"", option));
		return;
	}
	if (claimed_groups(at, &err) != 0) {
		oauth_refuse(at, NULL, err.text);
		return;
	}
	at->call = oauth_calls;
	at->page = 1;
	oauth_next_call(at);
}
