/*
 * See claims.h.
 */
#include "auth/claims.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

#define PATH_DEPTH_MAX 8
#define KEY_MAX        255

/* ---- finding ------------------------------------------------------------- */

/* The whole text first: names of claims may be URLs with dots. */
const json_t *claims_find(const json_t *claims, const char *path)
{
	const json_t *j = json_object_get(claims, path);
	struct slice rest = slice_of(path), part;
	char key[KEY_MAX + 1];

	if (j)
		return json_is_null(j) ? NULL : j;
	j = claims;
	for (int i = 0; i < PATH_DEPTH_MAX && slice_split(&rest, '.', &part);
	     i++) {
		if (str_copy_slice(key, sizeof key, part) != 0)
			return NULL;
		j = json_object_get(j, key);
	}
	return rest.len > 0 || json_is_null(j) ? NULL : j;
}

const char *claims_text(struct arena *a, const json_t *claims, const char *path)
{
	const json_t *j = claims_find(claims, path);

	if (json_is_integer(j))
		return arena_printf(
		    a, "%lld", (long long)json_integer_value(j));
	return json_string_value(j);
}

static bool is_listed(
    const char *text, const struct conf_strings *values, bool fold_case)
{
	for (size_t i = 0; text && i < values->n; i++) {
		const char *value = values->items[i];

		if (fold_case ? !strcasecmp(text, value) : !strcmp(text, value))
			return true;
	}
	return false;
}

bool claims_has(const json_t *claims, const char *path,
    const struct conf_strings *values, bool fold_case)
{
	const json_t *j = claims_find(claims, path);

	for (size_t i = 0; i < json_array_size(j); i++) {
		const json_t *item = json_array_get(j, i);

		if (is_listed(json_string_value(item), values, fold_case))
			return true;
	}
	return is_listed(json_string_value(j), values, fold_case);
}

/* ---- two sources --------------------------------------------------------- */

/* The address of the one is not vouched for by the other's word. */
static void pair_email(json_t *all, const json_t *id_token)
{
	if (!json_object_get(id_token, "email") ||
	    json_object_get(id_token, "email_verified"))
		return;
	json_object_del(all, "email_verified");
}

int claims_merge(const json_t *id_token, const json_t *userinfo, json_t **out,
    struct err *err)
{
	const json_t *sub = json_object_get(id_token, "sub");

	*out = NULL;
	if (userinfo &&
	    !str_eq(json_string_value(sub),
		json_string_value(json_object_get(userinfo, "sub"))))
		return err_set(err, ERR_DENIED,
		    "ID token and userinfo are about two persons (sub)");
	*out = json_deep_copy(id_token);
	if (!userinfo)
		return 0;
	json_object_update_missing(*out, (json_t *)userinfo);
	if (!json_equal(json_object_get(id_token, "email"),
		json_object_get(userinfo, "email")))
		pair_email(*out, id_token);
	/* Userinfo's address with the ID token's word for another is as bad. */
	if (!json_object_get(id_token, "email") &&
	    json_object_get(id_token, "email_verified"))
		json_object_del(*out, "email_verified");
	return 0;
}

/* ---- the name ------------------------------------------------------------ */

/* Some say it as a string. */
static bool is_verified(const json_t *claims)
{
	const json_t *j = json_object_get(claims, "email_verified");

	return json_is_true(j) || str_eq(json_string_value(j), "true");
}

static bool is_email(
    const json_t *claims, const struct claims_rules *rules, const char *name)
{
	const char *email = json_string_value(json_object_get(claims, "email"));

	if (str_eq(rules->username_claim, "email") ||
	    str_eq(rules->username_claim, "mail"))
		return true;
	return strchr(name, '@') && !rules->vouches_names && email &&
	       !strcasecmp(name, email);
}

/* "alice@example.org" -> "alice"; anybody else's is refused, not shortened. */
static int strip(
    struct arena *a, const char *domain, const char **name, struct err *err)
{
	const char *at = strrchr(*name, '@');

	if (!at || at == *name || strcasecmp(at + 1, domain) != 0)
		return err_set(err, ERR_DENIED,
		    "the name is not one of the domain %.100s", domain);
	*name = arena_strndup(a, *name, (size_t)(at - *name));
	return 0;
}

int claims_name(struct arena *a, const json_t *claims,
    const struct claims_rules *rules, const char **out, struct err *err)
{
	const char *name = claims_text(a, claims, rules->username_claim);

	if (!name || !*name)
		return err_set(err, ERR_DENIED,
		    "the provider does not say the name (claim \"%.64s\"): "
		    "ask for it by \"scope\", or name another by "
		    "\"username_claim\"",
		    rules->username_claim);
	if (strlen(name) > CLAIMS_NAME_MAX ||
	    str_has_control(name, strlen(name)))
		return err_set(err, ERR_DENIED,
		    "the claim \"%.64s\" is no name", rules->username_claim);
	if (is_email(claims, rules, name) && !rules->allow_unverified_email &&
	    !is_verified(claims))
		return err_set(err, ERR_DENIED,
		    "the name is an e-mail address that the provider does "
		    "not vouch for (email_verified)");
	if (rules->strip_domain &&
	    strip(a, rules->strip_domain, &name, err) != 0)
		return -1;
	if (rules->username_prefix)
		name = arena_printf(a, "%s%s", rules->username_prefix, name);
	*out = name;
	return 0;
}

/* ---- groups -------------------------------------------------------------- */

int claims_add_group(struct arena *a, const char *name,
    struct conf_strings *groups, struct err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > CLAIMS_GROUP_LEN_MAX ||
	    str_has_control(name, len))
		return err_set(err, ERR_DENIED, "a group has no proper name");
	if (groups->n == CLAIMS_GROUPS_MAX)
		return err_set(err, ERR_DENIED,
		    "the provider says more than %d groups; let it say only "
		    "those that matter here",
		    CLAIMS_GROUPS_MAX);
	if (!groups->items)
		groups->items =
		    arena_array(a, CLAIMS_GROUPS_MAX, sizeof *groups->items);
	groups->items[groups->n++] = arena_strdup(a, name);
	return 0;
}

/* One string is one group, whatever commas or blanks are in it. */
int claims_groups(struct arena *a, const json_t *claims, const char *path,
    struct conf_strings *groups, struct err *err)
{
	const json_t *j = claims_find(claims, path);

	if (!j)
		return 0;
	if (json_is_string(j))
		return claims_add_group(a, json_string_value(j), groups, err);
	if (!json_is_array(j))
		return err_set(err, ERR_DENIED,
		    "the claim \"%.64s\" is no list of groups", path);
	for (size_t i = 0; i < json_array_size(j); i++) {
		const json_t *item = json_array_get(j, i);

		if (!json_is_string(item))
			return err_set(err, ERR_DENIED,
			    "the claim \"%.64s\" is no list of groups", path);
		if (claims_add_group(a, json_string_value(item), groups, err) !=
		    0)
			return -1;
	}
	return 0;
}
