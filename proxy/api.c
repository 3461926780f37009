/*
 * REST for routes: see api.h.
 */
#include "proxy/api.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/httpd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/url.h"
#include "proxy/holdings.h"
#include "proxy/metrics.h"
#include "proxy/route.h"
#include "proxy/table.h"
#include "proxy/tls.h"
#include "proxy/tls_gate.h"

#define BASE_PATH       "/api/routes"
#define HOLDINGS_PATH   "/api/holdings"
#define HOLDERS_SHOWN   20
#define BODY_MAX        262144
/* A key of ROUTE_KEY_MAX bytes, all of them escaped, and fields. libmicrohttpd
 * zeroes a multiple of this after each call. */
#define HEAD_MAX        16384
#define LISTING_MAX     ((size_t)1 << 30)
#define METRICS_MAX     ((size_t)1 << 20)
#define QUERY_MAX       32
#define CONNECTIONS_MAX 512
#define TOKEN_PREFIX    2

struct api {
	struct api_options opt;
	struct httpd *rest, *metrics;
	struct tls_gate *gate; /* in front of rest, with TLS */
	struct metrics own;
	struct metrics **sets;
	int64_t started_s;
	bool is_leaving;
};

/* What a call is about, kept in req->user. */
struct call {
	struct api *api;
	const char *key;
	bool is_all; /* "/api/routes" and "/api/routes/" */
	bool is_waiting;
	struct holdings *holdings; /* on their way */
};

/* ---- answers ------------------------------------------------------------- */

static void answer_text(struct http_req *req, int status, const char *text)
{
	http_set(req, "Content-Type", "text/plain; charset=utf-8");
	http_reply(req, status, text, strlen(text));
}

static void answer_empty(struct http_req *req, int status)
{
	http_reply(req, status, "", 0);
}

static int status_of(const struct err *err)
{
	switch (err->code) {
	case ERR_INVALID:
	case ERR_LIMIT:
		return 400;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_BUSY:
	case ERR_IO:
	case ERR_CANCELLED:
		return 503;
	case ERR_NONE:
	case ERR_EXISTS:
	case ERR_DENIED:
	case ERR_TIMEOUT:
	case ERR_UNAVAILABLE:
	case ERR_PROTOCOL:
	case ERR_INTERNAL:
		break;
	}
	return 500;
}

static void answer_json(struct http_req *req, struct buf *b)
{
	size_t len = b->len;

	http_set(req, "Content-Type", "application/json");
	http_reply_take(req, 200, buf_steal(b), len);
}

/* ---- before the body is read --------------------------------------------- */

static bool is_routes_path(const char *path)
{
	size_t n = strlen(BASE_PATH);

	return strncmp(path, BASE_PATH, n) == 0 &&
	       (path[n] == '\0' || path[n] == '/');
}

/* Exactly "token X" or "Bearer X"; the scheme's case does not count. */
static bool token_is_right(const char *token, const struct http_req *req)
{
	const char *value = http_header(req, "Authorization");
	struct slice rest, scheme;

	if (token[0] == '\0')
		return true;
	if (value == NULL || http_header_count(req, "Authorization") != 1)
		return false;
	rest = slice_of(value);
	if (!slice_split(&rest, ' ', &scheme) ||
	    (!slice_ieq(scheme, "token") && !slice_ieq(scheme, "bearer")))
		return false;
	return mac_equal(rest.p, rest.len, token, strlen(token));
}

/* A connection that was kept: on a new one the other process answers. */
static void answer_left(struct http_req *req)
{
	http_set(req, "Connection", "close");
	http_set(req, "Retry-After", "1");
	answer_text(req, 503, "another process has taken over: try again\n");
}

static void on_head(struct http_req *req, void *arg)
{
	struct api *a = arg;

	if (a->is_leaving)
		answer_left(req);
	else if (!is_routes_path(req->path) &&
		 !str_eq(req->path, HOLDINGS_PATH))
		answer_text(req, 404, "Not found\n");
	else if (str_eq(req->path, HOLDINGS_PATH) &&
		 !str_eq(req->method, "GET"))
		answer_text(req, 405, "Method not supported\n");
	else if (!str_eq(req->method, "GET") && !str_eq(req->method, "POST") &&
		 !str_eq(req->method, "DELETE"))
		answer_text(req, 405, "Method not supported\n");
	else if (!token_is_right(a->opt.token, req))
		answer_empty(req, 403);
}

/* ---- dates --------------------------------------------------------------- */

static int parse_with(const char *text, const char *format, int64_t *out)
{
	struct tm tm = { .tm_mday = 1 };
	const char *end = strptime(text, format, &tm);

	if (end == NULL || *end != '\0')
		return -1;
	*out = (int64_t)timegm(&tm) * 1000;
	return 0;
}

/* ISO 8601 down to the minute, which JavaScript takes: with seconds. */
static int parse_minutes(const char *text, int64_t *us, struct err *err)
{
	const size_t n = strlen("2026-01-02T03:04");
	char full[48];

	if (strlen(text) < n || text[n] == ':' ||
	    str_format(full, sizeof full, "%.*s:00%s", (int)n, text, text + n) <
		0)
		return -1;
	return clock_parse_iso(full, us, err);
}

int api_parse_date(const char *text, int64_t *out, struct err *err)
{
	static const char *const formats[] = { "%Y-%m-%d", "%Y-%m", "%Y",
		"%a, %d %b %Y %H:%M:%S GMT", "%d %b %Y %H:%M:%S GMT",
		"%d %b %Y", "%b %d, %Y", "%Y/%m/%d" };
	int64_t us;

	if (clock_parse_iso(text, &us, err) == 0 ||
	    parse_minutes(text, &us, err) == 0) {
		*out = us / 1000;
		return 0;
	}
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (parse_with(text, formats[i], out) == 0)
			return 0;
	return err_set(err, ERR_INVALID,
	    "inactive_since is no date such as 2026-01-02T03:04:05Z "
	    "(a + in it has to be written %%2B)");
}

static int read_query(
    struct http_req *req, struct url_pairs *out, struct err *err)
{
	const char *query = req->query != NULL ? req->query : "";

	return url_parse_pairs(
	    &req->arena, slice_of(query), QUERY_MAX, out, err);
}

/* *out -1: no filter. */
static int read_filter(struct http_req *req, int64_t *out, struct err *err)
{
	struct url_pairs pairs;
	const char *value;

	*out = -1;
	if (read_query(req, &pairs, err) < 0)
		return -1;
	value = url_pair_get(&pairs, "inactiveSince");
	if (value == NULL)
		value = url_pair_get(&pairs, "inactive_since");
	if (value == NULL || value[0] == '\0')
		return 0;
	if (api_parse_date(value, out, err) < 0)
		return -1;
	/* Nothing was active before 1970 */
	if (*out < 0)
		*out = 0;
	return 0;
}

/* ---- calls --------------------------------------------------------------- */

static void list_routes(struct http_req *req, struct call *call)
{
	int64_t before_ms;
	struct err err;
	struct buf b;

	if (read_filter(req, &before_ms, &err) < 0) {
		answer_text(req, 400, err.text);
		return;
	}
	buf_init(&b, LISTING_MAX);
	table_write(call->api->opt.table, before_ms, &b);
	metric_add(&call->api->own.route_get, 1);
	if (b.overflow)
		answer_text(req, 500, "the listing is too long\n");
	else
		answer_json(req, &b);
	buf_fini(&b);
}

static void get_route(struct http_req *req, struct call *call)
{
	struct buf b;

	buf_init(&b, LISTING_MAX);
	if (table_write_one(call->api->opt.table, call->key, &b))
		answer_json(req, &b);
	else
		answer_empty(req, 404);
	buf_fini(&b);
}

static void on_changed(struct http_req *req, const struct err *err, int status)
{
	struct call *call = req->user;

	call->is_waiting = false;
	if (err->code == ERR_NONE)
		answer_empty(req, status);
	else if (err->code == ERR_NOT_FOUND)
		answer_empty(req, 404);
	else
		answer_text(req, status_of(err), err->text);
}

static void on_set(const struct err *err, void *arg)
{
	struct http_req *req = arg;
	struct call *call = req->user;

	if (err->code == ERR_NONE) {
		metric_add(&call->api->own.route_add, 1);
		log_info(NULL, "Route added", "%s", call->key);
	}
	on_changed(req, err, 201);
}

static void on_deleted(const struct err *err, void *arg)
{
	struct http_req *req = arg;
	struct call *call = req->user;

	metric_add(&call->api->own.route_delete, 1);
	if (err->code == ERR_NONE)
		log_info(NULL, "Route removed", "%s", call->key);
	on_changed(req, err, 204);
}

static void set_route(struct http_req *req, struct call *call)
{
	json_t *data = NULL;
	struct err err;

	if (json_parse(req->body.p, req->body.len, &data, &err) < 0) {
		answer_text(req, 400, err.text);
		return;
	}
	call->is_waiting = true;
	if (table_set(
		call->api->opt.table, call->key, data, on_set, req, &err) < 0) {
		call->is_waiting = false;
		answer_text(req, status_of(&err), err.text);
	}
	json_decref(data);
}

static void delete_route(struct http_req *req, struct call *call)
{
	call->is_waiting = true;
	table_delete(call->api->opt.table, call->key, on_deleted, req);
}

/* ---- who holds what ------------------------------------------------------ */

static void on_holdings(const struct buf *json, void *arg)
{
	struct http_req *req = arg;
	struct call *call = req->user;

	call->holdings = NULL;
	/* Its time was over before. */
	if (http_replied(req))
		return;
	http_set(req, "Content-Type", "application/json");
	if (json->overflow)
		answer_text(req, 500, "the listing is too long\n");
	else
		http_reply(req, 200, json->data, json->len);
}

static int read_holdings(struct http_req *req, enum holdings_order *order,
    int64_t *limit, struct err *err)
{
	struct url_pairs pairs;
	const char *value;

	*order = HOLDINGS_BY_OPEN;
	*limit = HOLDERS_SHOWN;
	if (read_query(req, &pairs, err) < 0)
		return -1;
	value = url_pair_get(&pairs, "order");
	if (value != NULL && holdings_order_parse(value, order) < 0)
		return err_set(
		    err, ERR_INVALID, "order is open, tunnels or bytes");
	value = url_pair_get(&pairs, "limit");
	if (value != NULL && num_range(value, 1, HOLDINGS_MAX, limit, err) < 0)
		return err_wrap(err, "limit");
	return 0;
}

static void list_holdings(struct http_req *req, struct call *call)
{
	struct api *a = call->api;
	enum holdings_order order;
	int64_t limit;
	struct err err;

	if (read_holdings(req, &order, &limit, &err) < 0)
		answer_text(req, 400, err.text);
	else
		call->holdings = holdings_begin(a->opt.loop, a->opt.table,
		    order, (size_t)limit, on_holdings, req);
}

/* ---- a call -------------------------------------------------------------- */

static void on_request(struct http_req *req, void *arg)
{
	struct call *call = arena_alloc(&req->arena, sizeof *call);
	const char *rest = req->path + strlen(BASE_PATH);
	char key[ROUTE_KEY_MAX + 1];
	struct err err;

	*call = (struct call){ .api = arg };
	req->user = call;
	if (str_eq(req->path, HOLDINGS_PATH)) {
		list_holdings(req, call);
		return;
	}
	call->is_all = rest[0] == '\0' || str_eq(rest, "/");
	if (route_key_clean(slice_of(rest), key, &err) < 0) {
		answer_text(req, 400, err.text);
		return;
	}
	call->key = arena_strdup(&req->arena, key);
	if (str_eq(req->method, "POST"))
		set_route(req, call);
	else if (str_eq(req->method, "DELETE"))
		delete_route(req, call);
	else if (call->is_all)
		list_routes(req, call);
	else
		get_route(req, call);
}

static void on_done(struct http_req *req, int status, void *arg)
{
	struct api *a = arg;
	struct call *call = req->user;
	enum log_level level = status < 400   ? LOG_INFO
			       : status < 500 ? LOG_WARN
					      : LOG_ERROR;
	char shown[256];

	if (call != NULL && call->is_waiting)
		table_forget(a->opt.table, req);
	if (call != NULL)
		holdings_cancel(&call->holdings);
	if (status <= 0 || status >= METRICS_STATUSES)
		return;
	metric_add(&a->own.requests_api[status], 1);
	if (!log_wants(level))
		return;
	str_printable(shown, sizeof shown, req->path, strlen(req->path));
	log_write(level, NULL, "api", "status=%d method=%.16s path=%s", status,
	    req->method, shown);
}

/* ---- metrics ------------------------------------------------------------- */

static void on_metrics(struct http_req *req, void *arg)
{
	struct api *a = arg;
	struct buf b;

	if (a->is_leaving) {
		answer_left(req);
		return;
	}
	if (!str_eq(req->path, "/metrics")) {
		answer_text(req, 404, "Not found\n");
		return;
	}
	if (!str_eq(req->method, "GET") && !str_eq(req->method, "HEAD")) {
		answer_text(req, 405, "Method not supported\n");
		return;
	}
	if (!token_is_right(a->opt.metrics_token, req)) {
		http_set(req, "WWW-Authenticate", "Bearer");
		answer_text(
		    req, 401, "The token of --metrics-token-file is needed\n");
		return;
	}
	buf_init(&b, METRICS_MAX);
	metrics_write(&b, a->sets, a->opt.n_metrics + 1,
	    table_count(a->opt.table), a->started_s);
	http_set(
	    req, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	http_reply(req, 200, b.data, b.len);
	buf_fini(&b);
}

/* ---- life ---------------------------------------------------------------- */

struct api *api_new(const struct api_options *opt)
{
	struct api *a = xcalloc(1, sizeof *a);

	a->opt = *opt;
	a->started_s = clock_wall_s();
	a->sets = xcalloc(opt->n_metrics + 1, sizeof(struct metrics *));
	for (size_t i = 0; i < opt->n_metrics; i++)
		a->sets[i] = opt->metrics[i];
	a->sets[opt->n_metrics] = &a->own;
	return a;
}

static int open_httpd(struct api *a, int fd, struct httpd **out,
    const struct httpd_callbacks *cb, struct err *err)
{
	const struct httpd_options opt = {
		/* The gate counts those that come through it, and one that it
		 * has ended may still be open here. */
		.max_connections =
		    fd >= 0 ? CONNECTIONS_MAX : CONNECTIONS_MAX * 2,
		.is_shared = fd >= 0,
		.max_head_bytes = HEAD_MAX,
		.max_body_bytes = BODY_MAX,
		.deadline_ms = 30000,
		.server_name = "carrel-proxy/" CARREL_VERSION,
	};

	*out = httpd_open(a->opt.loop, fd, &opt, cb, err);
	return *out == NULL ? -1 : 0;
}

/* A client of the REST API came through TLS. */
static void on_plain(
    int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	struct api *a = arg;
	struct err err;

	if (httpd_add(a->rest, fd, peer, len, &err) < 0)
		log_warn(NULL, "a client of the REST API is not served",
		    "error=\"%s\"", err.text);
}

int api_listen(struct api *a, int fd, struct err *err)
{
	const struct httpd_callbacks cb = {
		.on_head = on_head,
		.on_request = on_request,
		.on_done = on_done,
		.arg = a,
	};

	if (a->opt.tls == NULL)
		return open_httpd(a, fd, &a->rest, &cb, err);
	a->gate = tls_gate_open(
	    a->opt.loop, fd, tls_ref(a->opt.tls), on_plain, a, err);
	if (a->gate == NULL)
		return -1;
	return open_httpd(a, -1, &a->rest, &cb, err);
}

int api_listen_metrics(struct api *a, int fd, struct err *err)
{
	const struct httpd_callbacks cb = { .on_request = on_metrics,
		.arg = a };

	return open_httpd(a, fd, &a->metrics, &cb, err);
}

int api_listen_again(struct api *a, int fd, struct err *err)
{
	return a->gate != NULL ? tls_gate_listen(a->gate, fd, err)
			       : httpd_listen(a->rest, fd, err);
}

int api_listen_metrics_again(struct api *a, int fd, struct err *err)
{
	return httpd_listen(a->metrics, fd, err);
}

void api_leave(struct api *a)
{
	a->is_leaving = true;
	if (a->rest != NULL)
		httpd_quiesce(a->rest);
	if (a->metrics != NULL)
		httpd_quiesce(a->metrics);
}

struct metrics *api_metrics(struct api *a)
{
	return &a->own;
}

void api_set_tls(struct api *a, struct ssl_ctx_st *tls)
{
	tls_gate_set(a->gate, tls_ref(tls));
}

void api_free(struct api **ap)
{
	struct api *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	/* Otherwise libmicrohttpd shuts the listening socket down, and that
	 * may be another process's as well. */
	api_leave(a);
	tls_gate_close(&a->gate);
	if (a->rest != NULL)
		httpd_close(&a->rest);
	if (a->metrics != NULL)
		httpd_close(&a->metrics);
	free(a->sets);
	free(a);
}
