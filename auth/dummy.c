/*
 * See dummy.h. The smallest authenticator there can be: the answer is known at
 * once and told when this turn of the loop ends.
 */
#include "auth/dummy.h"

#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "auth/origin.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"

#define PASSWORD_MAX 1024

struct dummy {
	struct authenticator base;
	struct answers answers;
	unsigned char digest[MAC_SHA256_LEN]; /* of the password */
	unsigned char origin[ORIGIN_LEN];
};

static struct dummy *dummy_of(struct authenticator *au)
{
	return (struct dummy *)(void *)au;
}

/* ---- opening ------------------------------------------------------------- */

struct dummy_options {
	const char *password;
};

static const struct conf_option table[] = {
	{
	    .path = "password",
	    .type = CONF_STRING,
	    .offset = offsetof(struct dummy_options, password),
	    .lo = 1,
	    .hi = PASSWORD_MAX,
	    .doc = "The one password with which everybody may be anybody.",
	    .restart = true,
	},
};

/* Only a digest stays: all are of one length, which comparing then hides. */
static int read_options(
    struct dummy *d, const struct auth_env *env, struct err *err)
{
	struct dummy_options opt = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	else if (!opt.password)
		rc = err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: dummy\" needs the option "
		    "\"password\": the one password with which everybody may "
		    "log in under any name");
	if (rc == 0) {
		mac_sha256(opt.password, strlen(opt.password), d->digest);
		origin_of(env->keys, "dummy", opt.password, d->origin);
	}
	arena_fini(&a);
	return rc;
}

static struct authenticator *dummy_open(
    const struct auth_env *env, struct err *err)
{
	struct dummy *d;

	if (env->public_address) {
		(void)err_set(err, ERR_INVALID,
		    "\"auth.type: dummy\" is for tests and demonstrations: "
		    "everybody who knows its password may be anybody. It is "
		    "refused where people from elsewhere can come: use pam, or "
		    "take the hub's public address out of the configuration");
		return NULL;
	}
	d = xcalloc(1, sizeof *d);
	d->base.kind = &authenticator_dummy;
	answers_init(&d->answers, env);
	if (read_options(d, env, err) < 0) {
		free(d);
		return NULL;
	}
	log_warn(NULL, "logins are not checked by name",
	    "kind=dummy hint=\"everybody who knows the password may be "
	    "anybody\"");
	return &d->base;
}

/* ---- attempts ------------------------------------------------------------ */

static bool is_password(const struct dummy *d, const char *password)
{
	unsigned char digest[MAC_SHA256_LEN];

	if (!password)
		return false;
	mac_sha256(password, strlen(password), digest);
	return mac_equal(digest, sizeof digest, d->digest, sizeof d->digest);
}

static void dummy_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct dummy *d = dummy_of(au);
	const char *name = form->username ? form->username : "";
	bool is_right = name[0] && is_password(d, form->password);

	const struct auth_identity id = { .name = name, .origin = d->origin };

	if (is_right)
		answers_give_identity(&d->answers, attempt, &id);
	else
		answers_give(&d->answers, attempt, AUTH_RES_DENIED, name);
}

static void dummy_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&dummy_of(au)->answers, attempt);
}

static void dummy_close(struct authenticator **au)
{
	struct dummy *d = dummy_of(*au);

	*au = NULL;
	if (!d)
		return;
	answers_fini(&d->answers);
	mem_wipe(d->digest, sizeof d->digest);
	free(d);
}

static size_t dummy_origins(const struct authenticator *au,
    unsigned char (*out)[ORIGIN_LEN], size_t cap)
{
	if (cap == 0)
		return 0;
	memcpy(out[0], ((const struct dummy *)(const void *)au)->origin,
	    ORIGIN_LEN);
	return 1;
}

const struct authenticator_kind authenticator_dummy = {
	.name = "dummy",
	.has_form = true,
	.open = dummy_open,
	.begin = dummy_begin,
	.reply = answers_no_reply,
	.cancel = dummy_cancel,
	.close = dummy_close,
	.origins = dummy_origins,
};
