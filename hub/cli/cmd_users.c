/*
 * carrel users ...
 */
#include "base/str.h"
#include "hub/cli/api.h"
#include "hub/cli/table.h"
#include "hub/cli/text.h"

/* ---- list ---------------------------------------------------------- */

static void add_query(
    struct api *api, const char **query, const char *name, const char *value)
{
	if (value)
		*query = arena_printf(&api->arena, "%s%s%s=%s", *query,
		    **query ? "&" : "", name, api_escape(api, value));
}

/* "lab (ready), x (spawn)"; the default server is "default". */
static const char *servers_text(struct api *api, json_t *user)
{
	const char *text = "", *name;
	json_t *server;

	json_object_foreach (json_object_get(user, "servers"), name, server) {
		const char *pending = api_text(api, server, "pending");
		text = arena_printf(&api->arena, "%s%s%s (%s)", text,
		    *text ? ", " : "", *name ? name : "default",
		    pending ? pending
		    : json_is_true(json_object_get(server, "ready"))
			? "ready"
			: "at rest");
	}
	return text;
}

static void print_users(struct api *api, const json_t *list)
{
	static const char *const titles[] = { "NAME", "ADMIN", "SERVERS",
		"GROUPS", "LAST ACTIVITY", NULL };
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *user = json_array_get(list, i);
		table_add(&t, api_text(api, user, "name"));
		table_add(&t, api_text(api, user, "admin"));
		table_add(&t, servers_text(api, user));
		table_add(&t, api_text(api, user, "groups"));
		table_add(&t, api_time(api, user, "last_activity"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_list(struct api *api)
{
	const char *query = "";
	json_t *list;
	int rc;

	add_query(api, &query, "state", call_value(api->call, OPTION_STATE));
	add_query(
	    api, &query, "name_filter", call_value(api->call, OPTION_FILTER));
	add_query(api, &query, "sort", call_value(api->call, OPTION_SORT));
	rc = api_list(api, "/users", query, &list);
	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(list);
	else
		print_users(api, list);
	json_decref(list);
	return EXIT_DONE;
}

int users_list(struct call *c)
{
	return api_run(c, do_list);
}

/* ---- show ---------------------------------------------------------- */

static const char *user_path(struct api *api, const char *name)
{
	return api_path(api, "/users/%s", api_escape(api, name));
}

static int do_show(struct api *api)
{
	json_t *user;
	int rc = api_ask(api, "GET",
	    arena_printf(&api->arena, "%s?include_stopped_servers=1",
		user_path(api, api->call->args[0])),
	    NULL, &user);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api)) {
		api_print_json(user);
	} else {
		api_say(api, "name", api_text(api, user, "name"));
		api_say(api, "administrator", api_text(api, user, "admin"));
		api_say(api, "groups", api_text(api, user, "groups"));
		api_say(api, "roles", api_text(api, user, "roles"));
		api_say(api, "servers", servers_text(api, user));
		api_say(api, "created", api_time(api, user, "created"));
		api_say(
		    api, "last activity", api_time(api, user, "last_activity"));
	}
	json_decref(user);
	return EXIT_DONE;
}

int users_show(struct call *c)
{
	return api_run(c, do_show);
}

/* ---- changes ------------------------------------------------------- */

static json_t *names_json(const struct call *c, size_t from)
{
	json_t *list = json_array();

	for (size_t i = from; i < c->n_args; i++)
		json_array_append_new(list, json_string(c->args[i]));
	return list;
}

/* What the hub made, by name. */
static void say_made(struct api *api, const json_t *made)
{
	for (size_t i = 0; i < json_array_size(made); i++)
		printf("made %s\n",
		    text_clean(&api->arena,
			api_text(api, json_array_get(made, i), "name"),
			TEXT_ONE_LINE));
}

static int do_add(struct api *api)
{
	json_t *made, *body = json_pack("{s:o, s:b}", "usernames",
			  names_json(api->call, 0), "admin",
			  (int)call_has(api->call, OPTION_ADMIN));
	int rc = api_ask(api, "POST", "/users", body, &made);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(made);
	else
		say_made(api, made);
	json_decref(made);
	return EXIT_DONE;
}

int users_add(struct call *c)
{
	return api_run(c, do_add);
}

/* The first that fails ends it: the exit code is that one's. */
static int do_remove(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	if (!api_confirm(api, "Stop the servers of %s%s and delete %s?",
		c->args[0], c->n_args > 1 ? " and others" : "",
		c->n_args > 1 ? "them" : "that user"))
		return EXIT_REFUSED;
	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = api_ask(
		    api, "DELETE", user_path(api, c->args[i]), NULL, NULL);
	return rc;
}

int users_remove(struct call *c)
{
	return api_run(c, do_remove);
}

static int do_rename(struct api *api)
{
	const struct call *c = api->call;

	if (!api_confirm(api, "Rename %s to %s, ending all logins and tokens?",
		c->args[0], c->args[1]))
		return EXIT_REFUSED;
	return api_ask(api, "PATCH", user_path(api, c->args[0]),
	    json_pack("{s:s}", "name", c->args[1]), NULL);
}

int users_rename(struct call *c)
{
	return api_run(c, do_rename);
}

static int do_admin(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	for (size_t i = 0; rc == EXIT_DONE && i < c->n_args; i++)
		rc = api_ask(api, "PATCH", user_path(api, c->args[i]),
		    json_pack("{s:b}", "admin", !call_has(c, OPTION_OFF)),
		    NULL);
	return rc;
}

int users_admin(struct call *c)
{
	return api_run(c, do_admin);
}
