/*
 * See rest_manual.h. What is true of all routes is said here once; the tables
 * come from the routes themselves.
 */
#include "hub/rest_manual.h"

#include <string.h>

#include "hub/match.h"

static const char preface[] =
    "# REST\n"
    "\n"
    "Made from hub/routes.def by `make docs`; do not edit. Paths stand below\n"
    "the hub's prefix, `/hub/` unless `hub.base_url` says otherwise. The\n"
    "answers are JupyterHub's, so that its clients work unchanged.\n"
    "\n"
    "* **Who asks** is said by `Authorization: token ...` (or `bearer`), or "
    "by\n"
    "  the login cookie together with the XSRF token for every write. "
    "Neither:\n"
    "  403.\n"
    "* **What they may do** is said by scopes: any one of those named below.\n"
    "  Without them 403; with them for other people or groups only, 404. A\n"
    "  listing shows what the scope is held for. Creating wants the scope\n"
    "  without a filter.\n"
    "* **Errors** are `{\"status\": 404, \"message\": \"...\"}`.\n"
    "* **Pages**: `offset` and `limit`. With `Accept:\n"
    "  application/jupyterhub-pagination+json` the answer is `{\"items\": "
    "...,\n"
    "  \"_pagination\": {\"offset\", \"limit\", \"total\", \"next\"}}`, else "
    "the bare list\n"
    "  of the first `api.page_max_limit`. Lists of shares and share codes "
    "are\n"
    "  always in that envelope.\n"
    "* **An acknowledged write is on disk.**\n"
    "\n"
    "## Stricter than JupyterHub, on purpose\n"
    "\n"
    "With the tests that show it in differences.md.\n"
    "\n"
    "* Names are checked and made normal in every way of creating a user.\n"
    "* Only administrators change or delete administrators, and make or "
    "revoke\n"
    "  their tokens (their own tokens people make themselves).\n"
    "* A person's own narrow token makes no token that may do more than it.\n"
    "* `expires_in` is 1 or more; under `session.max_token_age` no token is\n"
    "  without an end.\n"
    "* A new name of a user ends all logins and tokens of the old one, "
    "because\n"
    "  a name is a notebook account; servers must be stopped before.\n"
    "* Deleting a user stops all servers first, named ones too.\n"
    "* `%` and `_` in `name_filter` are letters like others.\n"
    "* Members of a body that are unknown or of a wrong type are named in a "
    "400,\n"
    "  and nothing is changed.\n";

static bool is_rest(const struct route *r)
{
	return strncmp(r->pattern, "/api", 4) == 0 &&
	       strcmp(r->method, "HEAD") != 0;
}

static void write_scopes(struct buf *b, const struct route *r)
{
	if (r->gate == GATE_PUBLIC) {
		buf_str(b, "everybody");
		return;
	}
	if (r->scopes[0] == SCOPE_NO_SCOPE) {
		buf_str(b, r->gate == GATE_API ? "anyone with credentials"
					       : "see OAuth");
		return;
	}
	for (size_t i = 0; i < ROUTE_SCOPES_MAX; i++) {
		if (r->scopes[i] == SCOPE_NO_SCOPE)
			break;
		buf_printf(
		    b, "%s`%s`", i ? ", " : "", scope_name(r->scopes[i]));
	}
}

static void write_route(struct buf *b, const struct route *r)
{
	buf_printf(b, "| %s | `%s` | ", r->method, r->pattern);
	write_scopes(b, r);
	buf_str(b, " | ");
	if (r->max_body > 0)
		buf_printf(b, "%zu", r->max_body);
	buf_printf(b, " | %s |\n", r->doc);
}

void rest_write_manual(struct buf *b)
{
	size_t n;
	const struct route *table = match_table(&n);

	buf_str(b, preface);
	buf_str(b, "\n## Routes\n\n"
		   "`:name` is one segment, `:name?` one that may be empty; "
		   "a body is JSON of at\nmost so many bytes.\n\n"
		   "| method | path | scopes | body | what |\n"
		   "|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++)
		if (is_rest(&table[i]))
			write_route(b, &table[i]);
}
