/*
 * carrel explain ...: what /api/explain says, for people.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "hub/cli/api.h"
#include "hub/cli/cli.h"
#include "hub/cli/table.h"

#define TOKEN_MAX 256

/* Prints the answer by `print`, or as JSON. Takes it. */
static int show(struct api *api, json_t *take,
    void (*print)(struct api *api, const json_t *answer))
{
	if (api_wants_json(api))
		api_print_json(take);
	else
		print(api, take);
	json_decref(take);
	return EXIT_DONE;
}

/* "a12": the id of a token, which is no secret. A token itself is one, and must
 * not stand where others can read it. */
static bool is_token_id(const char *text)
{
	size_t n = *text == 'a' ? strspn(text + 1, "0123456789") : 0;

	return n > 0 && n < 20 && text[1 + n] == '\0';
}

/* A line of standard input: never an argument, which others can see. -1: there
 * is none, and the person knows. */
static int read_token(char out[TOKEN_MAX])
{
	if (isatty(STDIN_FILENO))
		fputs("token: ", stderr);
	if (!fgets(out, TOKEN_MAX, stdin))
		out[0] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	if (*out)
		return 0;
	fprintf(stderr, "carrel: no token came on standard input\n");
	return -1;
}

/* ---- user ---------------------------------------------------------- */

static void print_login(struct api *api, const json_t *a)
{
	static const char *const titles[] = { "RULE", "SAYS", NULL };
	const json_t *rules = json_object_get(a, "rules");
	struct table t;

	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		table_add(&t, api_text(api, rule, "rule"));
		table_add(&t, api_text(api, rule, "said"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
	putchar('\n');
	api_say(api, "groups", api_text(api, a, "groups"));
	api_say(api, "groups are of", api_text(api, a, "groups_from"));
	api_say(api, "known here",
	    !api_text(api, a, "known")     ? "no"
	    : api_text(api, a, "is_admin") ? "yes, an administrator"
					   : "yes");
	api_say(api, "a login",
	    api_text(api, a, "allowed") ? "is let in" : "is refused");
	api_say(api, "by", api_text(api, a, "reason"));
}

static int do_user(struct api *api)
{
	const struct call *c = api->call;
	const char *query = "", *group;
	json_t *answer;

	for (size_t pos = 0; (group = call_next(c, OPTION_GROUP, &pos));)
		query = arena_printf(&api->arena, "%s%sgroup=%s", query,
		    *query ? "&" : "?", api_escape(api, group));
	int rc = api_ask(api, "GET",
	    api_path(
		api, "/explain/user/%s%s", api_escape(api, c->args[0]), query),
	    NULL, &answer);
	return rc == EXIT_DONE ? show(api, answer, print_login) : rc;
}

int explain_user_cmd(struct call *c)
{
	return api_run(c, do_user);
}

/* ---- token --------------------------------------------------------- */

static void print_token(struct api *api, const json_t *a)
{
	static const char *const titles[] = { "ASKED FOR", "HELD BY THE OWNER",
		"MISSING", NULL };
	const json_t *asked = json_object_get(a, "asked");
	const char *expires = api_time(api, a, "expires_at");
	struct table t;

	api_say(api, "token", api_text(api, a, "id"));
	api_say(api, "owner",
	    arena_printf(&api->arena, "%s %s", api_text(api, a, "kind"),
		api_text(api, a, "owner")));
	api_say(api, "note", api_text(api, a, "note"));
	api_say(api, "client", api_text(api, a, "oauth_client"));
	api_say(api, "created", api_time(api, a, "created"));
	api_say(api, "last used", api_time(api, a, "last_activity"));
	api_say(api, "expires", expires ? expires : "never");
	api_say(api, "of the login", api_text(api, a, "session_id"));
	putchar('\n');
	table_init(&t, &api->arena, titles);
	for (size_t i = 0; i < json_array_size(asked); i++) {
		const json_t *one = json_array_get(asked, i);
		table_add(&t, api_text(api, one, "scope"));
		table_add(&t, api_text(api, one, "held") ? "yes" : "not all");
		table_add(&t, api_text(api, one, "missing"));
	}
	table_print(&t, table_terminal_width(stdout), stdout);
	putchar('\n');
	const char *scopes = api_text(api, a, "scopes");
	api_say(api, "so it may", scopes ? scopes : "nothing");
}

static int do_token(struct api *api)
{
	const char *arg = api->call->args[0];
	char text[TOKEN_MAX];
	json_t *answer;
	int rc;

	if (!str_eq(arg, "-") && !is_token_id(arg))
		return cli_usage("explain token",
		    "it wants an id like a12, or - for standard input");
	if (!str_eq(arg, "-")) {
		rc = api_ask(api, "GET",
		    api_path(api, "/explain/token/%s", api_escape(api, arg)),
		    NULL, &answer);
	} else {
		if (read_token(text) != 0)
			return EXIT_WRONG_USE;
		rc = api_ask(api, "POST", "/explain/token",
		    json_pack("{s:s}", "token", text), &answer);
		mem_wipe(text, sizeof text);
	}
	return rc == EXIT_DONE ? show(api, answer, print_token) : rc;
}

int explain_token_cmd(struct call *c)
{
	return api_run(c, do_token);
}

/* ---- request ------------------------------------------------------- */

static void print_request(struct api *api, const json_t *a)
{
	static const char *const titles[] = { "SCOPE", "IS", "HELD FOR", NULL };
	const json_t *scopes = json_object_get(a, "scopes");
	struct table t;

	api_say(api, "route", api_text(api, a, "route"));
	api_say(api, "which does", api_text(api, a, "doc"));
	api_say(api, "who may ask", api_text(api, a, "gate"));
	api_say(api, "who asks", api_text(api, a, "who"));
	if (json_array_size(scopes) > 0) {
		puts("\nAny one of these is enough:");
		table_init(&t, &api->arena, titles);
		for (size_t i = 0; i < json_array_size(scopes); i++) {
			const json_t *one = json_array_get(scopes, i);
			table_add(&t, api_text(api, one, "scope"));
			table_add(&t, api_text(api, one, "verdict"));
			table_add(&t, api_text(api, one, "held_for"));
		}
		table_print(&t, table_terminal_width(stdout), stdout);
		putchar('\n');
	}
	api_say(api, "it is",
	    api_text(api, a, "passes")
		? "let through"
		: arena_printf(
		      &api->arena, "answered %s", api_text(api, a, "status")));
	api_say(api, "because", api_text(api, a, "why"));
}

/* Adds who asks. -1: wrong use, and the person knows. */
static int add_who(const struct call *c, json_t *body)
{
	const char *user = call_value(c, OPTION_AS);
	const char *service = call_value(c, OPTION_SERVICE);
	const char *token = call_value(c, OPTION_TOKEN);
	char text[TOKEN_MAX];

	if (user)
		json_object_set_new(body, "user", json_string(user));
	if (service)
		json_object_set_new(body, "service", json_string(service));
	if (!token)
		return 0;
	if (!str_eq(token, "-") && !is_token_id(token)) {
		(void)cli_usage("explain request",
		    "--token wants an id like a12, or - for standard input");
		return -1;
	}
	if (str_eq(token, "-")) {
		if (read_token(text) != 0)
			return -1;
		token = text;
	}
	json_object_set_new(body, "token", json_string(token));
	return 0;
}

static int do_request(struct api *api)
{
	const struct call *c = api->call;
	json_t *answer, *body = json_pack("{s:s, s:s}", "method", c->args[0],
			    "path", c->args[1]);
	int rc;

	if (!body || add_who(c, body) != 0) {
		json_decref(body);
		return EXIT_WRONG_USE;
	}
	rc = api_ask(api, "POST", "/explain/request", body, &answer);
	return rc == EXIT_DONE ? show(api, answer, print_request) : rc;
}

int explain_request_cmd(struct call *c)
{
	return api_run(c, do_request);
}
