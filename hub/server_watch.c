/*
 * Progress of a start: the steps so far, and who is told of the next ones. A
 * watcher may stop watching, or start and stop servers, while it is told.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "hub/app.h"
#include "hub/server_turn.h"

#define STEPS_MAX 32

/* ---- steps --------------------------------------------------------------- */

static void drop_last(struct server *s)
{
	free(s->steps[--s->n_steps].message);
	if (s->n_told > s->n_steps)
		s->n_told = s->n_steps;
}

static struct server_step *last_step(struct server *s)
{
	return s->n_steps > 0 ? &s->steps[s->n_steps - 1] : NULL;
}

/* Takes the message. A place in the line is replaced by what comes next, and
 * what was said last is not said again. */
static struct server_step *add(struct server *s, int percent, char *message)
{
	struct server_step *last;

	if (last_step(s) && last_step(s)->is_place)
		drop_last(s);
	last = last_step(s);
	if (last && last->percent == percent && !last->ready && !last->failed &&
	    str_eq(last->message, message)) {
		free(message);
		return last;
	}
	if (s->n_steps == STEPS_MAX)
		drop_last(s);
	if (!s->steps)
		s->steps = xcalloc(STEPS_MAX, sizeof *s->steps);
	s->steps[s->n_steps] = (struct server_step){
		.percent = percent,
		.message = message,
		.at_us = clock_wall_us(),
	};
	return &s->steps[s->n_steps++];
}

void server_step_add(struct server *s, int percent, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 1024);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	add(s, percent, buf_steal(&text));
}

void server_step_place(struct server *s, size_t n_before)
{
	struct server_step *step;
	char *text;

	if (n_before == 0)
		text = xstrdup("Waiting in line: this start is the next one");
	else
		text = xasprintf("Waiting in line: %zu start%s before this one",
		    n_before, n_before == 1 ? " is" : "s are");
	step = add(s, 5, text);
	step->is_place = true;
}

void server_step_ready(struct server *s)
{
	struct server_step *step =
	    add(s, 100, xasprintf("Server ready at %s", s->path));

	step->ready = true;
}

void server_step_failed(struct server *s, const char *text)
{
	struct server_step *step = add(s, 100, xstrdup(text));

	step->failed = true;
}

void server_steps_clear(struct server *s)
{
	while (s->n_steps > 0)
		drop_last(s);
	s->n_told = 0;
}

/* ---- watchers ------------------------------------------------------------ */

static void tell_one(
    struct server *s, struct server_watch *w, const struct server_step *step)
{
	const struct server_progress p = {
		.percent = step->percent,
		.message = step->message,
		.ready = step->ready,
		.failed = step->failed,
		.tail = step->failed ? s->tail : NULL,
	};

	if (w->fn)
		w->fn(w, s, &p, w->arg);
}

/* Each watcher once, whatever they do meanwhile: the list is walked by moving
 * its items to a list of those who know. */
static void tell_all(struct server *s, const struct server_step *step)
{
	struct list todo;

	list_init(&todo);
	while (!list_empty(&s->watches)) {
		struct list *it = s->watches.next;

		list_del(it);
		list_add_tail(&todo, it);
	}
	while (!list_empty(&todo)) {
		struct list *it = todo.next;

		list_del(it);
		list_add_tail(&s->watches, it);
		tell_one(s, LIST_ITEM(it, struct server_watch, link), step);
	}
}

void server_watch_tell(struct server *s)
{
	while (s->n_told < s->n_steps) {
		/* A copy: a watcher may start the server again. */
		struct server_step step = s->steps[s->n_told++];
		char *message = xstrdup(step.message);

		step.message = message;
		tell_all(s, &step);
		free(message);
	}
}

void server_watch_settle(struct server *s)
{
	struct list todo;

	list_init(&todo);
	while (!list_empty(&s->watches)) {
		struct list *it = s->watches.next;

		list_del(it);
		list_add_tail(&todo, it);
	}
	while (!list_empty(&todo)) {
		struct list *it = todo.next;
		struct server_watch *w =
		    LIST_ITEM(it, struct server_watch, link);

		list_del(it);
		if (w->settled)
			w->settled(w, s, w->arg);
	}
}

void server_watch_drop(struct server *s)
{
	while (!list_empty(&s->watches))
		list_del(s->watches.next);
}

static bool is_settled(const struct server *s)
{
	return s->state == SERVER_RUNNING || s->state == SERVER_FAILED ||
	       s->state == SERVER_GONE;
}

/* The steps that a newcomer must see: all of them, or just the last one. */
static size_t first_step(const struct server *s)
{
	return is_settled(s) && s->n_steps > 0 ? s->n_steps - 1 : 0;
}

void server_watch_start(struct server *s, struct server_watch *w)
{
	bool settled = is_settled(s);

	list_init(&w->link);
	list_add_tail(&s->watches, &w->link);
	for (size_t i = first_step(s); i < s->n_told; i++) {
		tell_one(s, w, &s->steps[i]);
		if (list_empty(&w->link))
			return;
	}
	if (!settled)
		return;
	list_del(&w->link);
	if (w->settled)
		w->settled(w, s, w->arg);
}

void server_watch_stop(struct server_watch *w)
{
	if (w->link.next)
		list_del(&w->link);
}
