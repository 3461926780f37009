/*
 * The server object: memory and the indexes by row id, key, name and user.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/url.h"
#include "hub/app.h"
#include "hub/server_turn.h"

static struct slice id_key(const int64_t *id)
{
	return slice_make((const char *)id, sizeof *id);
}

/* A user's servers: the head of a list, made with the first of them. */
static struct list *user_list(struct servers *all, int64_t user_id, bool make)
{
	struct list *l = map_get(all->by_user, id_key(&user_id));

	if (l || !make)
		return l;
	l = xcalloc(1, sizeof *l);
	list_init(l);
	map_put(all->by_user, id_key(&user_id), l);
	return l;
}

static void leave_user_list(struct server *s)
{
	struct servers *all = s->app->servers;
	struct list *l = user_list(all, s->user_id, false);

	list_del(&s->of_user);
	if (l && list_empty(l)) {
		map_del(all->by_user, id_key(&s->user_id));
		free(l);
	}
}

static char *full_name(const char *user, const char *name)
{
	return xasprintf("%s/%s", user, name);
}

static void index_name(struct server *s, bool add)
{
	char *full = full_name(s->user, s->name);

	if (add)
		map_put(s->app->servers->by_name, slice_of(full), s);
	else
		map_del(s->app->servers->by_name, slice_of(full));
	free(full);
}

void server_object_set_text(char **slot, const char *text)
{
	char *copy = text ? xstrdup(text) : NULL;

	free(*slot);
	*slot = copy;
}

static void set_paths(struct server *s)
{
	struct arena a;
	const char *path, *route;

	arena_init(&a);
	path = server_path(s->app, &a, s->user, s->name);
	s->path = xstrdup(path);
	route = domain_user_route(&a, &s->app->cfg, s->user, path);
	/* Without the slash at the end. */
	s->route = xstrndup(route, strlen(route) - 1);
	arena_fini(&a);
}

struct server *server_object_new(
    struct app *app, int64_t id, const struct user *user, const char *name)
{
	struct servers *all = app->servers;
	struct server *s = xcalloc(1, sizeof *s);

	s->app = app;
	s->id = id;
	s->user_id = user->id;
	s->user = xstrdup(user->name);
	s->name = xstrdup(name);
	s->state = SERVER_GONE;
	s->asked_round = UINT64_MAX;
	set_paths(s);
	list_init(&s->watches);
	list_init(&s->turn);
	list_init(&s->of_user);
	list_add_tail(&all->all, &s->all);
	list_add_tail(user_list(all, user->id, true), &s->of_user);
	map_put(all->by_id, id_key(&s->id), s);
	index_name(s, true);
	return s;
}

void server_object_set_key(struct server *s, const char *key)
{
	struct map *by_key = s->app->servers->by_key;
	int fits;

	if (*s->key)
		map_del(by_key, slice_of(s->key));
	fits = str_copy(s->key, sizeof s->key, key);
	/* That was said of another process. */
	s->is_listening = false;
	/* What the database or the spawner calls a key has its length. */
	if (fits == 0 && *s->key)
		map_put(by_key, slice_of(s->key), s);
}

/* From the indexes: nobody finds it any more. */
static void unlink_object(struct server *s)
{
	server_object_set_key(s, "");
	server_turn_end(s);
	server_probe_stop(s);
	db_waiter_cancel(&s->saved);
	timer_stop(&s->deadline);
	map_del(s->app->servers->by_id, id_key(&s->id));
	index_name(s, false);
	leave_user_list(s);
	list_del(&s->all);
}

static void free_memory(struct server *s)
{
	server_watch_drop(s);
	server_steps_clear(s);
	mem_wipe(s->token, sizeof s->token);
	json_decref(s->options);
	free(s->steps);
	free(s->user);
	free(s->name);
	free(s->account);
	free(s->profile);
	free(s->path);
	free(s->route);
	free(s->address);
	free(s->listed_target);
	free(s->failure);
	free(s->tail);
	free(s);
}

void server_object_free(struct server *s)
{
	unlink_object(s);
	free_memory(s);
}

static void bury_all(void *arg)
{
	struct servers *all = arg;

	list_for_each (it, &all->graves) {
		struct server *s = LIST_ITEM(it, struct server, all);

		list_del(it);
		free_memory(s);
	}
}

void server_object_bury(struct server *s)
{
	struct servers *all = s->app->servers;

	unlink_object(s);
	list_add_tail(&all->graves, &s->all);
	defer_call(s->app->loop, &all->bury, bury_all, all);
}

struct server *server_by_key(struct app *app, const char *key)
{
	return map_get(app->servers->by_key, slice_of(key));
}

struct server *server_by_id(struct app *app, int64_t id)
{
	return map_get(app->servers->by_id, id_key(&id));
}

struct server *server_by_name(
    struct app *app, const char *user, const char *name)
{
	char *full = full_name(user, name);
	struct server *s = map_get(app->servers->by_name, slice_of(full));

	free(full);
	return s;
}

struct server *server_next_of(struct app *app, int64_t user_id, size_t *pos)
{
	struct list *l = user_list(app->servers, user_id, false);
	size_t i = 0;

	if (!l)
		return NULL;
	list_for_each (it, l) {
		if (i++ < *pos)
			continue;
		(*pos)++;
		return LIST_ITEM(it, struct server, of_user);
	}
	return NULL;
}

/* ---- all of them --------------------------------------------------------- */

struct servers *servers_new(struct app *app)
{
	struct servers *all = xcalloc(1, sizeof *all);

	all->app = app;
	all->by_id = map_new();
	all->by_key = map_new();
	all->by_name = map_new();
	all->by_user = map_new();
	list_init(&all->all);
	list_init(&all->graves);
	turn_pool_init(&all->starts, true);
	turn_pool_init(&all->checks, false);
	return all;
}

void servers_free(struct servers **sp)
{
	struct servers *all = *sp;

	if (!all)
		return;
	server_turn_stop(all);
	defer_cancel(&all->bury);
	bury_all(all);
	list_for_each (it, &all->all)
		server_object_free(LIST_ITEM(it, struct server, all));
	/* The last turns that ended have asked for a pump. */
	server_turn_stop(all);
	map_free(&all->by_id);
	map_free(&all->by_key);
	map_free(&all->by_name);
	map_free(&all->by_user);
	free(all);
	*sp = NULL;
}
