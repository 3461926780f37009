/*
 * carrel tokens ...
 */
#include "base/num.h"
#include "hub/cli/api.h"
#include "hub/cli/cli.h"
#include "hub/cli/table.h"

static const char *tokens_path(struct api *api)
{
	return api_path(
	    api, "/users/%s/tokens", api_escape(api, api->call->args[0]));
}

static void print_tokens(struct api *api, const json_t *list)
{
	static const char *const titles[] = { "ID", "NOTE", "CLIENT", "CREATED",
		"LAST USED", "EXPIRES", "SCOPES", NULL };
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *token = json_array_get(list, i);
		table_add(&t, api_text(api, token, "id"));
		table_add(&t, api_text(api, token, "note"));
		table_add(&t, api_text(api, token, "oauth_client"));
		table_add(&t, api_time(api, token, "created"));
		table_add(&t, api_time(api, token, "last_activity"));
		table_add(&t, api_time(api, token, "expires_at"));
		table_add(&t, api_text(api, token, "scopes"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
}

static int do_list(struct api *api)
{
	json_t *answer;
	int rc = api_ask(api, "GET", tokens_path(api), NULL, &answer);

	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api))
		api_print_json(answer);
	else
		print_tokens(api, json_object_get(answer, "api_tokens"));
	json_decref(answer);
	return EXIT_DONE;
}

int tokens_list(struct call *c)
{
	return api_run(c, do_list);
}

/* -1 with err: --expires is no time. */
static int new_token(const struct call *c, json_t *body, struct err *err)
{
	const char *note = call_value(c, OPTION_NOTE), *scope;
	const char *expires = call_value(c, OPTION_EXPIRES);
	json_t *scopes = json_array();
	int64_t seconds;

	for (size_t pos = 0; (scope = call_next(c, OPTION_SCOPE, &pos));)
		json_array_append_new(scopes, json_string(scope));
	if (json_array_size(scopes) > 0)
		json_object_set(body, "scopes", scopes);
	json_decref(scopes);
	json_object_set_new(
	    body, "note", json_string(note ? note : "made by carrel"));
	if (!expires)
		return 0;
	if (num_seconds(expires, &seconds, err) != 0)
		return err_wrap(err, "--expires");
	json_object_set_new(body, "expires_in", json_integer(seconds));
	return 0;
}

static int do_add(struct api *api)
{
	json_t *made, *body = json_object();
	struct err err = { 0 };
	int rc;

	if (new_token(api->call, body, &err) != 0) {
		json_decref(body);
		(void)cli_fail(&err);
		return EXIT_WRONG_USE;
	}
	rc = api_ask(api, "POST", tokens_path(api), body, &made);
	if (rc != EXIT_DONE)
		return rc;
	if (api_wants_json(api)) {
		api_print_json(made);
	} else {
		fprintf(stderr, "carrel: token %s; it is not shown again\n",
		    api_text(api, made, "id"));
		puts(api_text(api, made, "token"));
	}
	json_decref(made);
	return EXIT_DONE;
}

int tokens_add(struct call *c)
{
	return api_run(c, do_add);
}

static int do_revoke(struct api *api)
{
	const struct call *c = api->call;
	int rc = EXIT_DONE;

	if (!api_confirm(api, "Revoke %s%s of %s?", c->args[1],
		c->n_args > 2 ? " and others" : "", c->args[0]))
		return EXIT_REFUSED;
	for (size_t i = 1; rc == EXIT_DONE && i < c->n_args; i++)
		rc = api_ask(api, "DELETE",
		    api_path(api, "%s/%s", tokens_path(api),
			api_escape(api, c->args[i])),
		    NULL, NULL);
	return rc;
}

int tokens_revoke(struct call *c)
{
	return api_run(c, do_revoke);
}
