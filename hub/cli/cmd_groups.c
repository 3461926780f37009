/*
 * carrel groups ...
 */
#include <stdlib.h>

#include "hub/cli/api.h"
#include "hub/cli/table.h"

static const char *group_path(struct api *api, const char *name)
{
	return api_path(api, "/groups/%s", api_escape(api, name));
}

static void print_groups(struct api *api, const json_t *list)
{
	static const char *const titles[] = { "GROUP", "MEMBERS", "ROLES",
		NULL };
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *group = json_array_get(list, i);
		table_add(&t, api_text(api, group, "name"));
		table_add(&t, api_text(api, group, "users"));
		table_add(&t, api_text(api, group, "roles"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_list(struct api *api)
{
	json_t *list;
	int rc = api_list(api, "/groups", "", &list);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(list);
	else
		print_groups(api, list);
	json_decref(list);
	return EXIT_DONE;
}

int groups_list(struct call *c)
{
	return api_run(c, do_list);
}

static int do_show(struct api *api)
{
	json_t *group;
	int rc = api_ask(
	    api, "GET", group_path(api, api->call->args[0]), NULL, &group);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api)) {
		api_print_json(group);
	} else {
		char *properties = json_dumps(
		    json_object_get(group, "properties"), JSON_COMPACT);
		api_say(api, "group", api_text(api, group, "name"));
		api_say(api, "members", api_text(api, group, "users"));
		api_say(api, "roles", api_text(api, group, "roles"));
		api_say(api, "properties", properties);
		free(properties);
	}
	json_decref(group);
	return EXIT_DONE;
}

int groups_show(struct call *c)
{
	return api_run(c, do_show);
}

/* One call for each group; the first that fails ends it. */
static int each(struct api *api, const char *method)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = api_ask(
		    api, method, group_path(api, c->args[i]), NULL, NULL);
	return rc;
}

static int do_add(struct api *api)
{
	return each(api, "POST");
}

int groups_add(struct call *c)
{
	return api_run(c, do_add);
}

static int do_remove(struct api *api)
{
	if (!api_confirm(api, "Delete the group %s%s?", api->call->args[0],
		api->call->n_args > 1 ? " and others" : ""))
		return EXIT_REFUSED;
	return each(api, "DELETE");
}

int groups_remove(struct call *c)
{
	return api_run(c, do_remove);
}

static int members(struct api *api, const char *method)
{
	const struct call *c = api->call;
	json_t *users = json_array();

	for (size_t i = 1; i < c->n_args; i++)
		json_array_append_new(users, json_string(c->args[i]));
	return api_ask(api, method,
	    api_path(api, "/groups/%s/users", api_escape(api, c->args[0])),
	    json_pack("{s:o}", "users", users), NULL);
}

static int do_join(struct api *api)
{
	return members(api, "POST");
}

int groups_join(struct call *c)
{
	return api_run(c, do_join);
}

static int do_leave(struct api *api)
{
	return members(api, "DELETE");
}

int groups_leave(struct call *c)
{
	return api_run(c, do_leave);
}
