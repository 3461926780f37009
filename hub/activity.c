/*
 * See activity.h.
 */
#include "hub/activity.h"

#include "base/clock.h"
#include "base/log.h"
#include "hub/app.h"
#include "hub/server.h"

/* A proxy with a wrong clock must not make anybody active tomorrow. */
static int64_t not_later_than_now(int64_t us)
{
	int64_t now = clock_wall_us();

	return us < now ? us : now;
}

static void merge_one(struct app *app, const json_t *route)
{
	const char *user = json_string_value(json_object_get(route, "user"));
	const char *name =
	    json_string_value(json_object_get(route, "server_name"));
	const char *when =
	    json_string_value(json_object_get(route, "last_activity"));
	struct server *s;
	struct err err;
	int64_t us;

	if (!user || !when)
		return;
	s = server_by_name(app, user, name ? name : "");
	if (!s)
		return;
	if (clock_parse_iso(when, &us, &err) != 0) {
		log_debug(NULL, "the proxy's last_activity is no date",
		    "user=%.64s", user);
		return;
	}
	server_touch(app, s, not_later_than_now(us));
}

void activity_merge(struct app *app, const json_t *routes)
{
	const char *path;
	json_t *route;

	json_object_foreach ((json_t *)routes, path, route)
		merge_one(app, route);
}
