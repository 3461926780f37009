/*
 * carrel servers ...
 */
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "hub/cli/api.h"
#include "hub/cli/server_name.h"
#include "hub/cli/table.h"

#define WAIT_NS 300000000

const char *server_name_path(
    struct api *api, const char *arg, const char **name_out)
{
	const char *slash = strchr(arg, '/');
	const char *user =
	    slash ? arena_strndup(&api->arena, arg, (size_t)(slash - arg))
		  : arg;

	*name_out = slash ? slash + 1 : "";
	return api_escape(api, user);
}

static const char *server_path(struct api *api, const char *arg)
{
	const char *name, *user = server_name_path(api, arg, &name);

	if (!*name)
		return api_path(api, "/users/%s/server", user);
	return api_path(
	    api, "/users/%s/servers/%s", user, api_escape(api, name));
}

/* ---- list ---------------------------------------------------------- */

static void add_servers(json_t *user, json_t *list)
{
	const char *name;
	json_t *server;

	json_object_foreach (json_object_get(user, "servers"), name, server)
		json_array_append(list, server);
}

static int read_one(struct api *api, const char *user, json_t *list)
{
	bool all = call_has(api->call, OPTION_ALL);
	json_t *model;
	int rc = api_ask(api, "GET",
	    api_path(api, "/users/%s%s", api_escape(api, user),
		all ? "?include_stopped_servers=1" : ""),
	    NULL, &model);

	if (rc != EXIT_DONE)
		return rc;
	add_servers(model, list);
	json_decref(model);
	return EXIT_DONE;
}

static int read_all(struct api *api, json_t *list)
{
	bool all = call_has(api->call, OPTION_ALL);
	json_t *users;
	int rc = api_list(api, "/users",
	    all ? "include_stopped_servers=1" : "state=active", &users);

	if (rc != EXIT_DONE)
		return rc;
	for (size_t i = 0; i < json_array_size(users); i++)
		add_servers(json_array_get(users, i), list);
	json_decref(users);
	return EXIT_DONE;
}

static void print_servers(struct api *api, const json_t *list)
{
	static const char *const titles[] = { "SERVER", "STATE", "STARTED",
		"LAST ACTIVITY", "URL", NULL };
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *s = json_array_get(list, i);
		const char *pending = api_text(api, s, "pending");
		table_add(&t, api_text(api, s, "full_name"));
		table_add(&t, pending                     ? pending
			      : api_text(api, s, "ready") ? "ready"
							  : "at rest");
		table_add(&t, api_time(api, s, "started"));
		table_add(&t, api_time(api, s, "last_activity"));
		table_add(&t, api_text(api, s, "url"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_list(struct api *api)
{
	const char *user = call_value(api->call, OPTION_USER);
	json_t *list = json_array();
	int rc = user ? read_one(api, user, list) : read_all(api, list);

	if (rc == EXIT_DONE && api_wants_json(api))
		api_print_json(list);
	else if (rc == EXIT_DONE)
		print_servers(api, list);
	json_decref(list);
	return rc;
}

int servers_list(struct call *c)
{
	return api_run(c, do_list);
}

/* ---- start --------------------------------------------------------- */

/* 0 the start is over, *ready_out says how; else an exit code. */
static int wait_end(struct api *api, const char *arg, bool *ready_out)
{
	const struct timespec pause = { .tv_nsec = WAIT_NS };
	bool pending = true;

	while (pending) {
		json_t *server;
		int rc =
		    api_ask(api, "GET", server_path(api, arg), NULL, &server);
		if (rc != EXIT_DONE)
			return rc;
		pending = api_text(api, server, "pending") != NULL;
		*ready_out = api_text(api, server, "ready") != NULL;
		json_decref(server);
		if (pending)
			(void)nanosleep(&pause, NULL);
	}
	return EXIT_DONE;
}

static int do_start(struct api *api)
{
	const char *arg = api->call->args[0];
	bool ready = false;
	int status;
	int rc =
	    api_ask_status(api, "POST", server_path(api, arg), NULL, &status);

	if (rc != EXIT_DONE) {
		if (status == 500)
			fprintf(stderr, "carrel: `carrel why %s` tells more\n",
			    arg);
		return rc;
	}
	if (status == 202 && !call_has(api->call, OPTION_WAIT)) {
		puts("on its way");
		return EXIT_DONE;
	}
	if (status == 202 && (rc = wait_end(api, arg, &ready)) != EXIT_DONE)
		return rc;
	if (status == 202 && !ready) {
		fprintf(stderr,
		    "carrel: it did not start; `carrel why %s` tells why\n",
		    arg);
		return EXIT_REFUSED;
	}
	puts("ready");
	return EXIT_DONE;
}

int servers_start(struct call *c)
{
	return api_run(c, do_start);
}

/* ---- stop ---------------------------------------------------------- */

static int stop_one(struct api *api, const char *arg, json_t *body)
{
	int status;
	int rc =
	    api_ask_status(api, "DELETE", server_path(api, arg), body, &status);

	if (rc == EXIT_DONE)
		puts(status == 202 ? "on its way" : "stopped");
	return rc;
}

static int do_stop(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	if (!api_confirm(api, "Stop %s%s? What is not saved there is lost.",
		c->args[0], c->n_args > 1 ? " and others" : ""))
		return EXIT_REFUSED;
	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = stop_one(api, c->args[i], NULL);
	return rc;
}

int servers_stop_cmd(struct call *c)
{
	return api_run(c, do_stop);
}

static int do_remove(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	if (!api_confirm(api, "Stop %s%s and forget %s?", c->args[0],
		c->n_args > 1 ? " and others" : "",
		c->n_args > 1 ? "them" : "it"))
		return EXIT_REFUSED;
	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = stop_one(api, c->args[i], json_pack("{s:b}", "remove", 1));
	return rc;
}

int servers_remove(struct call *c)
{
	return api_run(c, do_remove);
}
