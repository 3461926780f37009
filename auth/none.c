/*
 * See none.h. A form that somebody sends all the same is denied.
 */
#include "auth/none.h"

#include <stdlib.h>
#include <string.h>

#include "auth/answers.h"
#include "base/mem.h"
#include "base/str.h"

struct none {
	struct authenticator base;
	struct answers answers;
};

static struct none *none_of(struct authenticator *au)
{
	return (struct none *)(void *)au;
}

static struct authenticator *none_open(
    const struct auth_env *env, struct err *err)
{
	struct none *n;

	if (env->options && env->options->n_children > 0) {
		const char *key = env->options->child->key;
		char shown[64];

		key = key ? key : "";
		str_printable(shown, sizeof shown, key, strlen(key));
		(void)err_set(err, ERR_INVALID,
		    "auth.options: \"%s\" is no option of \"auth.type: "
		    "none\", which has none; those of a provider stand in "
		    "auth.providers",
		    shown);
		return NULL;
	}
	n = xcalloc(1, sizeof *n);
	n->base.kind = &authenticator_none;
	answers_init(&n->answers, env);
	return &n->base;
}

static void none_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)form;
	answers_give(&none_of(au)->answers, attempt, AUTH_RES_DENIED, "");
}

static void none_cancel(struct authenticator *au, uint64_t attempt)
{
	answers_cancel(&none_of(au)->answers, attempt);
}

static void none_close(struct authenticator **au)
{
	struct none *n = none_of(*au);

	*au = NULL;
	if (!n)
		return;
	answers_fini(&n->answers);
	free(n);
}

const struct authenticator_kind authenticator_none = {
	.name = "none",
	.has_form = false,
	.open = none_open,
	.begin = none_begin,
	.reply = answers_no_reply,
	.cancel = none_cancel,
	.close = none_close,
};
