/*
 * Error pages: see error.h.
 */
#include "proxy/error.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/fetch.h"
#include "base/mem.h"
#include "base/offload.h"
#include "base/url.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/exchange.h"
#include "proxy/pages.h"
#include "proxy/reply.h"
#include "proxy/route.h"
#include "proxy/worker.h"

#define FETCH_MS    5000
#define FETCHES_MAX 16
/* More pages than these on their way: the rest is answered from memory. */
#define JOBS_MAX    256
/* After a failure the error target is left alone for so long. */
#define REST_MS     1000
#define PAGE_MAX    1048576
#define FILES_MAX   128

struct errors {
	struct worker *w;
	struct fetcher *fetcher; /* with --error-target */
	struct pages *pages;     /* what it gave a moment ago */
	struct offload *files;   /* with --error-path */
	char *origin;            /* of the error target, as in struct target */
	size_t n_jobs;
	int64_t rest_until_ms;
};

struct error_job {
	struct errors *errors;
	struct exchange *ex; /* NULL: it has ended */
	uint64_t fetch_id;   /* 0: a file is read */
	int status;
	char *text; /* of the file */
	size_t len;
};

/* ---- the built-in pages -------------------------------------------------- */

static const char page_format[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "%s<title>%d: %s</title>\n"
    "<style>body{font-family:sans-serif;max-width:34em;margin:4em auto;"
    "padding:0 1em;color:#222}h1{font-size:1.4em}</style>\n"
    "</head><body><h1>%d: %s</h1>\n<p>%s</p>\n</body></html>\n";

static const char *advice(int status)
{
	if (status == 400)
		return "The address or the request is not well-formed.";
	if (status == 404)
		return "Nothing is served at this address.";
	if (status == 429)
		return "Too many requests from your address are open at this "
		       "moment: close some pages, or try again shortly.";
	if (status == 503)
		return "The server behind this address does not answer now. "
		       "It may be starting or stopped: try again shortly.";
	return "The proxy could not serve this request.";
}

static void answer_built_in(struct exchange *ex, int status)
{
	const char *reason = reply_reason(status);
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, page_format, "", status, reason, status, reason,
	    advice(status));
	exchange_answer(
	    ex, "text/html", slice_make("", 0), slice_make(b.data, b.len));
	buf_fini(&b);
}

/* The hub is away: people's notebooks run on, and its pages come back. */
static void answer_hub_away(struct exchange *ex, int status)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, page_format,
	    "<meta http-equiv=\"refresh\" content=\"3\">\n", status,
	    reply_reason(status), status, "The hub is away for a moment",
	    "It is being restarted, or has a problem. Running notebooks are "
	    "not touched by this. This page tries again by itself.");
	exchange_answer(
	    ex, "text/html", slice_make("", 0), slice_make(b.data, b.len));
	buf_fini(&b);
}

/* ---- jobs ---------------------------------------------------------------- */

static struct error_job *job_new(
    struct errors *e, struct exchange *ex, int status)
{
	struct error_job *job = xcalloc(1, sizeof *job);

	job->errors = e;
	job->ex = ex;
	job->status = status;
	e->n_jobs++;
	return job;
}

static void job_free(struct error_job *job)
{
	job->errors->n_jobs--;
	free(job->text);
	free(job);
}

void error_cancel(struct error_job **jobp)
{
	struct error_job *job = *jobp;

	*jobp = NULL;
	if (job == NULL)
		return;
	/* A file that is being read ends by itself. */
	job->ex = NULL;
	if (job->fetch_id == 0)
		return;
	fetch_cancel(job->errors->fetcher, job->fetch_id);
	job_free(job);
}

/* ---- the error target ---------------------------------------------------- */

static const char *page_url(
    struct arena *a, const struct config *c, const struct exchange *ex)
{
	struct slice target = exchange_target(ex);
	const char *base = c->error_target, *slash, *asked;

	if (c->error_url.scheme == URL_HTTP_UNIX)
		base = arena_printf(a, "http://localhost%s", c->error_url.path);
	slash = str_ends(base, "/") ? "" : "/";
	asked = url_quote(a, arena_strndup(a, target.p, target.len), false);
	return arena_printf(a, "%s%s%d?url=%s", base, slash, ex->status, asked);
}

/* Content-Encoding of the page as a field line, when it has a sound one. */
static struct slice coding_line(struct arena *a, const struct fetch_result *res)
{
	const char *coding = fetch_header(res, "Content-Encoding");

	if (coding == NULL || !httphead_is_token(slice_of(coding)))
		return slice_make("", 0);
	return slice_of(arena_printf(a, "Content-Encoding: %s\r\n", coding));
}

static void on_page(const struct fetch_result *res, void *arg)
{
	struct error_job *job = arg;
	struct errors *e = job->errors;
	struct exchange *ex = job->ex;
	struct conn *c = ex->conn;
	const char *type = fetch_header(res, "Content-Type");
	struct arena a;

	ex->page = NULL;
	arena_init(&a);
	if (type != NULL && str_has_control(type, strlen(type)))
		type = NULL;
	if (res->status == 0) {
		e->rest_until_ms = worker_now_ms(e->w) + REST_MS;
		answer_built_in(ex, job->status);
	} else {
		const struct page page = { type, coding_line(&a, res),
			res->body };

		pages_put(e->pages, job->status, exchange_target(ex),
		    worker_now_ms(e->w), &page);
		exchange_answer(ex, page.type, page.fields, page.body);
	}
	arena_fini(&a);
	job_free(job);
	conn_run(c);
}

static void fetch_page(struct errors *e, struct exchange *ex)
{
	const struct config *c = e->w->config;
	struct error_job *job = job_new(e, ex, ex->status);
	struct fetch_req req = {
		.method = "GET",
		.unix_socket = c->error_url.socket_path,
		.connect_timeout_ms = FETCH_MS / 2,
		.timeout_ms = FETCH_MS,
		.max_body_bytes = PAGE_MAX,
		.ca_file = c->client_ssl_ca,
		.cert_file = c->client_ssl_cert,
		.key_file = c->client_ssl_key,
		.trusts_any = c->insecure,
	};
	struct arena a;

	arena_init(&a);
	req.url = page_url(&a, c, ex);
	job->fetch_id = fetch_start(e->fetcher, &req, on_page, job);
	arena_fini(&a);
	ex->page = job;
}

static bool answer_again(struct errors *e, struct exchange *ex)
{
	struct page page;

	if (!pages_find(e->pages, ex->status, exchange_target(ex),
		worker_now_ms(e->w), &page))
		return false;
	exchange_answer(ex, page.type, page.fields, page.body);
	return true;
}

/* Is it the error target itself that failed? */
static bool is_hub(const struct errors *e, const struct exchange *ex)
{
	return e->origin != NULL && ex->route != NULL &&
	       str_eq(e->origin, ex->route->target.origin);
}

/* ---- files --------------------------------------------------------------- */

static void read_page(void *arg)
{
	struct error_job *job = arg;
	const char *dir = job->errors->w->config->error_path;
	char path[4096];

	if (str_format(path, sizeof path, "%s/%d.html", dir, job->status) ==
		0 &&
	    file_read_all(path, PAGE_MAX, &job->text, &job->len, NULL) == 0)
		return;
	if (str_format(path, sizeof path, "%s/error.html", dir) == 0 &&
	    file_read_all(path, PAGE_MAX, &job->text, &job->len, NULL) == 0)
		return;
	job->text = NULL;
}

static void page_is_read(void *arg)
{
	struct error_job *job = arg;
	struct exchange *ex = job->ex;
	struct conn *c;

	if (ex == NULL) {
		job_free(job);
		return;
	}
	c = ex->conn;
	ex->page = NULL;
	if (job->text == NULL)
		answer_built_in(ex, job->status);
	else
		exchange_answer(ex, "text/html", slice_make("", 0),
		    slice_make(job->text, job->len));
	job_free(job);
	conn_run(c);
}

static void read_file(struct errors *e, struct exchange *ex)
{
	struct error_job *job;

	job = job_new(e, ex, ex->status);
	if (offload_submit(e->files, read_page, page_is_read, job, NULL) == 0) {
		ex->page = job;
		return;
	}
	job_free(job);
	answer_built_in(ex, ex->status);
}

/* ---- the door ------------------------------------------------------------ */

void error_page(struct errors *e, struct exchange *ex)
{
	const struct config *c = e->w->config;
	bool has_room = e->n_jobs < JOBS_MAX;

	/* Who has too much open is not to make the hub work, too. */
	if (ex->reason == METRICS_LIMITED)
		answer_built_in(ex, ex->status);
	else if (ex->status == 503 && is_hub(e, ex))
		answer_hub_away(ex, ex->status);
	else if (e->fetcher != NULL && answer_again(e, ex))
		return;
	else if (has_room && c->error_path != NULL)
		read_file(e, ex);
	else if (has_room && e->fetcher != NULL &&
		 e->rest_until_ms <= worker_now_ms(e->w))
		fetch_page(e, ex);
	else
		answer_built_in(ex, ex->status);
}

static char *origin_of(const struct url *u)
{
	if (u->scheme == URL_HTTP_UNIX)
		return xasprintf("unix:%s", u->socket_path);
	return xasprintf("%s://%s:%u",
	    u->scheme == URL_HTTPS ? "https" : "http", u->host,
	    (unsigned)u->port);
}

struct errors *errors_new(struct worker *w)
{
	struct errors *e = xcalloc(1, sizeof *e);

	e->w = w;
	if (w->config->error_path != NULL)
		e->files = offload_new(w->loop, 1, FILES_MAX);
	if (w->config->error_target == NULL)
		return e;
	e->origin = origin_of(&w->config->error_url);
	e->fetcher = fetcher_new(w->loop, FETCHES_MAX);
	e->pages = pages_new();
	return e;
}

void errors_free(struct errors **ep)
{
	struct errors *e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	offload_free(&e->files);
	fetcher_free(&e->fetcher);
	pages_free(&e->pages);
	free(e->origin);
	free(e);
}
