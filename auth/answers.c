/*
 * Answers that wait for the end of the turn.
 */
#include "auth/answers.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"

struct answer {
	struct list link;
	const struct auth_sink *sink;
	uint64_t attempt;
	enum auth_result res;
	struct auth_identity identity; /* in the arena */
	struct arena arena;
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
	arena_fini(&w->arena);
	free(w);
}

void answers_fini(struct answers *a)
{
	list_for_each (it, &a->waiting)
		answer_free(LIST_ITEM(it, struct answer, link));
}

/* Out of the list before the sink is called, which may do anything. */
static void tell(void *arg)
{
	struct answer *w = arg;
	const struct auth_sink *sink = w->sink;

	list_del(&w->link);
	sink->done(w->attempt, w->res,
	    w->res == AUTH_RES_OK ? &w->identity : NULL, "", sink->arg);
	answer_free(w);
}

static struct answer *answer_new(
    struct answers *a, uint64_t attempt, enum auth_result res)
{
	struct answer *w = xcalloc(1, sizeof *w);

	w->sink = a->sink;
	w->attempt = attempt;
	w->res = res;
	arena_init(&w->arena);
	list_add_tail(&a->waiting, &w->link);
	defer_call(a->loop, &w->later, tell, w);
	return w;
}

void answers_give(struct answers *a, uint64_t attempt, enum auth_result res,
    const char *username)
{
	struct answer *w = answer_new(a, attempt, res);

	w->identity.name = arena_strdup(&w->arena, username);
}

static const char *copy(struct arena *a, const char *s)
{
	return s ? arena_strdup(a, s) : NULL;
}

void answers_give_identity(
    struct answers *a, uint64_t attempt, const struct auth_identity *id)
{
	struct answer *w = answer_new(a, attempt, AUTH_RES_OK);
	const char **groups =
	    arena_array(&w->arena, id->n_groups, sizeof *groups);

	for (size_t i = 0; i < id->n_groups; i++)
		groups[i] = arena_strdup(&w->arena, id->groups[i]);
	w->identity = (struct auth_identity){
		.name = arena_strdup(&w->arena, id->name),
		.account = copy(&w->arena, id->account),
		.groups = groups,
		.n_groups = id->n_groups,
		.source = copy(&w->arena, id->source),
		.subject = copy(&w->arena, id->subject),
		.origin = id->origin
			      ? arena_memdup(&w->arena, id->origin, ORIGIN_LEN)
			      : NULL,
	};
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
