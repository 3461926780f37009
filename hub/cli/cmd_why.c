/*
 * carrel why USER[/SERVER]: why the last start failed, and what to do.
 */
#include <string.h>

#include "base/str.h"
#include "hub/cli/api.h"
#include "hub/cli/server_name.h"
#include "hub/cli/table.h"
#include "hub/cli/text.h"

static void print_steps(struct api *api, const json_t *steps)
{
	static const char *const titles[] = { "AT", "TOOK", "STEP", NULL };
	struct table t;

	if (json_array_size(steps) == 0)
		return;
	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		const char *at = json_string_value(json_object_get(step, "at"));
		const char *took = api_text(api, step, "took_ms");
		table_add(&t, at && strlen(at) > 19
				  ? arena_printf(&api->arena, "%.8s", at + 11)
				  : NULL);
		table_add(
		    &t, took ? arena_printf(&api->arena, "%s ms", took) : NULL);
		table_add(&t, api_text(api, step, "message"));
	}
	putchar('\n');
	table_print(&t, table_terminal_width(stdout), stdout);
}

static const char *exit_text(struct api *api, const json_t *how)
{
	const char *signal = api_text(api, how, "signal");

	if (api_text(api, how, "oom"))
		return "out of memory, ended by the kernel";
	if (signal)
		return arena_printf(&api->arena, "signal %s", signal);
	if (!json_is_object(how))
		return NULL;
	return arena_printf(
	    &api->arena, "status %s", api_text(api, how, "status"));
}

static void print_failure(struct api *api, const json_t *failure)
{
	const char *log = api_text(api, failure, "log");

	api_say(api, "last failure", api_time(api, failure, "at"));
	api_say(api, "reason", api_text(api, failure, "reason"));
	api_say(
	    api, "process", exit_text(api, json_object_get(failure, "exit")));
	api_say(api, "what to do", api_text(api, failure, "hint"));
	print_steps(api, json_object_get(failure, "steps"));
	if (log && *log)
		printf("\nits last lines:\n%s%s",
		    text_clean(&api->arena, log, TEXT_KEEP_LINES),
		    str_ends(log, "\n") ? "" : "\n");
}

static void print_why(struct api *api, const json_t *a)
{
	const json_t *failure = json_object_get(a, "failure");

	api_say(api, "server",
	    arena_printf(&api->arena, "%s/%s", api_text(api, a, "user"),
		api_text(api, a, "name")));
	api_say(api, "state", api_text(api, a, "state"));
	if (json_is_object(failure))
		print_failure(api, failure);
	else
		puts("No failed start is known since the hub was started.");
	if (api_text(api, a, "ready") || api_text(api, a, "pending")) {
		puts("\nthe present start:");
		print_steps(api, json_object_get(a, "steps"));
	}
}

static int do_why(struct api *api)
{
	const char *name;
	const char *user = server_name_path(api, api->call->args[0], &name);
	json_t *answer;
	int rc = api_ask(api, "GET",
	    api_path(api, "/explain/server/%s/%s", user, api_escape(api, name)),
	    NULL, &answer);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(answer);
	else
		print_why(api, answer);
	json_decref(answer);
	return EXIT_DONE;
}

int why_cmd(struct call *c)
{
	return api_run(c, do_why);
}
