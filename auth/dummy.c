/*
 * See dummy.h. The smallest authenticator there can be: the answer is known at
 * once and told when this turn of the loop ends.
 */
#include "auth/dummy.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"

#define PASSWORD_MAX 1024

struct dummy {
	struct authenticator base;
	struct loop *loop;
	const struct auth_sink *sink;
	unsigned char digest[MAC_SHA256_LEN]; /* of the password */
	struct list attempts;
};

struct dummy_attempt {
	struct list link;
	struct dummy *owner;
	uint64_t id;
	char *username;
	bool is_right;
	struct defer answer;
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
	else
		mac_sha256(opt.password, strlen(opt.password), d->digest);
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
	d->loop = env->loop;
	d->sink = env->sink;
	list_init(&d->attempts);
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

static void attempt_free(struct dummy_attempt *at)
{
	defer_cancel(&at->answer);
	list_del(&at->link);
	free(at->username);
	free(at);
}

static void on_answer(void *arg)
{
	struct dummy_attempt *at = arg;
	const struct auth_sink *sink = at->owner->sink;
	char *username = at->username;
	const struct auth_identity identity = { .name = username };
	bool is_right = at->is_right;
	uint64_t id = at->id;

	/* Gone before the sink is called, which may do anything. */
	at->username = NULL;
	attempt_free(at);
	if (is_right)
		sink->done(id, AUTH_RES_OK, &identity, "", sink->arg);
	else
		sink->done(id, AUTH_RES_DENIED, NULL, "", sink->arg);
	free(username);
}

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
	struct dummy_attempt *at = xcalloc(1, sizeof *at);

	at->owner = d;
	at->id = attempt;
	at->username = xstrdup(form->username ? form->username : "");
	at->is_right = at->username[0] && is_password(d, form->password);
	list_add_tail(&d->attempts, &at->link);
	defer_call(d->loop, &at->answer, on_answer, at);
}

/* It never asks. */
static void dummy_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	(void)au;
	(void)attempt;
	(void)text;
}

static void dummy_cancel(struct authenticator *au, uint64_t attempt)
{
	struct dummy *d = dummy_of(au);

	list_for_each (it, &d->attempts) {
		struct dummy_attempt *at =
		    LIST_ITEM(it, struct dummy_attempt, link);

		if (at->id == attempt)
			attempt_free(at);
	}
}

static void dummy_close(struct authenticator **au)
{
	struct dummy *d = dummy_of(*au);

	*au = NULL;
	if (!d)
		return;
	list_for_each (it, &d->attempts)
		attempt_free(LIST_ITEM(it, struct dummy_attempt, link));
	mem_wipe(d->digest, sizeof d->digest);
	free(d);
}

const struct authenticator_kind authenticator_dummy = {
	.name = "dummy",
	.has_form = true,
	.open = dummy_open,
	.begin = dummy_begin,
	.reply = dummy_reply,
	.cancel = dummy_cancel,
	.close = dummy_close,
};
