/*
 * See shared.h. The answer is known at once and told when this turn of the loop
 * ends. Both digests are compared whoever asks, so that the time says nothing
 * of who is an administrator.
 */
#include "auth/shared.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"

#define USER_PASSWORD_MIN  8
#define ADMIN_PASSWORD_MIN 32
#define PASSWORD_MAX       1024

struct secret {
	bool is_set;
	unsigned char digest[MAC_SHA256_LEN];
};

struct shared {
	struct authenticator base;
	struct answers answers;
	int (*is_admin)(const char *name, void *arg, struct err *err);
	void *is_admin_arg;
	struct secret user, admin;
};

static struct shared *shared_of(struct authenticator *au)
{
	return (struct shared *)(void *)au;
}

/* ---- opening ------------------------------------------------------------- */

struct shared_options {
	const char *user_password, *admin_password;
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
};

static void keep(struct secret *s, const char *text)
{
	s->is_set = text != NULL;
	if (text)
		mac_sha256(text, strlen(text), s->digest);
}

static int check(const struct shared_options *opt, struct err *err)
{
	if (!opt->user_password)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: shared-password\" needs the "
		    "option \"user_password\", of at least %d bytes: the "
		    "password of everybody",
		    USER_PASSWORD_MIN);
	if (opt->admin_password &&
	    strcmp(opt->user_password, opt->admin_password) == 0)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"admin_password\" is the same as "
		    "\"user_password\": everybody would be an administrator");
	return 0;
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
		rc = check(&opt, err);
	if (rc == 0) {
		keep(&s->user, opt.user_password);
		keep(&s->admin, opt.admin_password);
	}
	arena_fini(&a);
	return rc;
}

static struct authenticator *shared_open(
    const struct auth_env *env, struct err *err)
{
	struct shared *s = xcalloc(1, sizeof *s);

	assert(env->is_admin);
	s->base.kind = &authenticator_shared;
	answers_init(&s->answers, env);
	s->is_admin = env->is_admin;
	s->is_admin_arg = env->is_admin_arg;
	if (read_options(s, env, err) < 0) {
		free(s);
		return NULL;
	}
	log_warn(NULL, "people share one password",
	    "kind=shared-password hint=\"who knows it may be anybody but an "
	    "administrator\"");
	if (!s->admin.is_set)
		log_warn(NULL, "administrators cannot log in",
		    "kind=shared-password hint=\"set "
		    "auth.options.admin_password\"");
	return &s->base;
}

/* ---- logins -------------------------------------------------------------- */

static bool fits(const struct secret *s, const unsigned char *digest)
{
	return mac_equal(s->digest, sizeof s->digest, digest, MAC_SHA256_LEN) &&
	       s->is_set;
}

static enum auth_result decide(
    const struct shared *s, const char *username, const char *password)
{
	unsigned char digest[MAC_SHA256_LEN];
	struct err err = { 0 };
	int is_admin = s->is_admin(username, s->is_admin_arg, &err);

	if (is_admin < 0) {
		log_error(NULL, "it is not known who is an administrator",
		    "why=\"%s\"", err.text);
		return AUTH_RES_UNAVAILABLE;
	}
	mac_sha256(password, strlen(password), digest);
	bool is_user = fits(&s->user, digest);
	bool is_boss = fits(&s->admin, digest);
	mem_wipe(digest, sizeof digest);
	return (is_admin ? is_boss : is_user) ? AUTH_RES_OK : AUTH_RES_DENIED;
}

static void shared_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct shared *s = shared_of(au);
	const char *name = form->username ? form->username : "";
	enum auth_result res = AUTH_RES_DENIED;

	if (*name)
		res = decide(s, name, form->password ? form->password : "");
	answers_give(&s->answers, attempt, res, name);
}

static void shared_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&shared_of(au)->answers, attempt);
}

static void shared_close(struct authenticator **au)
{
	struct shared *s = shared_of(*au);

	*au = NULL;
	if (!s)
		return;
	answers_fini(&s->answers);
	mem_wipe(&s->user, sizeof s->user);
	mem_wipe(&s->admin, sizeof s->admin);
	free(s);
}

const struct authenticator_kind authenticator_shared = {
	.name = "shared-password",
	.has_form = true,
	.open = shared_open,
	.begin = shared_begin,
	.reply = answers_no_reply,
	.cancel = shared_cancel,
	.close = shared_close,
};
