/*
 * The administrators' pages: everybody with their servers, and one person
 * (contract/hub.md 5.1). What they do is the REST API's doing (page_form.h).
 */
#include <inttypes.h>
#include <string.h>

#include "hub/handlers.h"
#include "hub/model.h"
#include "hub/page_form.h"

#define QUERY_MAX 8192

/* ---- links -------------------------------------------------------- */

static const char *admin_url(struct req *r, const char *user, const char *deed)
{
	struct arena *a = &r->http->arena;

	return arena_printf(a, "%s/users/%s%s", req_hub(r, "admin"),
	    url_escape_segment(a, user), deed);
}

/* Where the listing is now, with another order or offset. */
static const char *list_url(struct req *r, const char *sort, int64_t offset)
{
	static const char *const kept[] = { "name_filter", "state", "limit" };
	const char *out;
	struct buf b;

	buf_init(&b, QUERY_MAX * 4);
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		const char *v = url_pair_get(&r->query, kept[i]);
		if (v && *v)
			url_pair_append(&b, kept[i], v);
	}
	if (sort && *sort)
		url_pair_append(&b, "sort", sort);
	if (offset > 0)
		url_pair_append(&b, "offset",
		    arena_printf(&r->http->arena, "%" PRId64, offset));
	out = arena_printf(&r->http->arena, "%s%s%s", req_hub(r, "admin"),
	    b.len ? "?" : "", buf_view(&b));
	buf_fini(&b);
	return out;
}

/* To this page again, once something was done. */
static const char *with_next(struct req *r, const char *url)
{
	return arena_printf(&r->http->arena, "%s?next=%s", url,
	    url_quote(&r->http->arena, req_hub(r, "admin"), false));
}

/* ---- everybody ---------------------------------------------------- */

static const char *state_word(const json_t *server)
{
	const char *pending =
	    json_string_value(json_object_get(server, "pending"));

	if (json_is_true(json_object_get(server, "ready")))
		return "running";
	if (str_eq(pending, "spawn"))
		return "starting";
	if (str_eq(pending, "stop"))
		return "stopping";
	return pending ? "checking" : "stopped";
}

static json_t *server_row(
    struct req *r, const char *user, const char *name, const json_t *server)
{
	const char *state = state_word(server);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "label",
	    *name ? name : "default", "state", state, "open_url",
	    json_string_value(json_object_get(server, "url")), "start_url",
	    with_next(r, req_server_url(r, "spawn", user, name)), "stop_url",
	    with_next(r, req_server_url(r, "stop", user, name)));

	json_object_set_new(row, state, json_true());
	return row;
}

static void complete_user(struct req *r, json_t *user)
{
	const char *name = json_string_value(json_object_get(user, "name"));
	json_t *servers = json_object_get(user, "servers"), *server;
	json_t *rows = json_array();
	const char *server_name;

	json_object_foreach (servers, server_name, server)
		json_array_append_new(
		    rows, server_row(r, name, server_name, server));
	json_object_set_new(user, "servers", rows);
	json_object_set_new(
	    user, "edit_url", json_string(admin_url(r, name, "")));
}

/* A heading that sorts by it; once more turns it round. */
static void add_sort(
    struct req *r, json_t *data, const char *key, const char *column)
{
	const char *now = url_pair_get(&r->query, "sort");
	const char *sort = str_eq(now, column)
			       ? arena_printf(&r->http->arena, "-%s", column)
			       : column;

	json_object_set_new(data, key, json_string(list_url(r, sort, 0)));
}

static void add_pages(struct req *r, json_t *data, const json_t *pages)
{
	const char *sort = url_pair_get(&r->query, "sort");
	int64_t offset = json_integer_value(json_object_get(pages, "offset"));
	int64_t limit = json_integer_value(json_object_get(pages, "limit"));
	int64_t total = json_integer_value(json_object_get(pages, "total"));

	json_object_set_new(data, "total", json_integer((json_int_t)total));
	if (offset > 0)
		json_object_set_new(data, "previous_url",
		    json_string(list_url(
			r, sort, offset > limit ? offset - limit : 0)));
	if (json_is_object(json_object_get(pages, "next")))
		json_object_set_new(data, "next_url",
		    json_string(list_url(r, sort, offset + limit)));
}

static void add_states(struct req *r, json_t *data)
{
	static const char *const words[] = { "active", "ready", "inactive" };
	const char *now = url_pair_get(&r->query, "state");
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:b}", "word", words[i], "selected",
			      str_eq(now, words[i])));
	json_object_set_new(data, "states", list);
}

static bool may(struct req *r, enum scope_id id)
{
	return req_may(r, id, NULL, NULL);
}

static void show_list(struct req *r, int status, json_t *take)
{
	json_t *users = json_object_get(take, "items"), *user;
	const char *part = url_pair_get(&r->query, "name_filter");
	json_t *data = json_pack("{s:s, s:O, s:b, s:b}", "title",
	    "Administration", "users", users, "may_add",
	    may(r, SCOPE_ADMIN_USERS), "may_shut_down", may(r, SCOPE_SHUTDOWN));
	size_t i;

	(void)status;
	json_array_foreach (users, i, user)
		complete_user(r, user);
	if (part)
		json_object_set_new(data, "name_filter", json_string(part));
	add_sort(r, data, "by_name", "name");
	add_sort(r, data, "by_activity", "last_activity");
	add_states(r, data);
	add_pages(r, data, json_object_get(take, "_pagination"));
	json_decref(take);
	reply_page(r, 200, "admin", data);
}

void page_admin(struct req *r)
{
	page_form_set(r, "include_stopped_servers", "1");
	page_form_call(r, api_users_get, NULL, show_list);
}

/* ---- one person --------------------------------------------------- */

static void show_user(struct req *r, int status, json_t *take)
{
	const char *name = json_string_value(json_object_get(take, "name"));

	(void)status;
	json_object_set_new(
	    take, "edit_url", json_string(admin_url(r, name, "")));
	json_object_set_new(
	    take, "delete_url", json_string(admin_url(r, name, "/delete")));
	json_object_set_new(take, "may_edit",
	    json_boolean(req_may(r, SCOPE_ADMIN_USERS, name, NULL)));
	json_object_set_new(take, "may_delete",
	    json_boolean(req_may(r, SCOPE_DELETE_USERS, name, NULL) &&
			 strcmp(name, r->who.user_name) != 0));
	json_object_set_new(take, "title", json_string(name));
	reply_page(r, 200, "admin_user", take);
}

void page_admin_user(struct req *r)
{
	page_form_call(r, api_user_get, NULL, show_user);
}

/* ---- changes ------------------------------------------------------ */

static void to_list(struct req *r, int status, json_t *take)
{
	(void)status;
	json_decref(take);
	reply_redirect(r, 303, req_hub(r, "admin"));
}

void page_admin_add(struct req *r)
{
	page_form_call(r, api_users_post,
	    json_pack("{s:o, s:b}", "usernames",
		page_form_words(r, "usernames"), "admin",
		page_form_checked(r, "admin")),
	    to_list);
}

/* What stays as it is is not asked for: not everybody may give the flag. */
void page_admin_user_post(struct req *r)
{
	bool was = page_form_checked(r, "was_admin");
	bool admin = page_form_checked(r, "admin");
	json_t *body = json_pack("{s:s}", "name", page_form_text(r, "name"));

	if (admin != was)
		json_object_set_new(body, "admin", json_boolean(admin));
	page_form_call(r, api_user_patch, body, to_list);
}

void page_admin_user_delete(struct req *r)
{
	page_form_call(r, api_user_delete, NULL, to_list);
}

/* ---- the end ------------------------------------------------------ */

static void show_end(struct req *r, int status, json_t *take)
{
	(void)status;
	json_decref(take);
	reply_page(r, 202, "shutdown",
	    json_pack("{s:s}", "title", "The hub is being shut down"));
}

void page_admin_shutdown(struct req *r)
{
	page_form_call(r, api_shutdown,
	    json_pack("{s:b}", "servers", page_form_checked(r, "servers")),
	    show_end);
}
