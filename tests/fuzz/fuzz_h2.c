/*
 * Any frames as a client of HTTP/2, against the real worker: session, streams,
 * exchanges, tunnels, and a target behind a unix socket that reads every
 * request with the strict parser of base/httphead and answers by its path.
 * Whatever comes in, the target must be able to read what goes out, nothing
 * may be left open, and what is sent back is made of proper frames. The
 * preface and a SETTINGS frame stand before the input.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "proxy/cell.h"
#include "proxy/config.h"
#include "proxy/conn.h"
#include "proxy/h2.h"
#include "proxy/limit.h"
#include "proxy/route.h"
#include "proxy/worker.h"

#define SERVED_MAX 256
#define TURNS      24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0";

/* A connection of the target's side. */
struct served {
	struct watch watch;
	struct buf in;
	struct frame frame;
	bool has_head, is_tunnel;
	char path;
};

static struct config config;
static struct worker *worker;
static struct watch listener;
static struct served served[SERVED_MAX];

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the target ---------------------------------------------------------- */

static void end_served(struct served *s)
{
	int fd = s->watch.fd;

	watch_stop(&s->watch);
	fd_close(&fd);
	frame_fini(&s->frame);
	buf_fini(&s->in);
	s->frame = (struct frame){ .kind = HTTP_BODY_NONE };
	s->has_head = s->is_tunnel = false;
}

static void say(struct served *s, const char *text, size_t len)
{
	(void)!send(s->watch.fd, text, len, MSG_NOSIGNAL);
}

static void accept_tunnel(struct served *s, const struct http_head *h)
{
	const struct http_field *key = httphead_find(h, "sec-websocket-key");
	unsigned char digest[20], accept[32];
	struct buf text, out;
	unsigned n;

	must(key != NULL);
	buf_init(&text, 256);
	buf_init(&out, 512);
	buf_slice(&text, key->value);
	buf_str(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	must(EVP_Digest(text.data, text.len, digest, &n, EVP_sha1(), NULL));
	(void)EVP_EncodeBlock(accept, digest, sizeof digest);
	buf_printf(&out,
	    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\nfirst",
	    (const char *)accept);
	say(s, out.data, out.len);
	buf_fini(&text);
	buf_fini(&out);
	s->is_tunnel = true;
}

static void answer(struct served *s)
{
	static const char sized[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
				    "X-Own: a\r\n\r\nhello";
	static const char chunked[] =
	    "HTTP/1.1 103 E\r\nLink: x\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
	static const char cut[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhe";
	static char big[70000] = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n"
				 "\r\n";

	if (s->path == 'c')
		say(s, chunked, sizeof chunked - 1);
	else if (s->path == 'b')
		say(s, big, strlen(big) + 60000);
	else if (s->path == 'x')
		say(s, cut, sizeof cut - 1);
	else
		say(s, sized, sizeof sized - 1);
	if (s->path == 'x' || s->path == 'e')
		end_served(s);
}

/* What the target reads is exactly one request after the other. */
static bool take_head(struct served *s)
{
	static struct http_head h;
	struct httphead_scan scan = { .at = 0 };
	struct http_refusal why;
	size_t len;

	switch (httphead_scan(&scan, s->in.data, s->in.len, &len, &why)) {
	case HTTPHEAD_MORE:
		return false;
	case HTTPHEAD_BAD:
		abort();
	case HTTPHEAD_DONE:
		break;
	}
	must(httphead_parse_request(s->in.data, len, &h, &why) == 0);
	must(h.minor == 1 && h.target.p[0] == '/');
	must(!slice_eq(h.method, "CONNECT"));
	s->path = h.target.len > 1 ? h.target.p[1] : '/';
	s->has_head = true;
	frame_init(&s->frame, h.body, h.content_length);
	if (h.upgrade.len > 0) {
		must(h.body == HTTP_BODY_NONE);
		if (s->path == 'w')
			accept_tunnel(s, &h);
	}
	buf_consume(&s->in, len);
	return true;
}

/* true: go on. */
static bool take_body(struct served *s)
{
	struct slice payload;
	size_t used = 0;

	if (!frame_is_complete(&s->frame)) {
		enum frame_result r = frame_decode(
		    &s->frame, s->in.data, s->in.len, &payload, &used);

		must(r != FRAME_BAD);
		buf_consume(&s->in, used);
		if (r == FRAME_MORE)
			return false;
	}
	frame_fini(&s->frame);
	s->has_head = false;
	answer(s);
	return s->watch.loop != NULL;
}

static void take(struct served *s)
{
	while (s->watch.loop != NULL && s->in.len > 0) {
		if (s->is_tunnel) {
			say(s, s->in.data, s->in.len);
			buf_reset(&s->in);
		} else if (!s->has_head && !take_head(s)) {
			return;
		} else if (!s->is_tunnel && !take_body(s)) {
			return;
		}
	}
}

static void on_served(struct watch *watch, uint32_t events, void *arg)
{
	struct served *s = arg;
	char part[65536];
	ssize_t n;

	(void)events;
	n = recv(watch->fd, part, sizeof part, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_served(s);
		return;
	}
	buf_append(&s->in, part, (size_t)n);
	take(s);
	/* A request without a body is complete with its head. */
	if (s->watch.loop != NULL && s->has_head && !s->is_tunnel &&
	    frame_is_complete(&s->frame))
		(void)take_body(s);
}

static void on_accept(struct watch *watch, uint32_t events, void *arg)
{
	struct err err;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	(void)arg;
	if (fd < 0)
		return;
	for (size_t i = 0; i < SERVED_MAX; i++) {
		struct served *s = &served[i];

		if (s->watch.loop != NULL)
			continue;
		buf_init(&s->in, (size_t)8 << 20);
		must(watch_start(worker->loop, &s->watch, fd, EPOLLIN,
			 on_served, s, &err) == 0);
		return;
	}
	fd_close(&fd);
}

/* ---- once ---------------------------------------------------------------- */

static char socket_dir[] = "/tmp/carrel-fuzz-XXXXXX";

static int listen_somewhere(char *url, size_t cap)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(mkdtemp(socket_dir) != NULL && fd >= 0);
	must(
	    str_format(a.sun_path, sizeof a.sun_path, "%s/s", socket_dir) == 0);
	must(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
	must(listen(fd, 64) == 0);
	must(str_format(url, cap, "http+unix://%%2Ftmp%%2F%s%%2Fs",
		 socket_dir + strlen("/tmp/")) == 0);
	return fd;
}

static void tidy(void)
{
	char path[64];

	if (str_format(path, sizeof path, "%s/s", socket_dir) == 0)
		(void)unlink(path);
	(void)rmdir(socket_dir);
}

static void set_up(void)
{
	static char socket_url[128];
	char name[] = "carrel-proxy";
	char *argv[] = { name, NULL };
	enum config_outcome outcome;
	struct route *route;
	struct buf notes;
	struct err err;
	int fd;

	log_open("fuzz", LOG_ERROR);
	buf_init(&notes, 65536);
	must(config_parse(&config, 1, argv, &outcome, &notes, &err) == 0);
	worker = worker_new(0, &config, -1);
	worker->limits = limits_new(0, config.max_client_connections);
	fd = listen_somewhere(socket_url, sizeof socket_url);
	must(watch_start(worker->loop, &listener, fd, EPOLLIN, on_accept, NULL,
		 &err) == 0);
	for (const char *k = "abcewx"; *k != '\0'; k++) {
		char key[3] = { '/', *k, '\0' };

		route = route_new(key, socket_url, cell_new(1), &err);
		must(route != NULL);
		worker_set_route(worker, route);
	}
	(void)atexit(tidy);
}

/* ---- one input ----------------------------------------------------------- */

/* Frames that come back: no longer than we said that we take. */
static void check_frames(struct buf *b)
{
	while (b->len >= 9) {
		const unsigned char *p = (const unsigned char *)b->data;
		size_t n = ((size_t)p[0] << 16) + ((size_t)p[1] << 8) + p[2];

		must(n <= 16384 && p[3] <= 9);
		if (b->len < 9 + n)
			return;
		buf_consume(b, 9 + n);
	}
}

static bool drain(int fd, struct buf *b)
{
	char part[65536];
	bool any = false;
	ssize_t n;

	while ((n = recv(fd, part, sizeof part, 0)) > 0) {
		buf_append(b, part, (size_t)n);
		check_frames(b);
		any = true;
	}
	return any;
}

static void turn(int fd, struct buf *b)
{
	for (int i = 0, quiet = 0; i < TURNS && quiet < 4; i++) {
		loop_turn(worker->loop, 0);
		quiet = drain(fd, b) ? 0 : quiet + 1;
	}
}

static void feed(int fd, const uint8_t *p, size_t n, struct buf *b)
{
	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
		turn(fd, b);
		if (done <= 0)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conn *c;
	struct buf back;
	size_t split;
	int fds[2];

	if (worker == NULL)
		set_up();
	if (size < 1 || size > 65536)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		 fds) == 0);
	conn_open(worker, fds[0], NULL);
	c = LIST_ITEM(worker->conns.next, struct conn, link);
	must(h2_begin(c) == 0);
	conn_run(c);
	buf_init(&back, (size_t)64 << 20);
	feed(fds[1], (const uint8_t *)preface, sizeof preface - 1, &back);
	split = (size_t)data[0] * size / 256;
	feed(fds[1], data + 1, split > 0 ? split - 1 : 0, &back);
	feed(fds[1], data + (split > 0 ? split : 1),
	    size - (split > 0 ? split : 1), &back);
	fd_close(&fds[1]);
	for (int i = 0; i < TURNS && worker->n_conns > 0; i++)
		loop_turn(worker->loop, 0);
	must(worker->n_conns == 0 && worker->n_tunnels == 0);
	must(metric_get(&worker->metrics.h2_connections) == 0);
	must(metric_get(&worker->metrics.h2_tunnels) == 0);
	buf_fini(&back);
	return 0;
}
