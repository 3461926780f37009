/*
 * A server's line in the proxy's table.
 */
#include "hub/app.h"
#include "hub/routing.h"
#include "hub/server_turn.h"

static void on_done(
    struct app *app, int64_t id, bool wanted, const struct err *err)
{
	struct server *s = server_by_id(app, id);
	struct server_cause c = { .why = err };

	if (!s)
		return;
	if (!wanted)
		server_event(s, EV_UNROUTED, &c);
	else if (err->code == ERR_NONE)
		server_event(s, EV_ROUTED, &c);
	else
		server_event(s, EV_ROUTE_FAILED, &c);
}

/* A server that was given TLS says so in its address. */
const char *server_scheme(const struct server *s)
{
	return str_starts(s->address, "https://") ? "" : "http://";
}

static const char *target_of(const struct server *s, struct arena *a)
{
	return arena_printf(a, "%s%s", server_scheme(s), s->address);
}

static json_t *data_of(const struct server *s)
{
	json_t *data = json_object();

	json_object_set_new(data, "user", json_string(s->user));
	json_object_set_new(data, "server_name", json_string(s->name));
	return data;
}

void server_route_open(struct server *s)
{
	struct arena a;
	json_t *data = data_of(s);

	arena_init(&a);
	routing_want(s->app, s->route, target_of(s, &a), data, s->id, on_done);
	arena_fini(&a);
	json_decref(data);
}

void server_route_hold(struct server *s)
{
	struct arena a;
	json_t *data = data_of(s);

	arena_init(&a);
	routing_hold(s->app, s->route, target_of(s, &a), data, s->id);
	arena_fini(&a);
	json_decref(data);
}

void server_route_close(struct server *s)
{
	routing_unwant(s->app, s->route, s->id, on_done);
}

bool server_route_is_listed(const struct server *s)
{
	const char *scheme;

	if (!s->listed_target || !s->address)
		return false;
	scheme = server_scheme(s);
	return str_starts(s->listed_target, scheme) &&
	       str_eq(s->listed_target + slice_of(scheme).len, s->address);
}
