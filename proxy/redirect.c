/*
 * From http to https: see redirect.h.
 */
#include "proxy/redirect.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/httpd.h"
#include "base/httphead.h"
#include "base/mem.h"

#define CHALLENGES "/.well-known/acme-challenge/"
#define ANSWER_MAX 4096
#define TOKEN_MAX  128

struct redirect {
	struct httpd *httpd;
	uint16_t port;
	char *directory; /* of the challenges; NULL: none */
};

static void answer(struct http_req *req, int status, const char *text)
{
	http_set(req, "Content-Type", "text/plain; charset=utf-8");
	http_reply(req, status, text, strlen(text));
}

/* ---- ACME ---------------------------------------------------------------- */

/* base64url, so neither a dot nor a slash (RFC 8555 8.1). */
static bool is_token(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return n > 0 && n <= TOKEN_MAX;
}

/* A link would show any file of this machine. */
static int open_plain(const char *directory, const char *token)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct stat st;

	if (dir < 0)
		return -1;
	fd = openat(dir, token, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	fd_close(&dir);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		fd_close(&fd);
	return fd;
}

static void answer_challenge(
    const struct redirect *r, struct http_req *req, const char *token)
{
	char *text = NULL;
	size_t len = 0;
	struct err err;
	int fd = is_token(token) ? open_plain(r->directory, token) : -1;
	int rc = fd < 0 ? -1 : fd_read_all(fd, ANSWER_MAX, &text, &len, &err);

	fd_close(&fd);
	if (rc < 0) {
		answer(req, 404, "No such challenge\n");
		return;
	}
	http_set(req, "Content-Type", "text/plain");
	http_reply_take(req, 200, text, len);
}

/* ---- redirects ----------------------------------------------------------- */

static struct slice without_port(struct slice host)
{
	size_t n = host.len;

	while (n > 0 && isdigit((unsigned char)host.p[n - 1]))
		n--;
	if (n > 0 && host.p[n - 1] == ':')
		host.len = n - 1;
	return host;
}

/* The absolute form says the host itself (RFC 9112 3.2.2). */
static void split_target(
    const struct http_req *req, struct slice *host, struct slice *rest)
{
	static const char scheme[] = "http://";
	const char *said = http_header(req, "Host");

	*host = slice_of(said != NULL ? said : "");
	*rest = slice_of(req->target);
	if (!str_starts(req->target, scheme))
		return;
	host->p = req->target + strlen(scheme);
	host->len = strcspn(host->p, "/?");
	*rest = slice_of(host->p + host->len);
}

static void answer_redirect(const struct redirect *r, struct http_req *req)
{
	const char *port = "", *slash = "";
	struct slice name, rest;

	split_target(req, &name, &rest);
	name = without_port(name);
	if (rest.len == 0 || rest.p[0] == '?')
		slash = "/";
	if (name.len == 0 || !httphead_is_host(name) ||
	    (rest.len > 0 && rest.p[0] != '/' && rest.p[0] != '?')) {
		answer(req, 400,
		    "This server answers by https only, and the request does "
		    "not say for which host it is\n");
		return;
	}
	if (r->port != 443)
		port = arena_printf(&req->arena, ":%u", (unsigned)r->port);
	http_set(req, "Location",
	    arena_printf(&req->arena, "https://%.*s%s%s%.*s", (int)name.len,
		name.p, port, slash, (int)rest.len, rest.p));
	answer(req, 301, "This server answers by https only\n");
}

static void on_request(struct http_req *req, void *arg)
{
	const struct redirect *r = arg;

	if (r->directory != NULL &&
	    strncmp(req->path, CHALLENGES, strlen(CHALLENGES)) == 0)
		answer_challenge(r, req, req->path + strlen(CHALLENGES));
	else
		answer_redirect(r, req);
}

/* ---- life ---------------------------------------------------------------- */

struct redirect *redirect_open(
    const struct redirect_options *opt, int fd, struct err *err)
{
	const struct httpd_options limits = {
		.max_connections = 1024,
		.max_head_bytes = 16384,
		.idle_timeout_s = 10,
		.deadline_ms = 10000,
	};
	struct redirect *r = xcalloc(1, sizeof *r);
	/* At the head: no body is waited for. */
	const struct httpd_callbacks cb = {
		.on_head = on_request,
		.on_request = on_request,
		.arg = r,
	};

	r->port = opt->port;
	if (opt->webroot != NULL)
		r->directory = xasprintf("%s" CHALLENGES, opt->webroot);
	r->httpd = httpd_open(opt->loop, fd, &limits, &cb, err);
	if (r->httpd == NULL)
		redirect_close(&r);
	return r;
}

void redirect_close(struct redirect **rp)
{
	struct redirect *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	/* Otherwise libmicrohttpd shuts the listening socket down, and that
	 * may be another process's as well. */
	if (r->httpd != NULL) {
		httpd_quiesce(r->httpd);
		httpd_close(&r->httpd);
	}
	free(r->directory);
	free(r);
}
