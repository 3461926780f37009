/*
 * See server_failure.h.
 */
#include "hub/server_failure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/app.h"
#include "hub/server_priv.h"

struct failure {
	struct list link;
	int64_t id;
	json_t *told;
};

static void drop(struct failure *f)
{
	list_del(&f->link);
	json_decref(f->told);
	free(f);
}

void server_failures_init(struct servers *all)
{
	list_init(&all->failures);
}

void server_failures_fini(struct servers *all)
{
	while (!list_empty(&all->failures))
		drop(LIST_ITEM(all->failures.next, struct failure, link));
}

static struct failure *find(struct servers *all, int64_t id)
{
	list_for_each (it, &all->failures) {
		struct failure *f = LIST_ITEM(it, struct failure, link);
		if (f->id == id)
			return f;
	}
	return NULL;
}

static size_t count(struct servers *all)
{
	size_t n = 0;

	list_for_each (it, &all->failures)
		n++;
	return n;
}

/* ---- what is told -------------------------------------------------------- */

static json_t *time_json(int64_t wall_us)
{
	char text[CLOCK_ISO_MAX];

	clock_format_iso(wall_us, text);
	return json_string(text);
}

/* A step lasts until the next one; the last one is not over. */
json_t *server_steps_json(const struct server *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_steps; i++) {
		const struct server_step *step = &s->steps[i];
		json_t *took = json_null();

		if (i + 1 < s->n_steps)
			took = json_integer(
			    (s->steps[i + 1].at_us - step->at_us) / 1000);
		json_array_append_new(
		    list, json_pack("{s:s, s:o, s:o}", "message", step->message,
			      "at", time_json(step->at_us), "took_ms", took));
	}
	return list;
}

/* The end of it, from the beginning of a line on. */
static const char *bounded_tail(const char *tail)
{
	size_t len = strlen(tail);
	const char *line;

	if (len <= SERVER_FAILURE_TAIL_MAX)
		return tail;
	tail += len - SERVER_FAILURE_TAIL_MAX;
	line = strchr(tail, '\n');
	if (line)
		return line + 1;
	while ((*tail & 0xc0) == 0x80)
		tail++;
	return tail;
}

static const char *hint(const struct server_end *end)
{
	if (!end->is_known)
		return "The reason names what was waited for. The times are "
		       "server.start_timeout and server.http_timeout in "
		       "carrel.yaml; `systemctl status carrel-spawner` tells "
		       "how the spawner is.";
	if (end->oom)
		return "Give the profile more memory in root's spawner.yaml, "
		       "or have the person start with less.";
	if (end->signo > 0)
		return "Something ended the process: a limit of the profile "
		       "or of pam_limits, an administrator, or a fault in the "
		       "program. The kernel's log (`journalctl -k`) may tell.";
	if (end->status == 127)
		return "The command was not found for that account: see "
		       "`command` and PATH of the profile in root's "
		       "spawner.yaml.";
	if (end->status == 126)
		return "The command may not be run by that account: see its "
		       "mode and those of the directories above it.";
	return "The last lines of the server say what it did not like: often "
	       "its own configuration, a full disk, or a home directory that "
	       "is missing.";
}

static json_t *end_json(const struct server_end *end)
{
	if (!end->is_known)
		return json_null();
	return json_pack("{s:o, s:o, s:b}", "status",
	    end->signo > 0 ? json_null() : json_integer(end->status), "signal",
	    end->signo > 0 ? json_integer(end->signo) : json_null(), "oom",
	    (int)end->oom);
}

static json_t *tell(const struct server *s)
{
	const char *tail = s->tail ? bounded_tail(s->tail) : "";
	json_t *lines = json_string(tail);

	return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o}", "at",
	    time_json(clock_wall_us()), "reason", s->failure, "exit",
	    end_json(&s->end), "hint", hint(&s->end), "log",
	    lines ? lines : json_string("(no UTF-8)"), "steps",
	    server_steps_json(s));
}

void server_failure_note(struct server *s)
{
	struct servers *all = s->app->servers;
	struct failure *f = find(all, s->id);

	if (f)
		drop(f);
	if (count(all) == SERVER_FAILURES_MAX)
		drop(LIST_ITEM(all->failures.prev, struct failure, link));
	f = xcalloc(1, sizeof *f);
	f->id = s->id;
	f->told = tell(s);
	list_add_head(&all->failures, &f->link);
}

const json_t *server_failure_of(struct app *app, int64_t id)
{
	const struct failure *f = find(app->servers, id);

	return f ? f->told : NULL;
}
