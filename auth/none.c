/*
 * See none.h. A form that somebody sends all the same is denied.
 */
#include "auth/none.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

struct none {
	struct authenticator base;
	struct loop *loop;
	const struct auth_sink *sink;
	struct list attempts;
};

struct none_attempt {
	struct list link;
	struct none *owner;
	uint64_t id;
	struct defer answer;
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
		(void)err_set(err, ERR_INVALID,
		    "auth.options: \"auth.type: none\" has no options; those "
		    "of a provider stand in auth.providers");
		return NULL;
	}
	n = xcalloc(1, sizeof *n);
	n->base.kind = &authenticator_none;
	n->loop = env->loop;
	n->sink = env->sink;
	list_init(&n->attempts);
	return &n->base;
}

static void attempt_free(struct none_attempt *at)
{
	defer_cancel(&at->answer);
	list_del(&at->link);
	free(at);
}

static void on_answer(void *arg)
{
	struct none_attempt *at = arg;
	const struct auth_sink *sink = at->owner->sink;
	uint64_t id = at->id;

	attempt_free(at);
	sink->done(id, AUTH_RES_DENIED, NULL, "", sink->arg);
}

static void none_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct none_attempt *at = xcalloc(1, sizeof *at);

	(void)form;
	at->owner = none_of(au);
	at->id = attempt;
	list_add_tail(&at->owner->attempts, &at->link);
	defer_call(at->owner->loop, &at->answer, on_answer, at);
}

/* It never asks. */
static void none_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	(void)au;
	(void)attempt;
	(void)text;
}

static void none_cancel(struct authenticator *au, uint64_t attempt)
{
	list_for_each (it, &none_of(au)->attempts) {
		struct none_attempt *at =
		    LIST_ITEM(it, struct none_attempt, link);

		if (at->id == attempt)
			attempt_free(at);
	}
}

static void none_close(struct authenticator **au)
{
	struct none *n = none_of(*au);

	*au = NULL;
	if (!n)
		return;
	list_for_each (it, &n->attempts)
		attempt_free(LIST_ITEM(it, struct none_attempt, link));
	free(n);
}

const struct authenticator_kind authenticator_none = {
	.name = "none",
	.has_form = false,
	.open = none_open,
	.begin = none_begin,
	.reply = none_reply,
	.cancel = none_cancel,
	.close = none_close,
};
