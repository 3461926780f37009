/*
 * The hub itself over REST: what it is, how it ends (contract/hub.md 1.4).
 */
#include <unistd.h>

#include "auth/authenticator.h"
#include "base/log.h"
#include "hub/handlers.h"

/* ---- info --------------------------------------------------------- */

static const char *own_path(struct req *r)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	if (n <= 0 || !utf8_valid(path, (size_t)n))
		return "carrel-hub";
	return arena_strndup(&r->http->arena, path, (size_t)n);
}

/* The members are the reference's; there is no Python here. */
void api_info(struct req *r)
{
	reply_json(r, 200,
	    json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "version",
		COMPAT_VERSION, "python", "none: Carrel " CARREL_VERSION,
		"sys_executable", own_path(r), "spawner", "class",
		"carrel-spawner", "version", CARREL_VERSION, "authenticator",
		"class", r->app->auth_kind->name, "version", CARREL_VERSION));
}

/* ---- shutdown ----------------------------------------------------- */

/* 0 and 1 are meant as truth, as the reference has it; what is not said is as
 * it was. -1: answered. */
static int read_flag(
    struct req *r, const json_t *body, const char *name, bool *out)
{
	const json_t *v = json_object_get(body, name);

	if (!v)
		return 0;
	if (json_is_boolean(v) ||
	    (json_is_integer(v) && json_integer_value(v) >= 0 &&
		json_integer_value(v) <= 1)) {
		*out = json_is_true(v) || json_integer_value(v) == 1;
		return 0;
	}
	reply_error(
	    r, 400, "%s must be true or false, got something else", name);
	return -1;
}

/* The proxy is a program of its own: it is never ended from here, tells people
 * that the hub is away, and whoever wanted its end is told. */
void api_shutdown(struct req *r)
{
	bool with_servers = r->app->cfg.cleanup_servers, with_proxy = false;
	json_t *body;
	int has = req_json(r, &body);

	if (has < 0)
		return;
	if (has && !json_is_object(body) && !json_is_null(body)) {
		reply_error(r, 400, "Body must be a JSON object");
		return;
	}
	if (read_flag(r, body, "proxy", &with_proxy) != 0 ||
	    read_flag(r, body, "servers", &with_servers) != 0)
		return;
	log_info(&(struct log_ctx){ .user = principal_name(&r->who) },
	    "shutdown asked", "servers=%d", with_servers);
	reply_json(r, 202,
	    json_pack("{s:s}", "message",
		with_proxy ? "Shutting down Hub. The proxy goes on: the hub "
			     "did not start it and does not end it"
			   : "Shutting down Hub"));
	app_stop_soon(r->app, with_servers);
}
