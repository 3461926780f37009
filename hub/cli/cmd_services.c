/*
 * carrel services ..., carrel roles ...
 */
#include <stdlib.h>

#include "base/str.h"
#include "hub/cli/api.h"
#include "hub/cli/table.h"

static const char *service_path(struct api *api, const char *name)
{
	return api_path(api, "/services/%s", api_escape(api, name));
}

static void print_services(struct api *api, json_t *all)
{
	static const char *const titles[] = { "SERVICE", "ADMIN", "URL", "PID",
		"ROLES", NULL };
	struct table t;
	const char *name;
	json_t *service;

	table_init(&t, &api->arena, titles);
	json_object_foreach (all, name, service) {
		table_add(&t, name);
		table_add(&t, api_text(api, service, "admin"));
		table_add(&t, api_text(api, service, "url"));
		table_add(
		    &t, json_integer_value(json_object_get(service, "pid")) > 0
			    ? api_text(api, service, "pid")
			    : NULL);
		table_add(&t, api_text(api, service, "roles"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_list(struct api *api)
{
	json_t *all;
	int rc = api_ask(api, "GET", "/services", NULL, &all);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(all);
	else
		print_services(api, all);
	json_decref(all);
	return EXIT_DONE;
}

int services_list(struct call *c)
{
	return api_run(c, do_list);
}

/* Every member that has a value, by its name. */
static void print_members(struct api *api, json_t *obj)
{
	const char *name;
	json_t *value;

	json_object_foreach (obj, name, value) {
		char *text = NULL;
		if (json_is_object(value) && json_object_size(value) > 0)
			text = json_dumps(value, JSON_COMPACT);
		api_say(api, name, text ? text : api_text(api, obj, name));
		free(text);
	}
}

static int do_show(struct api *api)
{
	json_t *service;
	int rc = api_ask(
	    api, "GET", service_path(api, api->call->args[0]), NULL, &service);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(service);
	else
		print_members(api, service);
	json_decref(service);
	return EXIT_DONE;
}

int services_show(struct call *c)
{
	return api_run(c, do_show);
}

static int do_remove(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	if (!api_confirm(api, "Delete the service %s%s with its tokens?",
		c->args[0], c->n_args > 1 ? " and others" : ""))
		return EXIT_REFUSED;
	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = api_ask(
		    api, "DELETE", service_path(api, c->args[i]), NULL, NULL);
	return rc;
}

int services_remove(struct call *c)
{
	return api_run(c, do_remove);
}

/* ---- roles --------------------------------------------------------- */

static void print_roles(struct api *api, const json_t *list)
{
	static const char *const titles[] = { "ROLE", "FROM", "USERS", "GROUPS",
		"SERVICES", "DESCRIPTION", NULL };
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *role = json_array_get(list, i);
		table_add(&t, api_text(api, role, "name"));
		table_add(&t, api_text(api, role, "is_configured")
				  ? "carrel.yaml"
				  : "carrel");
		table_add(&t, api_text(api, role, "users"));
		table_add(&t, api_text(api, role, "groups"));
		table_add(&t, api_text(api, role, "services"));
		table_add(&t, api_text(api, role, "description"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_roles(struct api *api)
{
	json_t *list;
	int rc = api_ask(api, "GET", "/explain/roles", NULL, &list);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(list);
	else
		print_roles(api, list);
	json_decref(list);
	return EXIT_DONE;
}

int roles_list(struct call *c)
{
	return api_run(c, do_roles);
}

static json_t *find_role(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *role = json_array_get(list, i);
		if (str_eq(
			json_string_value(json_object_get(role, "name")), name))
			return role;
	}
	return NULL;
}

static int do_role(struct api *api)
{
	json_t *list, *role;
	int rc = api_ask(api, "GET", "/explain/roles", NULL, &list);

	if (rc != EXIT_DONE)
		return rc;
	role = find_role(list, api->call->args[0]);
	if (!role) {
		fprintf(stderr,
		    "carrel: there is no such role; `carrel roles` shows "
		    "all\n");
		rc = EXIT_NOT_FOUND;
	} else if (api_wants_json(api)) {
		api_print_json(role);
	} else {
		print_members(api, role);
	}
	json_decref(list);
	return rc;
}

int roles_show(struct call *c)
{
	return api_run(c, do_role);
}
