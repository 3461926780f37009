/*
 * See tmp.h.
 */
#include "auth/tmp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#define PREFIX "tmp-"

struct tmp {
	struct authenticator base;
	struct answers answers;
	struct tmp_policy policy;
};

static struct tmp *tmp_of(struct authenticator *au)
{
	return (struct tmp *)(void *)au;
}

struct tmp_options {
	const char *accounts;
	int64_t max_visitors, lifetime_s;
};

static const struct conf_option table[] = {
	{
	    .path = "accounts",
	    .type = CONF_WORD,
	    .offset = offsetof(struct tmp_options, accounts),
	    .words = "one|made",
	    .doc = "Whose Unix account their servers run as.",
	    .restart = true,
	},
	{
	    .path = "max_visitors",
	    .type = CONF_INT,
	    .offset = offsetof(struct tmp_options, max_visitors),
	    .fallback = "100",
	    .lo = 1,
	    .hi = 10000,
	    .doc = "How many there may be at a time.",
	    .restart = true,
	},
	{
	    .path = "lifetime",
	    .type = CONF_SECONDS,
	    .offset = offsetof(struct tmp_options, lifetime_s),
	    .fallback = "12h",
	    .lo = 60,
	    .hi = 2592000,
	    .doc = "How long a visit may last.",
	    .restart = true,
	},
};

static int check(
    const struct tmp_options *opt, const struct auth_env *env, struct err *err)
{
	if (!opt->accounts || !*opt->accounts)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: tmp\" needs the option "
		    "\"accounts\", because visitors have no Unix account. "
		    "\"one\": Carrel serves one account (it was not started as "
		    "root), and visitors' servers run as that. \"made\": each "
		    "gets an account of their own, which "
		    "auth.create_system_users and spawner.yaml's "
		    "create_account make");
	if (str_eq(opt->accounts, "made") && !env->creates_accounts)
		return err_set(err, ERR_INVALID,
		    "auth.options: \"accounts: made\" wants "
		    "\"auth.create_system_users: true\": otherwise visitors "
		    "have no Unix account and no server of theirs can start");
	return 0;
}

static int read_options(
    struct tmp *t, const struct auth_env *env, struct err *err)
{
	struct tmp_options opt = { 0 };
	struct arena a;
	int rc;

	arena_init(&a);
	rc = conf_bind(&a, env->options, env->file, table,
	    sizeof table / sizeof table[0], &opt, NULL, err);
	if (rc < 0)
		rc = err_wrap(err, "auth.options");
	else
		rc = check(&opt, env, err);
	t->policy = (struct tmp_policy){
		.max_visitors = opt.max_visitors,
		.lifetime_s = opt.lifetime_s,
	};
	if (rc == 0 && str_eq(opt.accounts, "one"))
		log_warn(NULL, "visitors share one Unix account",
		    "kind=tmp hint=\"each can read and change what the others "
		    "have\"");
	arena_fini(&a);
	return rc;
}

static struct authenticator *tmp_open(
    const struct auth_env *env, struct err *err)
{
	struct tmp *t = xcalloc(1, sizeof *t);

	t->base.kind = &authenticator_tmp;
	answers_init(&t->answers, env);
	if (read_options(t, env, err) < 0) {
		free(t);
		return NULL;
	}
	return &t->base;
}

/* A form that somebody sends all the same is denied. */
static void tmp_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)form;
	answers_give(&tmp_of(au)->answers, attempt, AUTH_RES_DENIED, "");
}

static void tmp_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&tmp_of(au)->answers, attempt);
}

static void tmp_close(struct authenticator **au)
{
	struct tmp *t = tmp_of(*au);

	*au = NULL;
	if (!t)
		return;
	answers_fini(&t->answers);
	free(t);
}

const struct tmp_policy *tmp_policy_of(const struct authenticator *au)
{
	assert(au->kind == &authenticator_tmp);
	return &((const struct tmp *)(const void *)au)->policy;
}

void tmp_name(char out[TMP_NAME_LEN + 1])
{
	size_t len = strlen(PREFIX);

	memcpy(out, PREFIX, len);
	rand_hex(out + len, TMP_NAME_LEN - len);
}

const struct authenticator_kind authenticator_tmp = {
	.name = "tmp",
	.has_form = false,
	.open = tmp_open,
	.begin = tmp_begin,
	.reply = answers_no_reply,
	.cancel = tmp_cancel,
	.close = tmp_close,
};
