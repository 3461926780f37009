/*
 * Answers that wait for the end of the turn.
 */
#include "auth/answers.h"

#include <stdlib.h>

#include "base/mem.h"

struct answer {
	struct list link;
	const struct auth_sink *sink;
	uint64_t attempt;
	enum auth_result res;
	char *username;
	struct defer later;
};

void answers_init(struct answers *a, const struct auth_env *env)
{
	a->loop = env->loop;
	a->sink = env->sink;
	list_init(&a->waiting);
}

static void answer_free(struct answer *w)
{
	defer_cancel(&w->later);
	list_del(&w->link);
	free(w->username);
	free(w);
}

void answers_fini(struct answers *a)
{
	list_for_each (it, &a->waiting)
		answer_free(LIST_ITEM(it, struct answer, link));
}

static void tell(void *arg)
{
	struct answer *w = arg;
	const struct auth_sink *sink = w->sink;
	char *username = w->username;
	const struct auth_identity identity = { .name = username };
	enum auth_result res = w->res;
	uint64_t attempt = w->attempt;

	/* Gone before the sink is called, which may do anything. */
	w->username = NULL;
	answer_free(w);
	sink->done(
	    attempt, res, res == AUTH_RES_OK ? &identity : NULL, "", sink->arg);
	free(username);
}

void answers_give(struct answers *a, uint64_t attempt, enum auth_result res,
    const char *username)
{
	struct answer *w = xcalloc(1, sizeof *w);

	w->sink = a->sink;
	w->attempt = attempt;
	w->res = res;
	w->username = xstrdup(username);
	list_add_tail(&a->waiting, &w->link);
	defer_call(a->loop, &w->later, tell, w);
}

void answers_cancel(struct answers *a, uint64_t attempt)
{
	list_for_each (it, &a->waiting) {
		struct answer *w = LIST_ITEM(it, struct answer, link);

		if (w->attempt == attempt)
			answer_free(w);
	}
}

void answers_no_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	(void)au;
	(void)attempt;
	(void)text;
}
