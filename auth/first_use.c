/*
 * See first_use.h: options, and the plug. The login is own_login.c.
 */
#include "auth/first_use.h"

#include "auth/answers.h"
#include "auth/own_login.h"
#include "auth/passwords.h"

struct first_use_options {
	bool create_users;
	int64_t min_password_length;
	const char *admin_password;
};

static const struct conf_option table[] = {
	{
	    .path = "create_users",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct first_use_options, create_users),
	    .fallback = "false",
	    .doc = "Whether names that nobody has yet may be taken.",
	    .restart = true,
	},
	{
	    .path = "min_password_length",
	    .type = CONF_INT,
	    .offset = offsetof(struct first_use_options, min_password_length),
	    .fallback = "8",
	    .lo = 8,
	    .hi = 128,
	    .doc = "How long a password has to be.",
	    .restart = true,
	},
	{
	    .path = "admin_password",
	    .type = CONF_STRING,
	    .offset = offsetof(struct first_use_options, admin_password),
	    .lo = OWN_ADMIN_PASSWORD_MIN,
	    .hi = PASSWORD_MAX,
	    .doc = "The first password of administrators.",
	    .restart = true,
	},
};

static int read_options(
    struct own_policy *out, const struct auth_env *env, struct err *err)
{
	struct first_use_options opt = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	*out = (struct own_policy){
		.kind = "first-use",
		.takes_first = true,
		.create_users = opt.create_users,
		.min_length = opt.min_password_length,
	};
	own_policy_set_admin_password(out, opt.admin_password);
	arena_fini(&a);
	return rc;
}

static struct authenticator *first_use_open(
    const struct auth_env *env, struct err *err)
{
	struct own_policy policy;
	struct own_login *o;

	if (read_options(&policy, env, err) < 0)
		return NULL;
	o = own_login_new(&authenticator_first_use, env, &policy, err);
	return o ? own_login_plug(o) : NULL;
}

const struct authenticator_kind authenticator_first_use = {
	.name = "first-use",
	.has_form = true,
	.open = first_use_open,
	.begin = own_login_begin,
	.reply = answers_no_reply,
	.cancel = own_login_cancel,
	.close = own_login_close,
};
