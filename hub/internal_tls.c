/*
 * See internal_tls.h.
 */
#include "hub/internal_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pki.h"
#include "base/str.h"
#include "base/tls_front.h"
#include "base/url.h"
#include "hub/app.h"

#define DIR_NAME     "internal-tls"
#define PEM_MAX      65536
#define YEAR_S       ((int64_t)365 * 86400)
#define AUTHORITY_S  (30 * YEAR_S)
#define SERVER_S     (5 * YEAR_S)
#define OWN_S        YEAR_S
#define RENEW_MS     ((int64_t)30 * 86400 * 1000)
#define AGAIN_MS     ((int64_t)3600 * 1000)
#define NAMES_MAX    80
#define FILE_HUB     "hub.pem"
#define FILE_SERVERS "servers.crt"
#define FILE_TRUST   "trust.crt"
#define FILE_PROXY   "proxy.pem"

struct internal_tls {
	struct app *app;
	int dir_fd;
	struct pki_pair house, servers;
	const char *hub_file, *servers_file, *trust_file;
	const char *proxy_dir;
	char *trust; /* both authorities' certificates */
	struct tls_front *front;
	struct timer renew;
};

/* ---- files --------------------------------------------------------------- */

/* 1 read, 0 there is no such file, -1. */
static int find_pair(
    int dir_fd, const char *name, struct pki_pair *out, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = NULL;
	size_t len;
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "open %s/%s", DIR_NAME, name);
	rc = fd_read_all(fd, PEM_MAX, &text, &len, err);
	fd_close(&fd);
	if (rc != 0)
		return -1;
	/* One text has both: OpenSSL takes what it looks for. */
	out->key = text;
	out->cert = xstrdup(text);
	return 1;
}

static int write_pair(int dir_fd, const char *name, const struct pki_pair *pair,
    mode_t mode, struct err *err)
{
	size_t len = strlen(pair->key) + strlen(pair->cert);
	char *text = xcalloc(1, len + 1);
	int rc = str_format(text, len + 1, "%s%s", pair->key, pair->cert);

	if (rc == 0)
		rc = file_replace(dir_fd, name, text, len, mode, err);
	mem_wipe(text, len);
	free(text);
	return rc;
}

static int open_dir(const char *path, mode_t mode, int *out, struct err *err)
{
	if (dir_make(path, mode, err) != 0)
		return -1;
	*out = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? err_sys(err, "open %s", path) : 0;
}

/* ---- authorities --------------------------------------------------------- */

static int make_authority(struct internal_tls *t, const char *file,
    const char *name, struct pki_pair *out, struct err *err)
{
	const struct pki_request req = {
		.name = name,
		.now_s = clock_wall_us() / 1000000,
		.valid_s = AUTHORITY_S,
	};

	if (pki_authority(&req, out, err) != 0 ||
	    write_pair(t->dir_fd, file, out, 0600, err) != 0)
		return -1;
	log_info(NULL, "an authority for internal TLS was made", "name=\"%s\"",
	    name);
	return 0;
}

static int check_authority(
    const struct pki_pair *pair, const char *file, struct err *err)
{
	int64_t until, now = clock_wall_us() / 1000000;
	const char *advice =
	    "stop all servers, remove this file and start the hub again: it "
	    "makes another one";

	if (!pki_fits(pair, NULL) ||
	    pki_valid_until(pair->cert, &until, NULL) != 0)
		return err_set(err, ERR_INVALID,
		    "%s/%s has no key with its certificate; %s", DIR_NAME, file,
		    advice);
	if (until <= now)
		return err_set(err, ERR_INVALID, "%s/%s is out of date; %s",
		    DIR_NAME, file, advice);
	if (until < now + YEAR_S)
		log_warn(NULL, "an authority of internal TLS ends soon",
		    "file=%s days=%" PRId64 " advice=\"%s\"", file,
		    (until - now) / 86400, advice);
	return 0;
}

static int find_authority(struct internal_tls *t, const char *file,
    const char *name, struct pki_pair *out, struct err *err)
{
	int found = find_pair(t->dir_fd, file, out, err);

	if (found < 0)
		return -1;
	return found ? check_authority(out, file, err)
		     : make_authority(t, file, name, out, err);
}

static char *cert_only(const struct pki_pair *pair)
{
	const char *begin = strstr(pair->cert, "-----BEGIN CERTIFICATE-----");

	return xstrdup(begin ? begin : "");
}

static int write_trust(struct internal_tls *t, struct err *err)
{
	char *house = cert_only(&t->house), *servers = cert_only(&t->servers);
	size_t len = strlen(house) + strlen(servers);
	int rc;

	t->trust = xcalloc(1, len + 1);
	rc = str_format(t->trust, len + 1, "%s%s", house, servers);
	if (rc == 0)
		rc = file_replace(t->dir_fd, FILE_SERVERS, servers,
		    strlen(servers), 0600, err);
	if (rc == 0)
		rc = file_replace(
		    t->dir_fd, FILE_TRUST, t->trust, len, 0600, err);
	free(house);
	free(servers);
	return rc;
}

/* ---- our own certificates ------------------------------------------------ */

/* What certificates on this machine are reached by; the hub's also by its own
 * addresses. */
static size_t list_names(
    const struct app *app, struct arena *a, const char **out)
{
	const struct conf_strings *more = &app->cfg.trusted_alt_names;
	struct url u;
	struct err err;
	size_t n = 0;

	out[n++] = "localhost";
	out[n++] = "127.0.0.1";
	out[n++] = "::1";
	if (!str_eq(app->cfg.hub_host, "*"))
		out[n++] = app->cfg.hub_host;
	if (*app->cfg.connect_url &&
	    url_parse(a, app->cfg.connect_url, &u, &err) == 0)
		out[n++] = u.host;
	for (size_t i = 0; i < more->n && n < NAMES_MAX; i++) {
		const char *colon = strchr(more->items[i], ':');

		out[n] = more->items[i];
		/* As the reference writes them. */
		if (str_starts(out[n], "DNS:") || str_starts(out[n], "IP:"))
			out[n] = colon + 1;
		n++;
	}
	return n;
}

static int issue_own(struct internal_tls *t, const char *name,
    struct pki_pair *out, struct err *err)
{
	const char *names[NAMES_MAX];
	struct pki_request req = {
		.name = name,
		.alt_names = names,
		.now_s = clock_wall_us() / 1000000,
		.valid_s = OWN_S,
	};
	struct arena a;
	int rc;

	arena_init(&a);
	req.n_alt_names = list_names(t->app, &a, names);
	rc = pki_issue(&t->house, &req, out, err);
	arena_fini(&a);
	return rc == 0 ? 0 : err_wrap(err, "hub.trusted_alt_names");
}

static int make_hub(struct internal_tls *t, struct err *err)
{
	struct pki_pair pair;
	int rc = -1;

	if (issue_own(t, "hub", &pair, err) == 0)
		rc = write_pair(t->dir_fd, FILE_HUB, &pair, 0600, err);
	pki_pair_fini(&pair);
	return rc;
}

/* Without a group of its own the proxy runs under our account. */
static int proxy_group(const struct app *app, gid_t *out, struct err *err)
{
	const struct group *gr;

	*out = (gid_t)-1;
	if (!*app->cfg.socket_group)
		return 0;
	gr = getgrnam(app->cfg.socket_group);
	if (!gr)
		return err_set(err, ERR_INVALID,
		    "hub.socket_group: there is no group \"%s\"",
		    app->cfg.socket_group);
	*out = gr->gr_gid;
	return 0;
}

static int give(int dir_fd, const char *name, gid_t gid, struct err *err)
{
	if (gid == (gid_t)-1)
		return 0;
	if (fchownat(dir_fd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(dir_fd, name, 0640, 0) != 0)
		return err_sys(err, "give %s to the proxy's group", name);
	return 0;
}

static int fill_proxy_dir(struct internal_tls *t, int dir_fd,
    const struct pki_pair *pair, struct err *err)
{
	gid_t gid;

	if (proxy_group(t->app, &gid, err) != 0)
		return -1;
	if (gid != (gid_t)-1 &&
	    (fchown(dir_fd, (uid_t)-1, gid) != 0 || fchmod(dir_fd, 0750) != 0))
		return err_sys(
		    err, "give %s to the proxy's group", t->proxy_dir);
	/* First what it believes, then what it shows. */
	if (file_replace(dir_fd, FILE_TRUST, t->trust, strlen(t->trust), 0600,
		err) != 0 ||
	    give(dir_fd, FILE_TRUST, gid, err) != 0 ||
	    write_pair(dir_fd, FILE_PROXY, pair, 0600, err) != 0)
		return -1;
	return give(dir_fd, FILE_PROXY, gid, err);
}

static int make_proxy(struct internal_tls *t, struct err *err)
{
	struct pki_pair pair;
	int dir_fd = -1, rc = -1;

	if (issue_own(t, "proxy", &pair, err) == 0 &&
	    open_dir(t->proxy_dir, 0700, &dir_fd, err) == 0)
		rc = fill_proxy_dir(t, dir_fd, &pair, err);
	fd_close(&dir_fd);
	pki_pair_fini(&pair);
	return rc;
}

/* ---- renewal ------------------------------------------------------------- */

static struct tls_front_files files_of(const struct internal_tls *t)
{
	return (struct tls_front_files){
		.key = t->hub_file,
		.cert = t->hub_file,
		.authorities = t->trust_file,
	};
}

static void on_renew(struct timer *timer, void *arg)
{
	struct internal_tls *t = arg;
	const struct tls_front_files files = files_of(t);
	int64_t next_ms = RENEW_MS;
	struct err err;

	if (make_hub(t, &err) != 0 || make_proxy(t, &err) != 0 ||
	    (t->front && tls_front_load(t->front, &files, &err) != 0)) {
		log_error(NULL,
		    "the certificates of internal TLS cannot be renewed",
		    "why=\"%s\" advice=\"they hold for months; the hub tries "
		    "again every hour\"",
		    err.text);
		next_ms = AGAIN_MS;
	}
	timer_start(t->app->loop, timer, next_ms, on_renew, t);
}

/* ---- life ---------------------------------------------------------------- */

static void find_places(struct internal_tls *t)
{
	struct app *app = t->app;
	struct arena *a = &app->config_arena;
	const char *state = app->places.state_dir;
	const char *socket = app->places.hub_socket;
	const char *slash = strrchr(socket, '/');
	int len = slash ? (int)(slash - socket) : 0;

	t->hub_file = arena_printf(a, "%s/" DIR_NAME "/" FILE_HUB, state);
	t->servers_file =
	    arena_printf(a, "%s/" DIR_NAME "/" FILE_SERVERS, state);
	t->trust_file = arena_printf(a, "%s/" DIR_NAME "/" FILE_TRUST, state);
	t->proxy_dir = arena_printf(a, "%.*s/" DIR_NAME, len, socket);
}

static int make_all(struct internal_tls *t, struct err *err)
{
	const char *dir = arena_printf(
	    &t->app->config_arena, "%s/" DIR_NAME, t->app->places.state_dir);

	if (open_dir(dir, 0700, &t->dir_fd, err) != 0 ||
	    find_authority(t, "house-ca.pem", "Carrel: hub and proxy",
		&t->house, err) != 0 ||
	    find_authority(t, "servers-ca.pem", "Carrel: servers", &t->servers,
		err) != 0 ||
	    write_trust(t, err) != 0 || make_hub(t, err) != 0)
		return -1;
	return make_proxy(t, err);
}

int internal_tls_open(struct app *app, struct err *err)
{
	struct internal_tls *t;

	if (!app->cfg.internal_tls)
		return 0;
	t = xcalloc(1, sizeof *t);
	t->app = app;
	t->dir_fd = -1;
	app->internal_tls = t;
	find_places(t);
	if (make_all(t, err) != 0)
		return err_wrap(err, "internal TLS");
	timer_start(app->loop, &t->renew, RENEW_MS, on_renew, t);
	return 0;
}

void internal_tls_close(struct app *app)
{
	struct internal_tls *t = app->internal_tls;

	app->internal_tls = NULL;
	if (!t)
		return;
	timer_stop(&t->renew);
	tls_front_close(&t->front);
	fd_close(&t->dir_fd);
	pki_pair_fini(&t->house);
	pki_pair_fini(&t->servers);
	free(t->trust);
	free(t);
}

/* ---- use ----------------------------------------------------------------- */

int internal_tls_issue(
    struct app *app, const char *key, json_t **out, struct err *err)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1" };
	struct internal_tls *t = app->internal_tls;
	struct pki_request req = {
		.name = key,
		.alt_names = names,
		.n_alt_names = sizeof names / sizeof *names,
		.now_s = clock_wall_us() / 1000000,
		.valid_s = SERVER_S,
	};
	struct pki_pair pair;
	char *house;

	*out = NULL;
	if (!t)
		return 0;
	if (pki_issue(&t->servers, &req, &pair, err) != 0)
		return err_wrap(err, "internal TLS");
	house = cert_only(&t->house);
	*out = json_pack("{ss ss ss}", "key", pair.key, "certificate",
	    pair.cert, "authority", house);
	free(house);
	pki_pair_fini(&pair);
	return 0;
}

void internal_tls_prepare(const struct app *app, struct fetch_req *req)
{
	const struct internal_tls *t = app->internal_tls;

	if (!t)
		return;
	req->ca_file = t->servers_file;
	req->cert_file = t->hub_file;
}

/* ---- the listener for servers -------------------------------------------- */

static void on_client(
    int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	struct err err;

	if (httpd_add(arg, fd, peer, len, &err) != 0)
		log_warn(NULL, "a connection cannot be served", "why=\"%s\"",
		    err.text);
}

int internal_tls_listen(struct app *app, int listen_fd, unsigned max,
    struct httpd *httpd, struct err *err)
{
	struct internal_tls *t = app->internal_tls;
	const struct tls_front_files files = files_of(t);
	const struct tls_front_options opt = {
		.name = "the hub's port for servers",
		.max_connections = max,
		.fn = on_client,
		.arg = httpd,
	};

	t->front = tls_front_open(app->loop, listen_fd, &files, &opt, err);
	return t->front ? 0 : err_wrap(err, "internal TLS");
}

void internal_tls_quiesce(struct app *app)
{
	if (app->internal_tls && app->internal_tls->front)
		tls_front_quiesce(app->internal_tls->front);
}

void internal_tls_unlisten(struct app *app)
{
	if (app->internal_tls)
		tls_front_close(&app->internal_tls->front);
}
