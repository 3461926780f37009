/*
 * See native.h: options, and the plug. The login is own_login.c, signing up the
 * hub's pages.
 */
#include "auth/native.h"

#include "auth/own_login.h"
#include "auth/passwords.h"
#include "base/str.h"

struct native_options {
	bool open_signup, enable_signup;
	int64_t minimum_password_length, max_waiting;
	const char *admin_password, *totp;
};

static const struct conf_option table[] = {
	{
	    .path = "enable_signup",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct native_options, enable_signup),
	    .fallback = "true",
	    .doc = "Whether people may sign up.",
	    .restart = true,
	},
	{
	    .path = "open_signup",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct native_options, open_signup),
	    .fallback = "false",
	    .doc = "Whether they need no approval.",
	    .restart = true,
	},
	{
	    .path = "minimum_password_length",
	    .type = CONF_INT,
	    .offset = offsetof(struct native_options, minimum_password_length),
	    .fallback = "8",
	    .lo = 8,
	    .hi = 128,
	    .doc = "How long a password has to be.",
	    .restart = true,
	},
	{
	    .path = "max_waiting",
	    .type = CONF_INT,
	    .offset = offsetof(struct native_options, max_waiting),
	    .fallback = "1000",
	    .lo = 1,
	    .hi = 100000,
	    .doc = "How many sign-ups may wait for an administrator.",
	    .restart = true,
	},
	{
	    .path = "admin_password",
	    .type = CONF_STRING,
	    .offset = offsetof(struct native_options, admin_password),
	    .lo = OWN_ADMIN_PASSWORD_MIN,
	    .hi = PASSWORD_MAX,
	    .doc = "The first password of administrators.",
	    .restart = true,
	},
	{
	    .path = "totp",
	    .type = CONF_WORD,
	    .offset = offsetof(struct native_options, totp),
	    .fallback = "off",
	    .words = "off|optional|required",
	    .doc = "Whether people may, or must, have a second step.",
	    .restart = true,
	},
};

static enum second_step_mode second_step_of(const char *word)
{
	if (str_eq(word, "required"))
		return SECOND_STEP_REQUIRED;
	return str_eq(word, "optional") ? SECOND_STEP_OPTIONAL
					: SECOND_STEP_OFF;
}

static int read_options(
    struct own_policy *out, const struct auth_env *env, struct err *err)
{
	struct native_options opt = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	*out = (struct own_policy){
		.kind = "native",
		.has_signup = opt.enable_signup,
		.open_signup = opt.open_signup,
		.min_length = opt.minimum_password_length,
		.max_waiting = opt.max_waiting,
		.second_step = second_step_of(opt.totp),
	};
	own_policy_set_admin_password(out, opt.admin_password);
	arena_fini(&a);
	return rc;
}

static struct authenticator *native_open(
    const struct auth_env *env, struct err *err)
{
	struct own_policy policy;
	struct own_login *o;

	if (read_options(&policy, env, err) < 0)
		return NULL;
	o = own_login_new(&authenticator_native, env, &policy, err);
	return o ? own_login_plug(o) : NULL;
}

const struct authenticator_kind authenticator_native = {
	.name = "native",
	.has_form = true,
	.open = native_open,
	.begin = own_login_begin,
	.reply = own_login_reply,
	.cancel = own_login_cancel,
	.close = own_login_close,
};
