/*
 * Fuzz target for the bodies of the hub's REST API, at the level of whole
 * requests of an administrator: the first byte says which, the rest is the
 * body. The properties: no bad access; one answer, in JSON, and never a 5xx;
 * what was refused changed nothing; what was accepted reads back as the answer
 * said; a new token is one, and speaks for whom it was made.
 */
#include "hub_world.c"

#include "hub/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALICE "/hub/api/users/alice"

typedef void check_fn(const struct said *s, const struct said *body);

struct kind {
	const char *method, *target;
	check_fn *check; /* of what was accepted */
	bool is_anonymous;
};

static struct said get(const char *target, const char *authorization)
{
	const struct ask ask = { .method = "GET",
		.target = target,
		.authorization = authorization };
	struct said s = hub_tell(&ask);

	must(s.json != NULL);
	return s;
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	must(text != NULL);
	return text;
}

static bool same(const json_t *a, const json_t *b, const char *name)
{
	return json_equal(json_object_get(a, name), json_object_get(b, name)) ==
	       1;
}

static struct said get_named(const char *format, const char *name)
{
	char *quoted, *target;
	struct arena a;
	struct said s;

	arena_init(&a);
	quoted = arena_strdup(&a, url_escape_segment(&a, name));
	target = xasprintf(format, quoted);
	s = get(target, boss);
	must(s.status == 200);
	free(target);
	arena_fini(&a);
	return s;
}

/* ---- users -----------------------------------------------------------------
 */

static void check_user(const struct said *s, const struct said *body)
{
	struct said now =
	    get_named("/hub/api/users/%s", text_of(s->json, "name"));

	must(same(now.json, s->json, "name") &&
	     same(now.json, s->json, "admin"));
	if (json_object_get(body->json, "admin"))
		must(same(now.json, body->json, "admin"));
	said_free(&now);
}

static void check_users(const struct said *s, const struct said *body)
{
	const json_t *user;
	size_t i;

	must(json_array_size(s->json) > 0);
	json_array_foreach (s->json, i, user) {
		struct said one = { .json = json_incref((json_t *)user) };

		if (i < 20)
			check_user(&one, body);
		said_free(&one);
	}
}

/* Never in the future, whatever was said. */
static void check_activity(const struct said *s, const struct said *body)
{
	struct said now = get(ALICE, boss);
	const char *last =
	    json_string_value(json_object_get(now.json, "last_activity"));

	(void)s;
	(void)body;
	must(now.status == 200);
	must(!last || strcmp(last, "2023-11-14T22:13:20.000001Z") < 0);
	said_free(&now);
}

/* ---- groups ----------------------------------------------------------------
 */

static void check_group(const struct said *s, const struct said *body)
{
	struct said now =
	    get_named("/hub/api/groups/%s", text_of(s->json, "name"));

	(void)body;
	must(json_equal(now.json, s->json) == 1);
	said_free(&now);
}

static void check_groups(const struct said *s, const struct said *body)
{
	const json_t *group;
	size_t i;

	json_array_foreach (s->json, i, group) {
		struct said one = { .json = json_incref((json_t *)group) };

		if (i < 20)
			check_group(&one, body);
		said_free(&one);
	}
}

static void check_properties(const struct said *s, const struct said *body)
{
	struct said now = get("/hub/api/groups/crew", boss);
	const json_t *p = json_object_get(now.json, "properties");

	(void)s;
	if (json_is_object(body->json))
		must(json_equal(p, body->json) == 1);
	else
		must(json_object_size(p) == 0);
	said_free(&now);
}

/* ---- tokens ----------------------------------------------------------------
 */

static void check_token(const struct said *s, const struct said *body)
{
	char authorization[80];
	struct said now;

	snprintf(authorization, sizeof authorization, "token %s",
	    text_of(s->json, "token"));
	now = get("/hub/api/user", authorization);
	/* A token without a scope for it may not even ask who it is. */
	must(now.status == 200 || now.status == 403);
	if (now.status == 200)
		must(strcmp(text_of(now.json, "name"), "alice") == 0);
	said_free(&now);
	now = get_named(ALICE "/tokens/%s", text_of(s->json, "id"));
	must(same(now.json, s->json, "scopes") &&
	     same(now.json, s->json, "note") &&
	     same(now.json, s->json, "expires_at"));
	must(!json_object_get(now.json, "token"));
	said_free(&now);
	(void)body;
}

/* ---- servers ---------------------------------------------------------------
 */

static void check_made(const struct said *s, const struct said *body)
{
	struct said now = get(ALICE "/servers/new", boss);

	(void)s;
	(void)body;
	must(
	    now.status == 200 && strcmp(text_of(now.json, "name"), "new") == 0);
	must(same(now.json, s->json, "user_options") &&
	     same(now.json, s->json, "display_name"));
	said_free(&now);
}

static void check_changed(const struct said *s, const struct said *body)
{
	struct said now =
	    get_named(ALICE "/servers/%s", text_of(s->json, "name"));

	(void)body;
	must(json_equal(now.json, s->json) == 1);
	said_free(&now);
}

static void check_started(const struct said *s, const struct said *body)
{
	(void)s;
	(void)body;
	must(server_count_active(&app) == 1);
}

static void check_removed(const struct said *s, const struct said *body)
{
	struct said now = get(ALICE "/servers/lab", boss);
	bool removes = json_is_true(json_object_get(body->json, "remove"));

	(void)s;
	must(now.status == (removes ? 404 : 200));
	said_free(&now);
}

/* ---- the rest --------------------------------------------------------------
 */

static void check_service(const struct said *s, const struct said *body)
{
	struct said now = get("/hub/api/services/new", boss);

	(void)body;
	must(json_equal(now.json, s->json) == 1);
	said_free(&now);
}

static bool is_listed(const json_t *items, const json_t *wanted)
{
	const json_t *one;
	size_t i;

	json_array_foreach (items, i, one) {
		if (json_equal(one, wanted) == 1)
			return true;
	}
	return false;
}

/* Nobody has a share whom the body names. */
static bool is_without(const json_t *items, const json_t *body)
{
	const json_t *one;
	size_t i;

	json_array_foreach (items, i, one) {
		if (json_equal(
			json_object_get(json_object_get(one, "user"), "name"),
			json_object_get(body, "user")) == 1)
			return false;
	}
	return true;
}

/* An empty object: that share has ended, or there was none. */
static void check_share(const struct said *s, const struct said *body)
{
	struct said now = get("/hub/api/shares/alice/lab", boss);
	const json_t *items = json_object_get(now.json, "items");

	if (json_object_size(s->json) > 0)
		must(is_listed(items, s->json));
	else
		must(is_without(items, body->json));
	said_free(&now);
}

static void check_code(const struct said *s, const struct said *body)
{
	struct said now = get("/hub/api/share-codes/alice/lab", boss);
	const json_t *one =
	    json_array_get(json_object_get(now.json, "items"), 0);

	(void)body;
	must(*text_of(s->json, "code") && !json_object_get(one, "code"));
	must(same(one, s->json, "id") && same(one, s->json, "scopes") &&
	     same(one, s->json, "expires_at"));
	said_free(&now);
}

/* Reading only, whatever the method. */
static void check_nothing(const struct said *s, const struct said *body)
{
	(void)s;
	(void)body;
	must(world_is_unchanged());
}

static const struct kind kinds[] = {
	{ "POST", "/hub/api/users", check_users },
	{ "POST", "/hub/api/users/dora", check_user },
	{ "PATCH", ALICE, check_user },
	{ "POST", ALICE "/activity", check_activity },
	{ "POST", "/hub/api/groups", check_groups },
	{ "POST", "/hub/api/groups/new", check_group },
	{ "POST", "/hub/api/groups/crew/users", check_group },
	{ "DELETE", "/hub/api/groups/crew/users", check_group },
	{ "PUT", "/hub/api/groups/crew/properties", check_properties },
	{ "POST", ALICE "/tokens", check_token },
	{ "PUT", ALICE "/servers/new", check_made },
	{ "PATCH", ALICE "/servers/lab", check_changed },
	{ "POST", ALICE "/server", check_started },
	{ "DELETE", ALICE "/servers/lab", check_removed },
	{ "POST", "/hub/api/shares/alice/lab", check_share },
	{ "PATCH", "/hub/api/shares/alice/lab", check_share },
	{ "POST", "/hub/api/share-codes/alice/lab", check_code },
	{ "POST", "/hub/api/services/new", check_service },
	{ "POST", "/hub/api/explain/request", check_nothing },
	{ "POST", "/hub/api/explain/token", check_nothing },
	{ "POST", "/hub/api/oauth2/token", check_nothing },
	{ "POST", "/hub/api/authorizations/token", check_nothing },
	{ "POST", ALICE "/tokens", check_nothing, true },
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

/* ---- one -------------------------------------------------------------------
 */

static void try_kind(const struct kind *k, const uint8_t *p, size_t len)
{
	bool is_form = strstr(k->target, "/oauth2/") != NULL;
	const struct ask ask = { .method = k->method,
		.target = k->target,
		.type = is_form ? "application/x-www-form-urlencoded"
				: "application/json",
		.authorization = k->is_anonymous ? NULL : boss,
		.body = { (const char *)p, len } };
	struct said body = { .json = json_loadb((const char *)p, len,
				 JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
				 NULL) };
	struct said s;

	transaction_begin();
	s = hub_tell(&ask);
	must(s.status < 500);
	must(s.len == 0 || s.json);
	if (s.status >= 400 || s.status == 0)
		must(world_is_unchanged());
	else
		k->check(&s, &body);
	transaction_end();
	said_free(&s);
	said_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_open;

	if (!is_open)
		world_begin();
	is_open = true;
	if (size == 0 || size > 8192)
		return 0;
	try_kind(&kinds[(unsigned char)(data[0] - 'A') % N_KINDS], data + 1,
	    size - 1);
	return 0;
}
