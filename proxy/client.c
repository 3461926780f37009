/*
 * The hub's side of the proxy's REST API: see client.h. A call keeps its place
 * among the running ones while it waits to be tried again, and two calls for
 * one path never run together, so that their order holds.
 */
#include "proxy/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

#define RUNNING_MAX    10
#define RETRY_MS       30000
#define PAUSE_MIN_MS   50
#define PAUSE_MAX_MS   2000
#define CONNECT_MS     2000
#define CHANGE_MS      5000
#define LIST_MS        30000
#define LIST_BYTES_MAX ((size_t)256 << 20)
#define REASON_BYTES   160
/* So many routes are parsed and told in a turn. */
#define PART_ROUTES    256

enum call_kind { CALL_ADD, CALL_DELETE, CALL_LIST };

struct call {
	struct list link; /* in `queue` or `running` */
	struct proxy_client *client;
	uint64_t id;
	enum call_kind kind;
	char *path;
	char *body;
	size_t body_len;
	proxy_done_fn *done;
	proxy_list_fn *list;
	void *arg;
	int64_t give_up_ms; /* set when it runs first */
	int64_t pause_ms;
	uint64_t fetch_id; /* 0: pauses */
	struct timer timer;
	char *answer; /* of a list, while it is told */
	struct json_parts parts;
	struct defer next_part;
};

struct proxy_client {
	struct loop *loop;
	struct fetcher *fetcher;
	char *url, *unix_socket, *authorization;
	char *ca_file, *cert_file, *key_file; /* NULL: none */
	int64_t retry_ms;
	struct list queue, running;
	size_t n_running;
	uint64_t last_id;
	struct defer start;
};

static void start_calls(void *arg);

/* ---- life ---------------------------------------------------------------- */

static char *without_slash(const char *url)
{
	size_t n = strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	return xstrndup(url, n);
}

static void wipe(char *secret)
{
	mem_wipe(secret, strlen(secret));
	free(secret);
}

static char *copy_or_null(const char *s)
{
	return s != NULL ? xstrdup(s) : NULL;
}

struct proxy_client *proxy_client_new(
    struct loop *l, const struct proxy_client_options *opt)
{
	struct proxy_client *c = xcalloc(1, sizeof *c);

	c->loop = l;
	c->fetcher = fetcher_new(l, RUNNING_MAX);
	c->url = without_slash(opt->api_url);
	c->unix_socket = copy_or_null(opt->unix_socket);
	c->ca_file = copy_or_null(opt->ca_file);
	c->cert_file = copy_or_null(opt->cert_file);
	c->key_file = copy_or_null(opt->key_file);
	c->authorization = xasprintf("token %s", opt->token);
	c->retry_ms = opt->retry_ms > 0 ? opt->retry_ms : RETRY_MS;
	list_init(&c->queue);
	list_init(&c->running);
	return c;
}

void proxy_client_point(
    struct proxy_client *c, const char *api_url, const char *token)
{
	if (api_url != NULL) {
		free(c->url);
		free(c->unix_socket);
		c->url = without_slash(api_url);
		c->unix_socket = NULL;
	}
	if (token != NULL) {
		wipe(c->authorization);
		c->authorization = xasprintf("token %s", token);
	}
}

static void call_free(struct call *k)
{
	list_del(&k->link);
	timer_stop(&k->timer);
	defer_cancel(&k->next_part);
	free(k->answer);
	free(k->path);
	free(k->body);
	free(k);
}

/* Ends what runs of it, without a callback. */
static void call_drop(struct call *k)
{
	if (k->fetch_id != 0)
		fetch_cancel(k->client->fetcher, k->fetch_id);
	call_free(k);
}

void proxy_client_free(struct proxy_client **cp)
{
	struct proxy_client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	list_for_each (it, &c->running)
		call_drop(LIST_ITEM(it, struct call, link));
	list_for_each (it, &c->queue)
		call_drop(LIST_ITEM(it, struct call, link));
	defer_cancel(&c->start);
	fetcher_free(&c->fetcher);
	wipe(c->authorization);
	free(c->ca_file);
	free(c->cert_file);
	free(c->key_file);
	free(c->unix_socket);
	free(c->url);
	free(c);
}

/* ---- answers ------------------------------------------------------------- */

static void wake(struct proxy_client *c)
{
	defer_call(c->loop, &c->start, start_calls, c);
}

/* Its last deed: the call is gone before its callback runs. */
static void finish(struct call *k, const struct err *err)
{
	struct proxy_client *c = k->client;
	proxy_done_fn *done = k->done;
	proxy_list_fn *list = k->list;
	void *arg = k->arg;

	call_free(k);
	c->n_running--;
	wake(c);
	if (list != NULL)
		list(err, NULL, arg);
	else if (done != NULL)
		done(err, arg);
}

static bool may_pass(int status)
{
	return status == 429 || status >= 500;
}

static bool is_done(const struct call *k, int status)
{
	if (k->kind == CALL_DELETE && status == 404)
		return true;
	return status >= 200 && status < 300;
}

static void refused(const struct fetch_result *res, struct err *err)
{
	char text[REASON_BYTES];

	if (res->status == 0) {
		*err = res->err;
		(void)err_wrap(err, "proxy's API");
		return;
	}
	if (res->status == 401 || res->status == 403) {
		err_set(err, ERR_DENIED,
		    "the proxy refuses our token: give hub and proxy the same "
		    "CONFIGPROXY_AUTH_TOKEN");
		return;
	}
	str_printable(text, sizeof text, res->body.p, res->body.len);
	err_set(err, may_pass(res->status) ? ERR_UNAVAILABLE : ERR_PROTOCOL,
	    "the proxy's API answers %d: %s", res->status, text);
}

/* Whoever is told may end the call. */
static void tell_part(void *arg)
{
	struct call *k = arg;
	struct err err = { .code = ERR_NONE };
	json_t *routes;
	int rc = json_parts_next(&k->parts, PART_ROUTES, &routes, &err);

	if (rc == 1) {
		defer_call(k->client->loop, &k->next_part, tell_part, k);
		k->list(&err, routes, k->arg);
		json_decref(routes);
		return;
	}
	if (rc < 0) {
		err.code = ERR_PROTOCOL;
		(void)err_wrap(&err, "list of routes of the proxy");
	}
	finish(k, &err);
}

static void finish_list(struct call *k, const struct fetch_result *res)
{
	k->answer = xmemdup(res->body.p, res->body.len);
	json_parts_init(&k->parts, k->answer, res->body.len);
	tell_part(k);
}

/* ---- running ------------------------------------------------------------- */

static void send_call(struct call *k);

static void on_pause_end(struct timer *t, void *arg)
{
	(void)t;
	send_call(arg);
}

/* true: it will be tried again. */
static bool try_again(struct call *k, const struct fetch_result *res)
{
	struct proxy_client *c = k->client;
	int64_t now = loop_now_ms(c->loop);

	if (res->status != 0 ? !may_pass(res->status)
			     : res->err.code == ERR_DENIED)
		return false;
	if (now + k->pause_ms > k->give_up_ms)
		return false;
	timer_start(c->loop, &k->timer, k->pause_ms, on_pause_end, k);
	k->pause_ms *= 2;
	if (k->pause_ms > PAUSE_MAX_MS)
		k->pause_ms = PAUSE_MAX_MS;
	return true;
}

static void on_answer(const struct fetch_result *res, void *arg)
{
	static const struct err ok = { .code = ERR_NONE };
	struct call *k = arg;
	struct err err;

	k->fetch_id = 0;
	if (is_done(k, res->status)) {
		if (k->kind == CALL_LIST)
			finish_list(k, res);
		else
			finish(k, &ok);
		return;
	}
	if (try_again(k, res))
		return;
	refused(res, &err);
	finish(k, &err);
}

static const char *method_of(const struct call *k)
{
	switch (k->kind) {
	case CALL_ADD:
		return "POST";
	case CALL_DELETE:
		return "DELETE";
	case CALL_LIST:
		return "GET";
	}
	return "GET";
}

static void send_call(struct call *k)
{
	struct proxy_client *c = k->client;
	const struct fetch_header headers[] = {
		{ "Authorization", c->authorization },
		{ "Content-Type", "application/json" },
	};
	char *url = xasprintf("%s/api/routes%s", c->url, k->path);
	const struct fetch_req req = {
		.method = method_of(k),
		.url = url,
		.unix_socket = c->unix_socket,
		.headers = headers,
		.n_headers = k->body != NULL ? 2 : 1,
		.body = k->body,
		.body_len = k->body_len,
		.connect_timeout_ms = CONNECT_MS,
		.timeout_ms = k->kind == CALL_LIST ? LIST_MS : CHANGE_MS,
		.max_body_bytes = LIST_BYTES_MAX,
		.ca_file = c->ca_file,
		.cert_file = c->cert_file,
		.key_file = c->key_file,
	};

	k->fetch_id = fetch_start(c->fetcher, &req, on_answer, k);
	free(url);
}

static bool is_free(const struct proxy_client *c, const struct call *k)
{
	list_for_each (it, &c->running)
		if (str_eq(LIST_ITEM(it, struct call, link)->path, k->path))
			return false;
	return true;
}

static void start_calls(void *arg)
{
	struct proxy_client *c = arg;

	list_for_each (it, &c->queue) {
		struct call *k = LIST_ITEM(it, struct call, link);

		if (c->n_running == RUNNING_MAX)
			return;
		if (!is_free(c, k))
			continue;
		list_del(&k->link);
		list_add_tail(&c->running, &k->link);
		c->n_running++;
		k->give_up_ms = loop_now_ms(c->loop) + c->retry_ms;
		send_call(k);
	}
}

/* ---- the calls ----------------------------------------------------------- */

static struct call *call_new(
    struct proxy_client *c, enum call_kind kind, const char *path, void *arg)
{
	struct call *k = xcalloc(1, sizeof *k);

	k->client = c;
	k->id = ++c->last_id;
	k->kind = kind;
	k->path = xstrdup(path);
	k->arg = arg;
	k->pause_ms = PAUSE_MIN_MS;
	list_add_tail(&c->queue, &k->link);
	wake(c);
	return k;
}

uint64_t proxy_add(struct proxy_client *c, const char *path, const char *target,
    const json_t *data, proxy_done_fn *done, void *arg)
{
	struct call *k = call_new(c, CALL_ADD, path, arg);
	json_t *body = json_object();
	int rc = -1;

	assert(path[0] == '/');
	if (body != NULL && data != NULL)
		rc = json_object_update(body, (json_t *)(uintptr_t)data);
	else if (body != NULL)
		rc = 0;
	if (rc == 0)
		rc = json_object_set_new(
		    body, "target", json_string_nocheck(target));
	if (rc == 0)
		rc = json_object_set_new(body, "jupyterhub", json_true());
	assert(rc == 0);
	k->body = json_text(body, &k->body_len);
	json_decref(body);
	k->done = done;
	return k->id;
}

uint64_t proxy_delete(
    struct proxy_client *c, const char *path, proxy_done_fn *done, void *arg)
{
	struct call *k = call_new(c, CALL_DELETE, path, arg);

	assert(path[0] == '/');
	k->done = done;
	return k->id;
}

uint64_t proxy_list(struct proxy_client *c, proxy_list_fn *done, void *arg)
{
	struct call *k = call_new(c, CALL_LIST, "", arg);

	k->list = done;
	return k->id;
}

static struct call *find(struct list *calls, uint64_t id)
{
	list_for_each (it, calls) {
		struct call *k = LIST_ITEM(it, struct call, link);

		if (k->id == id)
			return k;
	}
	return NULL;
}

void proxy_cancel(struct proxy_client *c, uint64_t id)
{
	struct call *k = find(&c->queue, id);

	if (k != NULL) {
		call_drop(k);
		return;
	}
	k = find(&c->running, id);
	if (k == NULL)
		return;
	call_drop(k);
	c->n_running--;
	wake(c);
}
