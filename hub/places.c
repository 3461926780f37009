/*
 * See places.h.
 */
#include "hub/places.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define SYSTEM_CONFIG "/etc/carrel/carrel.yaml"
#define SYSTEM_STATE  "/var/lib/carrel"
#define SYSTEM_RUN    "/run/carrel"
#define SYSTEM_TOKEN  "/etc/carrel/proxy.token"
#define TOKEN_MAX     4096

static bool is_system_account(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw && str_eq(pw->pw_name, PLACES_ACCOUNT);
}

static const char *home_dir(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home && home[0] == '/')
		return home;
	pw = getpwuid(getuid());
	return pw && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

static int find_state_dir(struct arena *a, const char **out, struct err *err)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = home_dir();

	if (is_system_account())
		*out = SYSTEM_STATE;
	else if (base && base[0] == '/')
		*out = arena_printf(a, "%s/carrel", base);
	else if (home)
		*out = arena_printf(a, "%s/.local/state/carrel", home);
	else
		return err_set(err, ERR_INVALID,
		    "this account has no home directory; say --state-dir DIR");
	return 0;
}

static int find_run_dir(struct arena *a, const char **out, struct err *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");

	if (is_system_account())
		*out = SYSTEM_RUN;
	else if (base && base[0] == '/')
		*out = arena_printf(a, "%s/carrel", base);
	else
		return err_set(err, ERR_INVALID,
		    "$XDG_RUNTIME_DIR is not set; say --run-dir DIR");
	return 0;
}

static int check_socket(const char *what, const char *path, struct err *err)
{
	const size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;

	if (strlen(path) <= max)
		return 0;
	return err_set(err, ERR_INVALID,
	    "the path of the %s socket has %zu bytes, Linux takes %zu; say a "
	    "shorter --run-dir",
	    what, strlen(path), max);
}

/* The proxy is told of hub.sock by its path: it must hold from anywhere. */
static int make_absolute(struct arena *a, const char **path, struct err *err)
{
	char *dir;

	if (!*path || **path == '/')
		return 0;
	dir = getcwd(NULL, 0);
	if (!dir)
		return err_sys(err, "the working directory");
	*path = arena_printf(a, "%s/%s", dir, *path);
	free(dir);
	return 0;
}

static const char *socket_path(struct arena *a, const char *arg,
    const char *conf, const char *run_dir, const char *name)
{
	if (arg)
		return arg;
	if (conf && *conf)
		return conf;
	return arena_printf(a, "%s/%s", run_dir, name);
}

/* path is absolute. */
static const char *beside(struct arena *a, const char *path, const char *name)
{
	int dir_len = (int)(strrchr(path, '/') - path);

	return arena_printf(a, "%.*s/%s", dir_len, path, name);
}

const char *places_config(struct arena *a)
{
	const char *home = home_dir(), *own;

	if (is_system_account() || !home)
		return SYSTEM_CONFIG;
	own = arena_printf(a, "%s/.config/carrel/carrel.yaml", home);
	return access(own, R_OK) == 0 ? own : SYSTEM_CONFIG;
}

/* Both sockets may be named without a run directory. */
static bool needs_run_dir(
    const struct places_args *args, const char *spawner, const char *hub)
{
	return !(
	    (args->spawner_socket || *spawner) && (args->hub_socket || *hub));
}

int places_find(struct arena *a, const struct places_args *args,
    const char *conf_spawner_socket, const char *conf_hub_socket,
    struct places *out, struct err *err)
{
	*out = (struct places){
		.config = args->config ? args->config : places_config(a),
		.state_dir = args->state_dir,
		.run_dir = args->run_dir,
	};
	if (!out->state_dir && find_state_dir(a, &out->state_dir, err) != 0)
		return -1;
	if (!out->run_dir &&
	    needs_run_dir(args, conf_spawner_socket, conf_hub_socket) &&
	    find_run_dir(a, &out->run_dir, err) != 0)
		return -1;
	if (make_absolute(a, &out->state_dir, err) != 0 ||
	    make_absolute(a, &out->run_dir, err) != 0)
		return -1;
	out->spawner_socket = socket_path(a, args->spawner_socket,
	    conf_spawner_socket, out->run_dir, "spawner.sock");
	out->hub_socket = socket_path(
	    a, args->hub_socket, conf_hub_socket, out->run_dir, "hub.sock");
	out->database = arena_printf(a, "%s/carrel.sqlite", out->state_dir);
	out->keys_dir = arena_printf(a, "%s/keys", out->state_dir);
	if (make_absolute(a, &out->hub_socket, err) != 0 ||
	    make_absolute(a, &out->spawner_socket, err) != 0)
		return -1;
	out->admin_socket = beside(a, out->hub_socket, PLACES_ADMIN);
	if (check_socket("hub's", out->hub_socket, err) != 0 ||
	    check_socket("administrator's", out->admin_socket, err) != 0)
		return -1;
	return check_socket("spawner's", out->spawner_socket, err);
}

/* ---- the proxy's token --------------------------------------------------- */

static int check_token(const char *token, const char *where, struct err *err)
{
	if (!*token)
		return err_set(err, ERR_INVALID,
		    "the proxy's token in %s is empty", where);
	for (const char *p = token; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return err_set(err, ERR_INVALID,
			    "the proxy's token in %s has a blank or a byte "
			    "that is no printable ASCII",
			    where);
	}
	return 0;
}

static int token_from_file(
    struct arena *a, const char *file, const char **out, struct err *err)
{
	struct slice text;
	char *content;
	size_t len;

	if (file_read_all(file, TOKEN_MAX, &content, &len, err) != 0)
		return err_wrap(err,
		    "the proxy's token (CONFIGPROXY_AUTH_TOKEN_FILE or "
		    "proxy.token_file says where it is)");
	text = slice_make(content, len);
	while (text.len > 0 &&
	       (text.p[text.len - 1] == '\n' || text.p[text.len - 1] == '\r'))
		text.len--;
	*out = arena_strndup(a, text.p, text.len);
	mem_wipe(content, len);
	free(content);
	return check_token(*out, file, err);
}

int places_proxy_token(
    struct arena *a, const char *file, const char **out, struct err *err)
{
	const char *value = getenv("CONFIGPROXY_AUTH_TOKEN");
	const char *named = getenv("CONFIGPROXY_AUTH_TOKEN_FILE");

	if (value && *value) {
		*out = arena_strdup(a, value);
		unsetenv("CONFIGPROXY_AUTH_TOKEN");
		return check_token(*out, "$CONFIGPROXY_AUTH_TOKEN", err);
	}
	if (named && *named)
		return token_from_file(a, named, out, err);
	return token_from_file(a, *file ? file : SYSTEM_TOKEN, out, err);
}
