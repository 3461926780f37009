/*
 * HTTP client: curl's multi interface, its sockets and its timer in our loop.
 *
 * No callback of the application runs inside curl: a finished exchange is taken
 * out of the multi handle and delivered by a deferred call, so the callback may
 * start, cancel or free whatever it wants.
 */
#include "base/fetch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch_priv.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/url.h"

#define DEFAULT_CONNECTIONS        64
#define DEFAULT_CONNECT_TIMEOUT_MS 5000
#define DEFAULT_TIMEOUT_MS         30000
#define DEFAULT_BODY_BYTES         ((size_t)1 << 20)
/* Idle connections that are kept for the next exchange. */
#define MAX_IDLE                   32

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	struct list exchanges;
	struct list sockets;
	uint64_t last_id;
};

/* A socket of curl's that is watched now. */
struct sock {
	struct list link;
	struct watch watch;
	struct fetcher *fetcher;
};

static void exchange_free(struct exchange *x)
{
	list_del(&x->link);
	defer_cancel(&x->deliver);
	if (x->is_in_multi)
		(void)curl_multi_remove_handle(x->fetcher->multi, x->easy);
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->head);
	buf_fini(&x->body);
	arena_fini(&x->arena);
	free(x);
}

static void deliver(void *arg)
{
	struct exchange *x = arg;
	struct fetch_result res = {
		.status = x->status,
		.body = slice_make(buf_view(&x->body), x->body.len),
		.headers = x->headers,
		.n_headers = x->n_headers,
		.err = x->err,
	};

	/* The callback may free the fetcher: x must not be in its list. */
	list_del(&x->link);
	x->done(&res, x->arg);
	exchange_free(x);
}

/* ---- curl's events ------------------------------------------------------ */

static void finish(struct fetcher *f, CURL *easy, CURLcode code)
{
	struct exchange *x = NULL;
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x);
	if (code == CURLE_OK) {
		(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		x->status = (int)status;
	} else {
		fetch_fail(x, code);
	}
	(void)curl_multi_remove_handle(f->multi, easy);
	x->is_in_multi = false;
	defer_call(f->loop, &x->deliver, deliver, x);
}

static void act(struct fetcher *f, curl_socket_t fd, int events)
{
	CURLMsg *msg;
	int left;

	(void)curl_multi_socket_action(f->multi, fd, events, &left);
	while ((msg = curl_multi_info_read(f->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			finish(f, msg->easy_handle, msg->data.result);
}

static void on_timer(struct timer *t, void *arg)
{
	(void)t;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wish(CURLM *multi, long after_ms, void *arg)
{
	struct fetcher *f = arg;

	(void)multi;
	if (after_ms < 0)
		timer_stop(&f->timer);
	else
		timer_start(f->loop, &f->timer, after_ms, on_timer, f);
	return 0;
}

/* A hang-up or an error is found by reading and writing. */
static void on_socket(struct watch *w, uint32_t events, void *arg)
{
	struct sock *s = arg;
	int what = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		what |= CURL_CSELECT_OUT;
	act(s->fetcher, w->fd, what);
}

static void sock_free(struct sock *s)
{
	watch_stop(&s->watch);
	list_del(&s->link);
	free(s);
}

static struct sock *sock_new(struct fetcher *f, curl_socket_t fd)
{
	struct sock *s = xcalloc(1, sizeof *s);

	s->fetcher = f;
	s->watch.fd = -1;
	list_add_tail(&f->sockets, &s->link);
	(void)curl_multi_assign(f->multi, fd, s);
	return s;
}

static int on_socket_wish(
    CURL *easy, curl_socket_t fd, int what, void *arg, void *sock_arg)
{
	struct fetcher *f = arg;
	struct sock *s = sock_arg;
	struct err err = { 0 };
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s)
			sock_free(s);
		(void)curl_multi_assign(f->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (!s)
		s = sock_new(f, fd);
	if (s->watch.fd >= 0)
		watch_set(&s->watch, events);
	else if (watch_start(
		     f->loop, &s->watch, fd, events, on_socket, s, &err))
		log_warn(NULL, "a client socket cannot be watched",
		    "error=\"%s\"", err.text);
	return 0;
}

/* ---- the answer --------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;

	buf_append(&x->body, p, size * n);
	return x->body.overflow ? 0 : size * n;
}

static int add_header(struct exchange *x, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.len);
	struct fetch_header *h;
	struct slice name, value;

	if (!colon)
		return 0;
	if (x->n_headers == FETCH_MAX_HEADERS ||
	    x->arena.used_bytes + line.len > FETCH_MAX_HEADER_BYTES)
		return -1;
	if (!x->headers)
		x->headers = arena_array(
		    &x->arena, FETCH_MAX_HEADERS, sizeof *x->headers);
	name = slice_make(line.p, (size_t)(colon - line.p));
	value = slice_trim(slice_make(colon + 1, line.len - name.len - 1));
	h = &x->headers[x->n_headers++];
	h->name = arena_strndup(&x->arena, name.p, name.len);
	h->value = arena_strndup(&x->arena, value.p, value.len);
	return 0;
}

/* One whole line; a status line begins a new head (100 Continue before 200). */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	struct slice line = slice_make(p, size * n);

	if (slice_starts(line, "HTTP/")) {
		x->n_headers = 0;
		return size * n;
	}
	while (line.len && strchr("\r\n", line.p[line.len - 1]))
		line.len--;
	if (add_header(x, line) == 0)
		return size * n;
	x->has_long_head = true;
	return 0;
}

/* ---- the request -------------------------------------------------------- */

static int append_line(struct exchange *x, const char *line, struct err *err)
{
	struct curl_slist *head = curl_slist_append(x->head, line);

	if (!head)
		return err_set(err, ERR_INTERNAL, "no memory for a header");
	x->head = head;
	return 0;
}

/*
 * curl takes "Name: value", and "Name;" for an empty value. Its own Expect and
 * form type are switched off by "Name:" unless the caller sets them.
 */
static int set_headers(
    struct exchange *x, const struct fetch_req *req, struct err *err)
{
	bool has_type = false;

	for (size_t i = 0; i < req->n_headers; i++) {
		const struct fetch_header *h = &req->headers[i];

		if (!*h->name || strpbrk(h->name, " \t\r\n:;") ||
		    strpbrk(h->value, "\r\n"))
			return err_set(err, ERR_INVALID,
			    "a request header has a forbidden character");
		has_type |= slice_ieq(slice_of(h->name), "Content-Type");
		if (append_line(x,
			*h->value ? arena_printf(
					&x->arena, "%s: %s", h->name, h->value)
				  : arena_printf(&x->arena, "%s;", h->name),
			err))
			return -1;
	}
	if (!has_type && append_line(x, "Content-Type:", err))
		return -1;
	if (append_line(x, "Expect:", err))
		return -1;
	(void)curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->head);
	return 0;
}

static bool wants_length(const char *method)
{
	return str_eq(method, "POST") || str_eq(method, "PUT") ||
	       str_eq(method, "PATCH");
}

static void set_method(struct exchange *x, const struct fetch_req *req)
{
	const char *method = req->method ? req->method : "GET";

	if (req->body || wants_length(method)) {
		(void)curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)(req->body ? req->body_len : 0));
		(void)curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS,
		    req->body ? req->body : "");
	} else if (str_eq(method, "HEAD")) {
		(void)curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
	}
	(void)curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Nothing from the environment, no redirects, no files, no surprises. */
static void set_policy(CURL *easy)
{
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	(void)curl_easy_setopt(
	    easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
}

static void set_limits(struct exchange *x, const struct fetch_req *req)
{
	x->connect_timeout_ms = req->connect_timeout_ms
				    ? req->connect_timeout_ms
				    : DEFAULT_CONNECT_TIMEOUT_MS;
	x->timeout_ms = req->timeout_ms ? req->timeout_ms : DEFAULT_TIMEOUT_MS;
	(void)curl_easy_setopt(
	    x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)x->connect_timeout_ms);
	(void)curl_easy_setopt(
	    x->easy, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
}

static void set_tls(CURL *easy, const struct fetch_req *req)
{
	if (req->ca_file != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, req->ca_file);
	if (req->cert_file != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, req->cert_file);
	if (req->key_file != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, req->key_file);
	if (!req->trusts_any)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

/* Where to: checks the URL, and names the peer for messages. */
static int set_target(
    struct exchange *x, const struct fetch_req *req, struct err *err)
{
	const char *socket_path = req->unix_socket;
	const char *text = req->url;
	struct url u;

	if (url_parse(&x->arena, req->url, &u, err))
		return -1;
	if (u.scheme == URL_HTTP_UNIX) {
		socket_path = u.socket_path;
		text = arena_printf(&x->arena, "http://localhost%s%s%s", u.path,
		    u.query ? "?" : "", u.query ? u.query : "");
	}
	if (socket_path)
		x->peer = arena_strdup(&x->arena, socket_path);
	else
		x->peer = arena_printf(&x->arena,
		    strchr(u.host, ':') ? "[%s]:%u" : "%s:%u", u.host,
		    (unsigned)u.port);
	(void)curl_easy_setopt(x->easy, CURLOPT_URL, text);
	if (socket_path &&
	    curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, socket_path))
		return err_set(err, ERR_INVALID,
		    "the socket path %s cannot be used", socket_path);
	set_tls(x->easy, req);
	return 0;
}

static int prepare(
    struct exchange *x, const struct fetch_req *req, struct err *err)
{
	if (!x->easy)
		return err_set(
		    err, ERR_INTERNAL, "no memory for an HTTP exchange");
	set_policy(x->easy);
	set_limits(x, req);
	if (set_target(x, req, err) || set_headers(x, req, err))
		return -1;
	set_method(x, req);
	(void)curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	(void)curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
	(void)curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
	if (curl_multi_add_handle(x->fetcher->multi, x->easy))
		return err_set(
		    err, ERR_INTERNAL, "the HTTP client refused an exchange");
	x->is_in_multi = true;
	return 0;
}

uint64_t fetch_start(struct fetcher *f, const struct fetch_req *req,
    fetch_done_fn *done, void *arg)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	x->fetcher = f;
	x->id = ++f->last_id;
	x->done = done;
	x->arg = arg;
	x->peer = "";
	arena_init(&x->arena);
	buf_init(&x->body,
	    req->max_body_bytes ? req->max_body_bytes : DEFAULT_BODY_BYTES);
	list_add_tail(&f->exchanges, &x->link);
	x->easy = curl_easy_init();
	if (prepare(x, req, &x->err))
		defer_call(f->loop, &x->deliver, deliver, x);
	return x->id;
}

void fetch_cancel(struct fetcher *f, uint64_t id)
{
	list_for_each (it, &f->exchanges) {
		struct exchange *x = LIST_ITEM(it, struct exchange, link);

		if (x->id != id)
			continue;
		exchange_free(x);
		return;
	}
}

const char *fetch_header(const struct fetch_result *res, const char *name)
{
	for (size_t i = 0; i < res->n_headers; i++)
		if (slice_ieq(slice_of(res->headers[i].name), name))
			return res->headers[i].value;
	return NULL;
}

/* ---- life of the client ------------------------------------------------- */

struct fetcher *fetcher_new(struct loop *l, unsigned max_connections)
{
	struct fetcher *f = xcalloc(1, sizeof *f);
	long max = max_connections ? max_connections : DEFAULT_CONNECTIONS;

	f->loop = l;
	list_init(&f->exchanges);
	list_init(&f->sockets);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
	f->multi = curl_multi_init();
	if (!f->multi)
		abort();
	(void)curl_multi_setopt(
	    f->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	(void)curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	(void)curl_multi_setopt(
	    f->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	(void)curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	(void)curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max);
	(void)curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS,
	    max < MAX_IDLE ? max : (long)MAX_IDLE);
	return f;
}

void fetcher_free(struct fetcher **fp)
{
	struct fetcher *f = *fp;

	if (!f)
		return;
	*fp = NULL;
	list_for_each (it, &f->exchanges)
		exchange_free(LIST_ITEM(it, struct exchange, link));
	(void)curl_multi_cleanup(f->multi);
	list_for_each (it, &f->sockets)
		sock_free(LIST_ITEM(it, struct sock, link));
	timer_stop(&f->timer);
	free(f);
	curl_global_cleanup();
}
