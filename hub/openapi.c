/*
 * See openapi.h.
 */
#include "hub/openapi.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/handlers.h"
#include "hub/match.h"
#include "hub/openapi_shape.h"
#include "hub/reply.h"
#include "hub/web.h"

static const struct param {
	const char *name, *type, *doc;
} params[] = {
#define SHAPE(...)
#define PARAM(name, type, doc) { name, type, doc },
#define OPERATION(...)
#include "hub/openapi.def"
#undef PARAM
#undef OPERATION
};

static const struct operation {
	const char *method, *pattern;
	const char *params; /* names of the query; NULL: none */
	const char *body;   /* a type, "form TYPE"; NULL: none */
	const char *status;
	const char *answer; /* types or a media type; "": nothing */
} operations[] = {
#define PARAM(...)
#define OPERATION(method, pattern, params, body, status, answer)               \
	{ method, pattern, params, body, #status, answer },
#include "hub/openapi.def"
#undef SHAPE
#undef PARAM
#undef OPERATION
};

#define N_PARAMS     (sizeof params / sizeof params[0])
#define N_OPERATIONS (sizeof operations / sizeof operations[0])

static const struct operation *find(const struct route *r)
{
	for (size_t i = 0; i < N_OPERATIONS; i++)
		if (!strcmp(operations[i].method, r->method) &&
		    !strcmp(operations[i].pattern, r->pattern))
			return &operations[i];
	return NULL;
}

/* Pages are for people. */
static bool is_shown(const struct route *r)
{
	return (str_starts(r->pattern, "/api") ||
		   str_starts(r->pattern, "/.well-known/")) &&
	       strcmp(r->method, "HEAD") != 0;
}

/* ---- parameters ---------------------------------------------------------- */

static json_t *param(const char *where, const char *name, size_t len,
    const char *type, const char *doc)
{
	json_t *j = json_pack("{s:s%, s:s, s:b, s:o}", "name", name, len, "in",
	    where, "required", !strcmp(where, "path"), "schema",
	    openapi_type(slice_of(type)));

	if (doc)
		json_object_set_new(j, "description", json_string(doc));
	return j;
}

/* ":user" -> "{user}", and what is said of it. */
static char *path_of(const char *pattern, json_t *list)
{
	struct slice rest = slice_of(pattern + 1), part;
	struct buf b;
	char *out;

	buf_init(&b, 1024);
	while (slice_split(&rest, '/', &part)) {
		if (part.len == 0 || part.p[0] != ':') {
			buf_printf(&b, "/%.*s", (int)part.len, part.p);
			continue;
		}
		bool may_be_empty = part.p[part.len - 1] == '?';
		part.p++;
		part.len -= 1 + (size_t)may_be_empty;
		buf_printf(&b, "/{%.*s}", (int)part.len, part.p);
		if (list)
			json_array_append_new(
			    list, param("path", part.p, part.len, "string",
				      may_be_empty
					  ? "May be empty: the default server."
					  : NULL));
	}
	if (pattern[strlen(pattern) - 1] == '/')
		buf_char(&b, '/');
	out = xstrdup(buf_view(&b));
	buf_fini(&b);
	return out;
}

static void add_query(const char *names, json_t *list)
{
	struct slice rest = slice_of(names ? names : ""), name;

	while (slice_split(&rest, ' ', &name))
		for (size_t i = 0; i < N_PARAMS; i++)
			if (slice_eq(name, params[i].name))
				json_array_append_new(list,
				    param("query", params[i].name, name.len,
					params[i].type, params[i].doc));
}

/* ---- one operation ------------------------------------------------------- */

static json_t *content(const char *media, const char *types)
{
	struct slice rest = slice_of(types), one;
	json_t *list = json_array(), *schema;

	while (slice_split(&rest, ' ', &one))
		json_array_append_new(list, openapi_type(one));
	if (json_array_size(list) == 1)
		schema = json_incref(json_array_get(list, 0));
	else
		schema = json_pack("{s:O}", "oneOf", list);
	json_decref(list);
	return json_pack("{s:{s:o}}", media, "schema", schema);
}

static json_t *body_of(const char *type)
{
	static const char form[] = "form ";
	const char *media = "application/json";

	if (str_starts(type, form)) {
		type += sizeof form - 1;
		media = "application/x-www-form-urlencoded";
	}
	return json_pack("{s:o}", "content", content(media, type));
}

static void add_refusals(const struct route *r, json_t *answers)
{
	static const struct {
		const char *status, *ref;
	} api[] = {
		{ "403", "#/components/responses/Refused" },
		{ "default", "#/components/responses/Error" },
	};

	if (r->gate == GATE_OAUTH) {
		json_object_set_new(answers, "default",
		    json_pack(
			"{s:s}", "$ref", "#/components/responses/OAuthError"));
		return;
	}
	for (size_t i = r->gate == GATE_PUBLIC; i < sizeof api / sizeof api[0];
	     i++)
		json_object_set_new(answers, api[i].status,
		    json_pack("{s:s}", "$ref", api[i].ref));
}

static json_t *answers_of(const struct route *r, const struct operation *o)
{
	json_t *answers = json_object();
	json_t *good = json_pack("{s:s}", "description", r->doc);

	if (strchr(o->answer, '/'))
		json_object_set_new(
		    good, "content", content(o->answer, "string"));
	else if (*o->answer)
		json_object_set_new(
		    good, "content", content("application/json", o->answer));
	json_object_set_new(answers, o->status, good);
	add_refusals(r, answers);
	return answers;
}

/* Any one of the route's scopes, by whatever the client shows. */
static json_t *security_of(const struct route *r)
{
	static const char *const ways[] = { "token", "oauth2", "login" };
	json_t *list = json_array();
	bool is_any = r->scopes[0] == SCOPE_NO_SCOPE;

	if (r->gate == GATE_PUBLIC || r->gate == GATE_OAUTH)
		return list;
	for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
		if (is_any)
			json_array_append_new(
			    list, json_pack("{s:[]}", ways[w]));
		for (size_t i = 0; i < ROUTE_SCOPES_MAX && !is_any; i++)
			if (r->scopes[i] != SCOPE_NO_SCOPE)
				json_array_append_new(
				    list, json_pack("{s:[s]}", ways[w],
					      scope_name(r->scopes[i])));
	}
	return list;
}

/* "get_api_users_user": told apart from "get_api_users_". */
static json_t *name_of(const struct route *r)
{
	struct buf b;
	json_t *j;

	buf_init(&b, 1024);
	for (const char *p = r->method; *p; p++)
		buf_char(&b, (char)(*p + ('a' - 'A')));
	for (const char *p = r->pattern; *p; p++)
		if (*p != '?' && *p != ':')
			buf_char(
			    &b, *p == '/' || *p == '.' || *p == '-' ? '_' : *p);
	j = json_string(buf_view(&b));
	buf_fini(&b);
	return j;
}

static json_t *operation_of(
    const struct route *r, const struct operation *o, json_t *list)
{
	json_t *j = json_pack("{s:o, s:s, s:o, s:o}", "operationId", name_of(r),
	    "summary", r->doc, "security", security_of(r), "responses",
	    answers_of(r, o));

	add_query(o->params, list);
	if (json_array_size(list) > 0)
		json_object_set(j, "parameters", list);
	if (o->body)
		json_object_set_new(j, "requestBody", body_of(o->body));
	if (r->max_body > 0)
		json_object_set_new(
		    j, "x-max-body", json_integer((json_int_t)r->max_body));
	return j;
}

static void add_route(const struct route *r, json_t *paths)
{
	const struct operation *o = find(r);
	json_t *list = json_array();
	char *path = path_of(r->pattern, list), method[16];

	if (o) {
		json_t *item = json_object_get(paths, path);
		if (!item) {
			item = json_object();
			json_object_set_new(paths, path, item);
		}
		if (str_copy(method, sizeof method, r->method) == 0)
			str_lower_ascii(method);
		json_object_set_new(item, method, operation_of(r, o, list));
	}
	json_decref(list);
	free(path);
}

/* ---- the document -------------------------------------------------------- */

static json_t *all_scopes(void)
{
	json_t *j = json_object();

	for (int i = 0; i < SCOPE_N_IDS; i++)
		json_object_set_new(j, scope_name((enum scope_id)i),
		    json_string(scope_doc((enum scope_id)i)));
	return j;
}

static json_t *schemes(const char *hub)
{
	json_t *flow = json_pack("{s:o, s:o, s:o}", "authorizationUrl",
	    json_sprintf("%sapi/oauth2/authorize", hub), "tokenUrl",
	    json_sprintf("%sapi/oauth2/token", hub), "scopes", all_scopes());

	return json_pack(
	    "{s:{s:s, s:s, s:s}, s:{s:s, s:{s:o}}, s:{s:s, s:s, s:s, s:s}}",
	    "token", "type", "http", "scheme", "bearer", "description",
	    "A token, also as \"Authorization: token ...\".", "oauth2", "type",
	    "oauth2", "flows", "authorizationCode", flow, "login", "type",
	    "apiKey", "in", "cookie", "name", COOKIE_LOGIN, "description",
	    "The login cookie; every write needs the value of the cookie _xsrf "
	    "in the header X-XSRFToken too.");
}

static json_t *answer(const char *doc, const char *shape)
{
	return json_pack("{s:s, s:o}", "description", doc, "content",
	    content("application/json", shape));
}

static json_t *components(const char *hub)
{
	return json_pack("{s:o, s:{s:o, s:o, s:o}, s:o}", "schemas",
	    openapi_shapes(), "responses", "Refused",
	    answer("No valid credentials, or none of the scopes.", "Error"),
	    "Error",
	    answer(
		"What is wrong; 404 also for what may not be seen.", "Error"),
	    "OAuthError", answer("As RFC 6749 says.", "OAuthError"),
	    "securitySchemes", schemes(hub));
}

json_t *openapi_document(const char *hub)
{
	json_t *paths = json_object();
	size_t n;
	const struct route *table = match_table(&n);

	for (size_t i = 0; i < n; i++)
		if (is_shown(&table[i]))
			add_route(&table[i], paths);
	return json_pack(
	    "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:o}], s:o, s:o}",
	    "openapi", "3.1.0", "info", "title", "Carrel", "version",
	    CARREL_VERSION, "description",
	    "The REST API of JupyterHub " COMPAT_VERSION
	    ", as Carrel speaks it.",
	    "license", "name", "BSD-3-Clause", "identifier", "BSD-3-Clause",
	    "servers", "url", json_sprintf("%.*s", (int)strlen(hub) - 1, hub),
	    "paths", paths, "components", components(hub));
}

void openapi_write(struct buf *b)
{
	json_t *j = openapi_document("/hub/");
	char *text = json_dumps(j, JSON_INDENT(1));

	buf_str(b, text);
	buf_char(b, '\n');
	free(text);
	json_decref(j);
}

void openapi_get(struct req *r)
{
	struct web *w = r->app->web;

	if (!w->openapi) {
		json_t *j = openapi_document(w->hub);
		w->openapi = json_dumps(j, JSON_COMPACT);
		json_decref(j);
	}
	reply_text(r, 200, "application/json", w->openapi);
}

/* ---- the table itself ---------------------------------------------------- */

static const char *gate_name(enum gate_kind gate)
{
	static const char *const names[] = {
		[GATE_PUBLIC] = "public",
		[GATE_OPEN] = "open",
		[GATE_PAGE] = "page",
		[GATE_EITHER] = "either",
		[GATE_API] = "api",
		[GATE_SCRAPE] = "scrape",
		[GATE_OAUTH] = "oauth",
	};

	return names[gate];
}

static void write_route(const struct route *r, struct buf *b)
{
	buf_printf(
	    b, "%s\t%s\t%s\t", r->method, r->pattern, gate_name(r->gate));
	for (size_t i = 0; i < ROUTE_SCOPES_MAX; i++)
		if (r->scopes[i] != SCOPE_NO_SCOPE)
			buf_printf(
			    b, "%s%s", i ? "," : "", scope_name(r->scopes[i]));
	if (r->scopes[0] == SCOPE_NO_SCOPE)
		buf_char(b, '-');
	buf_printf(b, "\t%s\t%zu\n",
	    r->target == TARGET_NONE ? "-" : "addressed", r->max_body);
}

void openapi_write_routes(struct buf *b)
{
	size_t n;
	const struct route *table = match_table(&n);

	for (size_t i = 0; i < n; i++)
		write_route(&table[i], b);
}
