/*
 * See shared.h. The answer is known at once and told when this turn of the loop
 * ends. All digests are compared whoever asks, so that the time says nothing
 * of who is an administrator.
 */
#include "auth/shared.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "auth/origin.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"

#define USER_PASSWORD_MIN  8
#define ADMIN_PASSWORD_MIN 32
#define PASSWORD_MAX       1024
#define SECRETS_MAX        66 /* both, and those of groups */
#define GROUPS_MAX         64
#define GROUP_NAME_BYTES   255

struct secret {
	bool is_admins;
	unsigned char digest[MAC_SHA256_LEN];
	unsigned char origin[ORIGIN_LEN];
	struct conf_strings groups; /* in the kind's arena */
};

struct shared {
	struct authenticator base;
	struct answers answers;
	int (*is_admin)(const char *name, void *arg, struct err *err);
	void *is_admin_arg;
	struct arena arena;
	struct secret secrets[SECRETS_MAX];
	size_t n_secrets;
};

static struct shared *shared_of(struct authenticator *au)
{
	return (struct shared *)(void *)au;
}

/* ---- opening ------------------------------------------------------------- */

struct shared_options {
	const char *user_password, *admin_password;
	const struct conf_node *password_groups;
};

static const struct conf_option table[] = {
	{
	    .path = "user_password",
	    .type = CONF_STRING,
	    .offset = offsetof(struct shared_options, user_password),
	    .lo = USER_PASSWORD_MIN,
	    .hi = PASSWORD_MAX,
	    .doc = "Everybody's password.",
	    .restart = true,
	},
	{
	    .path = "admin_password",
	    .type = CONF_STRING,
	    .offset = offsetof(struct shared_options, admin_password),
	    .lo = ADMIN_PASSWORD_MIN,
	    .hi = PASSWORD_MAX,
	    .doc = "The administrators' password. Without it they cannot log "
		   "in.",
	    .restart = true,
	},
	{
	    .path = "password_groups",
	    .type = CONF_TREE,
	    .offset = offsetof(struct shared_options, password_groups),
	    .doc = "Further passwords, and the groups that each puts people "
		   "into.",
	    .restart = true,
	},
};

/* Two that are one would hide which is meant. */
static int add(struct shared *s, const struct auth_env *env, const char *text,
    const struct secret *like, struct err *err)
{
	struct secret *fresh = &s->secrets[s->n_secrets];

	*fresh = *like;
	mac_sha256(text, strlen(text), fresh->digest);
	origin_of(env->keys, "shared-password", text, fresh->origin);
	for (size_t i = 0; i < s->n_secrets; i++) {
		if (memcmp(s->secrets[i].digest, fresh->digest,
			sizeof fresh->digest) != 0)
			continue;
		return err_set(err, ERR_INVALID,
		    s->secrets[i].is_admins || like->is_admins
			? "auth.options: \"admin_password\" is the same as a "
			  "password that others have: everybody would be an "
			  "administrator"
			: "auth.options: \"password_groups\" has a password "
			  "that is \"user_password\" or stands there twice");
	}
	s->n_secrets++;
	return 0;
}

static int read_group_names(struct shared *s, const struct conf_node *list,
    const char *file, struct conf_strings *out, struct err *err)
{
	out->items =
	    arena_array(&s->arena, list->n_children, sizeof *out->items);
	for (const struct conf_node *n = list->child; n; n = n->next) {
		if (n->kind != CONF_SCALAR || !*n->text ||
		    strlen(n->text) > GROUP_NAME_BYTES)
			return err_set(err, ERR_INVALID,
			    "%s:%d:%d: a group of \"password_groups\" is a "
			    "name of at most %d bytes",
			    file, n->line, n->column, GROUP_NAME_BYTES);
		out->items[out->n++] = arena_strdup(&s->arena, n->text);
	}
	return 0;
}

/* The password is never shown: file and line say which. */
static int read_group_password(struct shared *s, const struct auth_env *env,
    const struct conf_node *n, struct err *err)
{
	struct secret like = { 0 };
	size_t len = strlen(n->key);

	if (n->kind != CONF_LIST || n->n_children == 0 ||
	    n->n_children > GROUPS_MAX || len < USER_PASSWORD_MIN ||
	    len > PASSWORD_MAX)
		return err_set(err, ERR_INVALID,
		    "%s:%d:%d: an entry of \"password_groups\" is a password "
		    "of at least %d bytes and a list of 1 to %d groups",
		    env->file, n->key_line, n->key_column, USER_PASSWORD_MIN,
		    GROUPS_MAX);
	if (read_group_names(s, n, env->file, &like.groups, err) < 0)
		return -1;
	return add(s, env, n->key, &like, err);
}

static int read_groups(struct shared *s, const struct auth_env *env,
    const struct conf_node *map, struct err *err)
{
	if (map && (map->kind != CONF_MAP || map->n_children > GROUPS_MAX))
		return err_set(err, ERR_INVALID,
		    "auth.options: \"password_groups\" is a map of at most %d "
		    "passwords to lists of groups",
		    GROUPS_MAX);
	for (const struct conf_node *n = map ? map->child : NULL; n;
	     n = n->next) {
		if (read_group_password(s, env, n, err) < 0)
			return -1;
	}
	return 0;
}

static int keep_all(struct shared *s, const struct auth_env *env,
    const struct shared_options *opt, struct err *err)
{
	const struct secret admins = { .is_admins = true }, everybodys = { 0 };

	if (!opt->user_password && !opt->password_groups)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: shared-password\" needs the "
		    "option \"user_password\", of at least %d bytes: the "
		    "password of everybody",
		    USER_PASSWORD_MIN);
	if (opt->user_password &&
	    add(s, env, opt->user_password, &everybodys, err) < 0)
		return -1;
	if (read_groups(s, env, opt->password_groups, err) < 0)
		return -1;
	if (!opt->admin_password) {
		log_warn(NULL, "administrators cannot log in",
		    "kind=shared-password hint=\"set "
		    "auth.options.admin_password\"");
		return 0;
	}
	return add(s, env, opt->admin_password, &admins, err);
}

static int read_options(
    struct shared *s, const struct auth_env *env, struct err *err)
{
	struct shared_options opt = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	else
		rc = keep_all(s, env, &opt, err);
	arena_fini(&a);
	return rc;
}

static void shared_close(struct authenticator **au)
{
	struct shared *s = shared_of(*au);

	*au = NULL;
	if (!s)
		return;
	answers_fini(&s->answers);
	mem_wipe(s->secrets, sizeof s->secrets);
	arena_fini(&s->arena);
	free(s);
}

static struct authenticator *shared_open(
    const struct auth_env *env, struct err *err)
{
	struct shared *s = xcalloc(1, sizeof *s);

	assert(env->is_admin);
	s->base.kind = &authenticator_shared;
	answers_init(&s->answers, env);
	arena_init(&s->arena);
	s->is_admin = env->is_admin;
	s->is_admin_arg = env->is_admin_arg;
	if (read_options(s, env, err) < 0) {
		struct authenticator *au = &s->base;

		shared_close(&au);
		return NULL;
	}
	log_warn(NULL, "people share one password",
	    "kind=shared-password hint=\"who knows it may be anybody but an "
	    "administrator\"");
	return &s->base;
}

/* ---- logins -------------------------------------------------------------- */

/* All are looked at, whichever fits. */
static const struct secret *find(const struct shared *s, const char *password)
{
	unsigned char digest[MAC_SHA256_LEN];
	const struct secret *found = NULL;

	mac_sha256(password, strlen(password), digest);
	for (size_t i = 0; i < s->n_secrets; i++) {
		if (mac_equal(s->secrets[i].digest, sizeof s->secrets[i].digest,
			digest, sizeof digest))
			found = &s->secrets[i];
	}
	mem_wipe(digest, sizeof digest);
	return found;
}

static void decide(
    struct shared *s, uint64_t attempt, const char *name, const char *password)
{
	struct err err = { 0 };
	int is_admin = s->is_admin(name, s->is_admin_arg, &err);
	const struct secret *of = find(s, password);

	if (is_admin < 0) {
		log_error(NULL, "it is not known who is an administrator",
		    "why=\"%s\"", err.text);
		answers_give(&s->answers, attempt, AUTH_RES_UNAVAILABLE, name);
	} else if (of && of->is_admins == (is_admin > 0)) {
		const struct auth_identity id = {
			.name = name,
			.groups = of->groups.items,
			.n_groups = of->groups.n,
			.origin = of->origin,
		};

		answers_give_identity(&s->answers, attempt, &id);
	} else {
		answers_give(&s->answers, attempt, AUTH_RES_DENIED, name);
	}
}

static void shared_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct shared *s = shared_of(au);
	const char *name = form->username ? form->username : "";

	if (*name)
		decide(s, attempt, name, form->password ? form->password : "");
	else
		answers_give(&s->answers, attempt, AUTH_RES_DENIED, name);
}

static void shared_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&shared_of(au)->answers, attempt);
}

static size_t shared_origins(const struct authenticator *au,
    unsigned char (*out)[ORIGIN_LEN], size_t cap)
{
	const struct shared *s = (const struct shared *)(const void *)au;
	size_t n = 0;

	for (; n < s->n_secrets && n < cap; n++)
		memcpy(out[n], s->secrets[n].origin, ORIGIN_LEN);
	return n;
}

const struct authenticator_kind authenticator_shared = {
	.name = "shared-password",
	.has_form = true,
	.open = shared_open,
	.begin = shared_begin,
	.reply = answers_no_reply,
	.cancel = shared_cancel,
	.close = shared_close,
	.origins = shared_origins,
};
