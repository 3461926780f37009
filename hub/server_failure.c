/*
 * See server_failure.h.
 */
#include "hub/server_failure.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/failure.h"
#include "hub/app.h"
#include "hub/server_priv.h"

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"
#define SECRET_MIN 30 /* the shortest of the hub's own */

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

/* Long words of letters and digits may be tokens: they are not kept. */
static json_t *without_secrets(const char *lines)
{
	struct buf out;
	json_t *value;

	buf_init(&out, 2 * SERVER_FAILURE_TAIL_MAX);
	while (*lines) {
		size_t n = strspn(lines, LETTERS DIGITS);
		bool is_long = n >= SECRET_MIN && strcspn(lines, DIGITS) < n;

		if (is_long)
			buf_str(&out, "(hidden)");
		else
			buf_slice(&out, slice_make(lines, n));
		lines += n;
		if (*lines)
			buf_char(&out, *lines++);
	}
	value = json_string(buf_view(&out));
	buf_fini(&out);
	return value ? value : json_string("(no UTF-8)");
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

	return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o}", "at",
	    time_json(clock_wall_us()), "reason", s->failure, "exit",
	    end_json(&s->end), "hint", hint(&s->end), "log",
	    without_secrets(tail), "steps", server_steps_json(s));
}

/* On disk by the next sync; nobody waits for it. */
void server_failure_note(struct server *s)
{
	struct err err = { 0 };
	json_t *told = tell(s);
	char *text = json_text(told, NULL);

	if (failure_put(s->app->db, s->id, clock_wall_us(), text, &err) != 0)
		log_warn(NULL, "why a start failed is not kept",
		    "id=%lld why=\"%s\"", (long long)s->id, err.text);
	free(text);
	json_decref(told);
}

int server_failure_of(
    struct app *app, int64_t id, json_t **out, struct err *err)
{
	const char *text = NULL;
	struct arena a;
	int found;

	*out = NULL;
	arena_init(&a);
	found = failure_find(app->db, &a, id, &text, err);
	if (found == 1 && json_parse(text, strlen(text), out, err) != 0)
		found = -1;
	arena_fini(&a);
	return found;
}
