/*
 * Fuzz target for what comes beside a body: query strings of the hub's
 * listings and pages, and cookies. The first byte says which, the rest is the
 * query or the header. The properties: no bad access; one answer, never a 5xx,
 * and for the API in JSON; reading changes nothing; a page holds no more than
 * its limit and what its filter lets through; all pages, by the links that they
 * give, hold everything once; a cookie that nobody was given is nobody's.
 */
#include "hub_world.c"

#include "hub/web.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES_MAX   40
#define FULL_MAX    12 /* longer walks are not walked to the end */
#define ENVELOPE    "application/jupyterhub-pagination+json"
#define QUERY_BYTES 4096

struct kind {
	const char *path;
	const char *key; /* of an item; NULL: no listing */
	bool has_filter, is_page, is_cookie;
};

static const struct kind kinds[] = {
	{ "/hub/api/users", "name", true, false, false },
	{ "/hub/api/groups", "name", false, false, false },
	{ "/hub/api/shares/alice", NULL, false, false, false },
	{ "/hub/api/share-codes/alice", NULL, false, false, false },
	{ "/hub/api/proxy", NULL, false, false, false },
	{ "/hub/api/services", NULL, false, false, false },
	{ "/hub/api/users/alice", NULL, false, false, false },
	{ "/hub/api/explain/user/alice", NULL, false, false, false },
	{ "/hub/api/oauth2/authorize", NULL, false, true, false },
	{ "/hub/login", NULL, false, true, false },
	{ "/hub/error/404", NULL, false, true, false },
	{ "/hub/user-redirect/lab", NULL, false, true, false },
	{ "/hub/home", NULL, false, true, true },
	{ "/hub/api/user", NULL, false, false, true },
	{ "/hub/oauth_login", NULL, false, true, false },
	{ "/elsewhere", NULL, false, true, false },
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static struct said get(
    const char *target, const char *authorization, const char *cookie)
{
	const struct ask ask = { .method = "GET",
		.target = target,
		.authorization = authorization,
		.cookie = cookie,
		.accept = ENVELOPE };
	struct said s = hub_tell(&ask);

	must(s.status >= 200 && s.status < 500);
	must(world_is_unchanged());
	return s;
}

/* ---- listings --------------------------------------------------------------
 */

struct walk {
	const char *key, *part; /* part: what names must hold; NULL: anything */
	json_t *seen;
	json_int_t offset, total;
};

static const char *lower_filter(struct arena *a, const char *target)
{
	const char *query = strchr(target, '?'), *text;
	struct url_pairs pairs = { 0 };
	struct err err;
	char *lower;

	if (!query ||
	    url_parse_pairs(a, slice_of(query + 1), 256, &pairs, &err) != 0)
		return NULL;
	text = url_pair_get(&pairs, "name_filter");
	if (!text)
		return NULL;
	lower = arena_strdup(a, text);
	str_lower_ascii(lower);
	return lower;
}

/* Nobody is told of twice. */
static void take_items(struct walk *w, const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		const char *name =
		    json_string_value(json_object_get(item, w->key));

		must(name && !json_object_get(w->seen, name));
		must(!w->part || strstr(name, w->part));
		json_object_set_new(w->seen, name, json_true());
	}
}

/* The link to the next page; "" is the last. */
static char *take_page(struct walk *w, const json_t *page)
{
	const json_t *items = json_object_get(page, "items");
	const json_t *place = json_object_get(page, "_pagination");
	json_t *next = json_object_get(place, "next");
	json_int_t limit = json_integer_value(json_object_get(place, "limit"));
	const char *url = json_string_value(json_object_get(next, "url"));

	must(json_is_array(items) && limit >= 1 &&
	     limit <= app.cfg.page_max_limit);
	must(json_array_size(items) <= (size_t)limit);
	w->offset = json_integer_value(json_object_get(place, "offset"));
	w->total = json_integer_value(json_object_get(place, "total"));
	must(w->offset >= 0 && w->total >= 0);
	take_items(w, items);
	if (!url)
		return xstrdup("");
	must(str_starts(url, "http://hub/"));
	return xstrdup(url + strlen("http://hub"));
}

/* Pages with a state or in another order are listings too, of some. */
static void walk_on(const char *target, const struct said *first,
    const char *key, const char *part)
{
	struct walk w = { .key = key, .part = part, .seen = json_object() };
	char *next = take_page(&w, first->json);
	json_int_t begin = w.offset, whole = w.total;
	int n = 0;

	while (*next && n++ < PAGES_MAX) {
		struct said s = get(next, boss, NULL);

		must(s.status == 200);
		free(next);
		next = take_page(&w, s.json);
		must(w.total == whole);
		said_free(&s);
	}
	if (!*next && !strstr(target, "state="))
		must(json_object_size(w.seen) ==
		     (size_t)(begin < whole ? whole - begin : 0));
	free(next);
	json_decref(w.seen);
}

static void try_listing(const struct kind *k, const char *target)
{
	struct said s = get(target, boss, NULL);
	struct arena a;

	must(s.json != NULL);
	must(s.status == 200 || s.status == 400);
	arena_init(&a);
	if (s.status == 200)
		walk_on(target, &s, k->key,
		    k->has_filter ? lower_filter(&a, target) : NULL);
	arena_fini(&a);
	said_free(&s);
}

/* ---- the rest --------------------------------------------------------------
 */

static void try_other(const struct kind *k, const char *target)
{
	struct said s = get(target, k->is_page ? NULL : boss, NULL);

	must(k->is_page || s.json);
	said_free(&s);
}

static void try_cookie(const struct kind *k, const char *cookie)
{
	struct said s = get(k->path, NULL, cookie);

	must(s.status == (k->is_page ? 302 : 403));
	said_free(&s);
}

static void try_kind(const struct kind *k, const char *text)
{
	char *target = xasprintf("%s?%s", k->path, text);

	transaction_begin();
	if (k->is_cookie)
		try_cookie(k, text);
	else if (k->key)
		try_listing(k, target);
	else
		try_other(k, target);
	transaction_end();
	free(target);
}

static void more_people(void)
{
	char name[16];
	struct err err;
	int64_t id;

	for (int i = 0; i < FULL_MAX; i++) {
		snprintf(name, sizeof name, "pupil-%c_%d", 'a' + i % 3, i);
		world_user(name, false);
		must(group_create(app.db, name, &id, &err) == 0);
	}
	tables.at_rest = tables_hash();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_open;
	char *text;

	if (!is_open) {
		world_begin();
		more_people();
	}
	is_open = true;
	if (size == 0 || size > QUERY_BYTES)
		return 0;
	/* What has other bytes is refused before it comes here. */
	text = xstrndup((const char *)data + 1, size - 1);
	if (strlen(text) != size - 1 || str_has_control(text, size - 1)) {
		free(text);
		return 0;
	}
	try_kind(&kinds[(unsigned char)(data[0] - 'A') % N_KINDS], text);
	free(text);
	return 0;
}
