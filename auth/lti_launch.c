/*
 * See lti_launch.h.
 */
#include "auth/lti_launch.h"

#include <string.h>
#include <strings.h>

#include "auth/claims.h"
#include "base/str.h"

#define ROLES_MAX   100
#define WORD_MAX    40
#define COURSE_MAX  100 /* escaped, so that a group with it fits */
#define NEXT_MAX    4096
#define SUBJECT_MAX 255

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_DENIED, "the launch is refused: %s", why);
}

/* ---- roles --------------------------------------------------------------- */

static const struct vocabulary {
	const char *prefix;
	const char *area; /* "": of the course */
	char separator;   /* before a narrower role; 0: has none */
} vocabularies[] = {
	{ "http://purl.imsglobal.org/vocab/lis/v2/membership#", "", 0 },
	{ "http://purl.imsglobal.org/vocab/lis/v2/membership/", "", '#' },
	{ "http://purl.imsglobal.org/vocab/lis/v2/institution/person#",
	    "institution:", 0 },
	{ "http://purl.imsglobal.org/vocab/lis/v2/system/person#",
	    "system:", 0 },
	{ "urn:lti:role:ims/lis/", "", '/' },
	{ "urn:lti:instrole:ims/lis/", "institution:", 0 },
	{ "urn:lti:sysrole:ims/lis/", "system:", 0 },
	{ "", "", 0 }, /* "Learner" */
};

static int add_once(struct arena *a, const char *name,
    struct conf_strings *groups, struct err *err)
{
	for (size_t i = 0; i < groups->n; i++) {
		if (str_eq(groups->items[i], name))
			return 0;
	}
	return claims_add_group(a, name, groups, err);
}

static bool is_word(struct slice s)
{
	if (s.len == 0 || s.len > WORD_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

/*
 * "Instructor#TeachingAssistant" -> "instructor-teachingassistant". The whole
 * of it: there is a "Learner#Instructor", who is none. NULL: no role of it.
 */
static const char *role_word(
    struct arena *a, const struct vocabulary *v, struct slice text)
{
	struct slice first = text, rest = text;
	char *out;

	if (v->separator && memchr(text.p, v->separator, text.len)) {
		if (!slice_split(&rest, v->separator, &first) || !is_word(rest))
			return NULL;
		out = arena_printf(a, "%.*s-%.*s", (int)first.len, first.p,
		    (int)rest.len, rest.p);
	} else {
		out = arena_strndup(a, text.p, text.len);
	}
	if (!is_word(first))
		return NULL;
	str_lower_ascii(out);
	return out;
}

/* `course` NULL: the launch names none. */
static int add_role(struct arena *a, struct slice role, const char *course,
    struct conf_strings *groups, struct err *err)
{
	const struct vocabulary *v = vocabularies;
	const char *word;

	while (!slice_starts(role, v->prefix))
		v++;
	role.p += strlen(v->prefix);
	role.len -= strlen(v->prefix);
	word = role_word(a, v, role);
	if (!word)
		return 0;
	if (add_once(a, arena_printf(a, "%s%s", v->area, word), groups, err) !=
	    0)
		return -1;
	if (*v->area || !course)
		return 0;
	return add_once(
	    a, arena_printf(a, "course:%s:%s", course, word), groups, err);
}

/* Escaped, so that "a:learner" is not the learners of "a". */
static int add_course(struct arena *a, const char *id, const char **course_out,
    struct conf_strings *groups, struct err *err)
{
	*course_out = NULL;
	if (!id || !*id)
		return 0;
	id = url_quote(a, id, false);
	if (strlen(id) > COURSE_MAX)
		return 0;
	*course_out = id;
	return add_once(a, arena_printf(a, "course:%s", id), groups, err);
}

/* ---- the name ------------------------------------------------------------ */

static int read_name(struct arena *a, const struct lti_options *opt,
    const json_t *claims, struct lti_launch *out, struct err *err)
{
	const struct claims_rules rules = {
		.username_claim = opt->username_key,
		.username_prefix = opt->username_prefix,
		.strip_domain = opt->strip_domain,
		.allow_unverified_email = opt->allow_unverified_email,
	};

	const char *name = claims_text(a, claims, opt->username_key);

	if (!name || !*name)
		return err_set(err, ERR_DENIED,
		    "the platform does not say the name (\"%.64s\"): let it "
		    "send that, or name another by \"username_key\"",
		    opt->username_key);
	return claims_name(a, claims, &rules, &out->name, err);
}

static bool is_subject(const char *s)
{
	size_t len = s ? strlen(s) : 0;

	return len > 0 && len <= SUBJECT_MAX && !str_has_control(s, len);
}

static const char *short_enough(const char *next)
{
	return next && *next && strlen(next) <= NEXT_MAX ? next : NULL;
}

/* ---- LTI 1.3 ------------------------------------------------------------- */

static const char *text_of(const json_t *claims, const char *key)
{
	return json_string_value(json_object_get(claims, key));
}

bool lti_is_ours(struct arena *a, const char *hub_url, const char *url)
{
	struct url ours, theirs;
	struct err why;

	return url && strlen(url) <= NEXT_MAX &&
	       !str_has_control(url, strlen(url)) && !strchr(url, '\\') &&
	       url_parse(a, hub_url, &ours, &why) == 0 &&
	       url_parse(a, url, &theirs, &why) == 0 &&
	       !strcasecmp(url_origin(a, &ours), url_origin(a, &theirs));
}

static bool is_deployment(const struct lti_options *opt, const char *id)
{
	for (size_t i = 0; id && i < opt->deployment_ids.n; i++) {
		if (str_eq(opt->deployment_ids.items[i], id))
			return true;
	}
	return false;
}

static int check_message(struct arena *a, const struct lti_options *opt,
    const char *hub_url, const json_t *claims, struct err *err)
{
	const char *deployment = text_of(claims, LTI_CLAIM "deployment_id");
	const char *target = text_of(claims, LTI_CLAIM "target_link_uri");
	char shown[80];

	if (!str_eq(text_of(claims, LTI_CLAIM "message_type"),
		"LtiResourceLinkRequest"))
		return refuse(err, "it is no LtiResourceLinkRequest");
	if (!str_eq(text_of(claims, LTI_CLAIM "version"), "1.3.0"))
		return refuse(err, "it is not of version 1.3.0");
	if (!is_deployment(opt, deployment)) {
		str_printable(shown, sizeof shown, deployment ? deployment : "",
		    deployment ? strlen(deployment) : 0);
		return err_set(err, ERR_DENIED,
		    "the launch is refused: its deployment is not one of "
		    "\"deployment_ids\": %s",
		    shown);
	}
	if (!lti_is_ours(a, hub_url, target))
		return refuse(
		    err, "it is for another address (target_link_uri)");
	return 0;
}

/* Where tools are told to send everybody is no place to go on to. */
static const char *read_target(const char *hub_url, const json_t *claims)
{
	const char *target = text_of(claims, LTI_CLAIM "target_link_uri");
	size_t len = strlen(hub_url);

	if (!strncmp(target, hub_url, len) &&
	    (str_starts(target + len, "lti13/") ||
		str_starts(target + len, "lti/")))
		return NULL;
	return target;
}

/* The claims that stand deeper, under the names that others know them by:
 * custom_X, lis_X. */
static json_t *flatten(const json_t *claims)
{
	static const struct {
		const char *claim, *prefix;
	} parts[] = {
		{ LTI_CLAIM "custom", "custom_" },
		{ LTI_CLAIM "lis", "lis_" },
	};
	json_t *flat = json_copy((json_t *)claims);
	const char *key;
	json_t *value;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		json_t *part = json_object_get(claims, parts[i].claim);

		json_object_foreach (part, key, value) {
			json_t *name =
			    json_sprintf("%s%s", parts[i].prefix, key);

			if (name)
				json_object_set(
				    flat, json_string_value(name), value);
			json_decref(name);
		}
	}
	return flat;
}

static int read_roles(struct arena *a, const json_t *claims, const char *course,
    struct conf_strings *groups, struct err *err)
{
	const json_t *roles = json_object_get(claims, LTI_CLAIM "roles");
	size_t n = json_array_size(roles);

	if (n > ROLES_MAX)
		return refuse(err, "it has too many roles");
	for (size_t i = 0; i < n; i++) {
		const char *role = json_string_value(json_array_get(roles, i));

		if (role &&
		    add_role(a, slice_of(role), course, groups, err) != 0)
			return -1;
	}
	return 0;
}

int lti13_read(struct arena *a, const struct lti_options *opt,
    const char *hub_url, const json_t *claims, struct lti_launch *out,
    struct err *err)
{
	const json_t *custom = json_object_get(claims, LTI_CLAIM "custom");
	const char *next = json_string_value(json_object_get(custom, "next"));
	const char *course;
	json_t *flat;
	int rc;

	memset(out, 0, sizeof *out);
	if (check_message(a, opt, hub_url, claims, err) != 0)
		return -1;
	out->state = json_incref((json_t *)claims);
	out->source = opt->issuer;
	out->subject = text_of(claims, "sub");
	if (!is_subject(out->subject))
		return refuse(err, "it does not say about whom it is (sub)");
	flat = flatten(claims);
	rc = read_name(a, opt, flat, out, err);
	if (rc == 0)
		out->name = arena_strdup(a, out->name);
	json_decref(flat);
	if (rc != 0 ||
	    add_course(a,
		text_of(json_object_get(claims, LTI_CLAIM "context"), "id"),
		&course, &out->groups, err) != 0 ||
	    read_roles(a, claims, course, &out->groups, err) != 0)
		return -1;
	out->next =
	    short_enough(next && *next ? next : read_target(hub_url, claims));
	return 0;
}

/* ---- LTI 1.1 ------------------------------------------------------------- */

/* A field that comes twice is none: which of the two was meant? */
static const char *field(const struct url_pairs *form, const char *name)
{
	return url_pair_count(form, name) == 1 ? url_pair_get(form, name)
					       : NULL;
}

static json_t *fields_of(const struct url_pairs *form)
{
	json_t *all = json_object();

	for (size_t i = 0; i < form->n; i++) {
		const char *name = form->items[i].name;

		if (field(form, name))
			json_object_set_new(
			    all, name, json_string(form->items[i].value));
	}
	/* What looks like an address is one that nobody vouches for. */
	json_object_set(all, "email",
	    json_object_get(all, "lis_person_contact_email_primary"));
	json_object_del(all, "email_verified");
	return all;
}

/* To keep: what the signature was made of is worth nothing any more. */
static json_t *said_of(const json_t *fields)
{
	json_t *said = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)fields, key, value) {
		if (!str_starts(key, "oauth_"))
			json_object_set(said, key, value);
	}
	return said;
}

static int read_role_list(struct arena *a, const char *list, const char *course,
    struct conf_strings *groups, struct err *err)
{
	struct slice rest = slice_of(list ? list : ""), role;

	for (size_t n = 0; slice_split(&rest, ',', &role); n++) {
		if (n == ROLES_MAX)
			return refuse(err, "it has too many roles");
		if (add_role(a, slice_trim(role), course, groups, err) != 0)
			return -1;
	}
	return 0;
}

static bool is_email_key(const struct lti_options *opt)
{
	return str_eq(opt->username_key, "lis_person_contact_email_primary");
}

int lti11_read(struct arena *a, const struct lti_options *opt,
    const struct url_pairs *form, struct lti_launch *out, struct err *err)
{
	const char *next = field(form, "custom_next");
	const char *course;
	json_t *fields;
	int rc;

	memset(out, 0, sizeof *out);
	if (!str_eq(
		field(form, "lti_message_type"), "basic-lti-launch-request"))
		return refuse(err, "it is no basic-lti-launch-request");
	if (!str_eq(field(form, "lti_version"), "LTI-1p0"))
		return refuse(err, "it is not of version LTI-1p0");
	out->subject = field(form, "user_id");
	if (!is_subject(out->subject))
		return refuse(
		    err, "it does not say about whom it is (user_id)");
	out->source =
	    arena_printf(a, "lti11:%s", field(form, "oauth_consumer_key"));
	if (is_email_key(opt) && !opt->allow_unverified_email)
		return refuse(err,
		    "nobody vouches for addresses there: with that "
		    "\"username_key\" people can be whoever they say");
	fields = fields_of(form);
	out->state = said_of(fields);
	rc = read_name(a, opt, fields, out, err);
	if (rc == 0)
		out->name = arena_strdup(a, out->name);
	json_decref(fields);
	if (rc != 0 ||
	    add_course(a, field(form, "context_id"), &course, &out->groups,
		err) != 0 ||
	    read_role_list(
		a, field(form, "roles"), course, &out->groups, err) != 0)
		return -1;
	out->next = short_enough(next && *next ? next : field(form, "next"));
	return 0;
}
