/*
 * A load generator for HTTP/1.1 and for WebSockets that are echoed, plain or
 * over TLS. It opens all its connections, says "open" and waits for a line on
 * its standard input; then it works until the time is over or enough has been
 * done, prints one JSON object, and keeps its connections open until its
 * standard input ends. So whoever drives it can look at the program under test
 * before, between and after.
 *
 * A request is read from a file and sent as it is, but that each '#' is
 * replaced by a digit of a number: a random one below --range, or one after the
 * other from --first on, over again after --range of them.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/bench/link.h"

enum { HEAD_MAX = 16384, REQUEST_MAX = 1 << 20, SCRATCH = 256 * 1024 };

static const char usage[] =
    "load --port N --request FILE [--websocket BYTES] [--connections N]\n"
    "  [--seconds N] [--operations N] [--range N] [--first N] [--expect "
    "STATUS]\n"
    "  [--tls] [--resume] [--reconnect]\n";

enum phase { SHAKING, OPENING, READY, BUSY, CLOSED };

struct conn {
	struct link link;
	struct watch watch;
	enum phase phase;
	const char *out; /* what is being sent; the request is its own */
	char *request;
	size_t n_out, sent;
	char head[HEAD_MAX];
	size_t n_head;
	size_t to_read; /* of the body, or of the message */
	bool in_body;
	int64_t begun_us;
};

static struct {
	int64_t port, websocket, connections, seconds, operations, range, first;
	int64_t expect;
	const char *request_file;
	bool tls, resume, reconnect;
} opt = { .connections = 64, .seconds = 3, .range = 1, .expect = 200 };

static struct {
	struct loop *loop;
	struct conn *conns;
	struct sockaddr_in to;
	SSL_CTX *ctx;
	char *request, *message;
	size_t n_request, n_message;
	struct watch go;
	struct timer end;
	bool running, over, told;
	int64_t begun_us, ended_us, n_open, n_begun, n_done, n_errors,
	    n_resumed;
	uint32_t *latencies;
	size_t cap_latencies;
	uint64_t random;
	char wrong[200]; /* the first answer that was not the expected one */
} all = { .random = 88172645463325252u };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

/* xorshift64: the same numbers in each run. */
static uint64_t next_random(void)
{
	all.random ^= all.random << 13;
	all.random ^= all.random >> 7;
	all.random ^= all.random << 17;
	return all.random;
}

static void fill_in(char *request, size_t n, uint64_t number)
{
	uint64_t left = number;
	size_t i;

	for (i = n; i > 0; i--) {
		if (all.request[i - 1] != '#') {
			left = i < n && all.request[i] == '#' ? number : left;
			continue;
		}
		request[i - 1] = (char)('0' + left % 10);
		left /= 10;
	}
}

static uint64_t next_number(void)
{
	if (opt.first > 0 && opt.range > 1)
		return (uint64_t)(opt.first + all.n_begun % opt.range);
	if (opt.first > 0)
		return (uint64_t)(opt.first + all.n_begun);
	return next_random() % (uint64_t)opt.range;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t percentile(size_t n, size_t percent)
{
	return n > 0 ? all.latencies[(n - 1) * percent / 100] : 0;
}

static void report(void)
{
	size_t n = (size_t)all.n_done;
	char *c;

	if (n > all.cap_latencies)
		n = all.cap_latencies;
	qsort(all.latencies, n, sizeof *all.latencies, by_size);
	for (c = all.wrong; *c != '\0'; c++)
		*c = *c < ' ' || *c == '"' || *c == '\\' ? ' ' : *c;
	printf(
	    "{\"operations\":%lld,\"errors\":%lld,\"resumed\":%lld,"
	    "\"seconds\":%.6f,\"p50_us\":%u,\"p99_us\":%u,\"wrong\":\"%s\"}\n",
	    (long long)all.n_done, (long long)all.n_errors,
	    (long long)all.n_resumed,
	    (double)(all.ended_us - all.begun_us) / 1e6, percentile(n, 50),
	    percentile(n, 99), all.wrong);
	fflush(stdout);
}

static void finish(void)
{
	if (all.told || !all.over)
		return;
	all.told = true;
	timer_stop(&all.end);
	all.ended_us = clock_mono_us();
	report();
}

static void shut(struct conn *c)
{
	watch_stop(&c->watch);
	link_close(&c->link);
	c->phase = CLOSED;
}

/* An answer that is wrong ends its connection; a new one goes on. */
static void fail(struct conn *c, const char *what);
static void work(struct conn *c);

static void on_ready(struct watch *w, uint32_t events, void *arg)
{
	(void)w;
	(void)events;
	work(arg);
}

static void dial(struct conn *c)
{
	struct err err = { 0 };

	c->phase = SHAKING;
	c->n_head = c->sent = c->n_out = 0;
	c->in_body = false;
	if (link_open(&c->link, &all.to, all.ctx, &err) < 0 ||
	    watch_start(all.loop, &c->watch, c->link.fd,
		EPOLLIN | EPOLLOUT | EPOLLET, on_ready, c, &err) < 0)
		die("connect", err.text);
}

static void begin(struct conn *c)
{
	if (all.over || (opt.operations > 0 && all.n_begun >= opt.operations)) {
		all.over = true;
		return;
	}
	c->phase = BUSY;
	c->sent = 0;
	c->begun_us = clock_mono_us();
	if (opt.websocket > 0) {
		c->out = all.message;
		c->n_out = c->to_read = all.n_message;
		c->in_body = true;
	} else {
		fill_in(c->request, all.n_request, next_number());
		c->out = c->request;
		c->n_out = all.n_request;
		c->n_head = 0;
		c->in_body = false;
	}
	all.n_begun++;
}

static void count(struct conn *c)
{
	int64_t took = clock_mono_us() - c->begun_us;

	if ((size_t)all.n_done < all.cap_latencies)
		all.latencies[all.n_done] = (uint32_t)took;
	all.n_done++;
	c->phase = READY;
	if (opt.operations > 0 && all.n_done + all.n_errors >= opt.operations)
		all.over = true;
	finish();
}

static void fail(struct conn *c, const char *what)
{
	if (all.told || all.over) {
		shut(c);
		return;
	}
	if (!all.running)
		die("before the beginning", what);
	if (all.wrong[0] == '\0')
		snprintf(all.wrong, sizeof all.wrong, "%s", what);
	all.n_errors++;
	if (all.n_errors > 1000)
		die("more than 1000 errors; the first", all.wrong);
	shut(c);
	dial(c);
	if (opt.operations > 0 && all.n_done + all.n_errors >= opt.operations)
		all.over = true;
	finish();
}

static void opened(struct conn *c)
{
	c->phase = READY;
	if (link_is_resumed(&c->link))
		all.n_resumed++;
	if (++all.n_open == opt.connections && !all.running) {
		printf("open\n");
		fflush(stdout);
	}
	if (all.running)
		begin(c);
}

static bool parse_head(struct conn *c, const char *end)
{
	const char *length;
	struct err err;
	struct slice digits;
	uint64_t body = 0;

	if (c->n_head < 12 ||
	    strtoul(c->head + 9, NULL, 10) != (unsigned long)opt.expect) {
		fail(c, c->head);
		return false;
	}
	length = strcasestr(c->head, "\r\ncontent-length:");
	if (length != NULL && length < end) {
		length += sizeof "\r\ncontent-length:" - 1;
		digits = slice_trim(slice_make(length, strcspn(length, "\r")));
		if (num_slice_u64(digits, &body, &err) < 0) {
			fail(c, err.text);
			return false;
		}
	} else if (strcasestr(c->head, "\r\nTransfer-Encoding: chunked") !=
		   NULL) {
		/* only an empty one: CHP's answer to a new route */
		body = sizeof "0\r\n\r\n" - 1;
	} else if (opt.expect == 200 || opt.expect == 201) {
		fail(c, "an answer without Content-Length");
		return false;
	}
	c->to_read = (size_t)body;
	c->in_body = true;
	return true;
}

/* Adds to the head; what follows it is counted as body. */
static void take_head(struct conn *c, const char *p, size_t n)
{
	size_t before = c->n_head, used, body;
	char *end;

	used = n < HEAD_MAX - 1 - before ? n : HEAD_MAX - 1 - before;
	memcpy(c->head + before, p, used);
	c->n_head += used;
	c->head[c->n_head] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL) {
		if (c->n_head == HEAD_MAX - 1)
			fail(c, "a head that is too long");
		return;
	}
	body = n - ((size_t)(end + 4 - c->head) - before);
	if (c->phase == OPENING) {
		if (strstr(c->head, " 101 ") == NULL)
			die("handshake", c->head);
		opened(c);
		return;
	}
	if (!parse_head(c, end))
		return;
	if (body > c->to_read)
		fail(c, "more bytes than Content-Length says");
	else
		c->to_read -= body;
}

static void take(struct conn *c, const char *p, size_t n)
{
	if (!c->in_body) {
		take_head(c, p, n);
	} else if (n > c->to_read) {
		fail(c, "more bytes than were to come");
		return;
	} else {
		c->to_read -= n;
	}
	if (c->phase != BUSY || !c->in_body || c->to_read > 0)
		return;
	count(c);
	if (all.over)
		return;
	if (opt.reconnect) {
		shut(c);
		dial(c);
	} else {
		begin(c);
	}
}

static bool send_rest(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->n_out) {
		n = link_write(&c->link, c->out + c->sent, c->n_out - c->sent);
		if (n < 0) {
			fail(c, "the connection ended while sending");
			return false;
		}
		if (n == 0)
			return false;
		c->sent += (size_t)n;
	}
	return true;
}

static bool shake(struct conn *c)
{
	int rc = link_shake(&c->link);

	if (rc < 0)
		fail(c, "the TLS handshake failed");
	if (rc <= 0)
		return false;
	if (opt.websocket > 0) {
		c->phase = OPENING;
		c->out = all.request;
		c->n_out = all.n_request;
	} else {
		opened(c);
	}
	return true;
}

static void work(struct conn *c)
{
	static char scratch[SCRATCH];
	ssize_t n;

	if (c->phase == SHAKING && !shake(c))
		return;
	for (;;) {
		if (c->phase == SHAKING || c->phase == CLOSED)
			return;
		(void)send_rest(c);
		if (c->phase == SHAKING || c->phase == CLOSED)
			return;
		n = link_read(&c->link, scratch, sizeof scratch);
		if (n == 0)
			return;
		if (n < 0 && c->phase == READY && !all.running) {
			shut(c);
			return;
		}
		if (n < 0)
			fail(c, "the connection ended");
		else
			take(c, scratch, (size_t)n);
	}
}

static void on_end(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	all.over = true;
	finish();
}

/* The first line begins the work, the end of the input ends all. */
static void on_go(struct watch *w, uint32_t events, void *arg)
{
	char line[64];
	int64_t i;

	(void)w;
	(void)events;
	(void)arg;
	if (read(STDIN_FILENO, line, sizeof line) <= 0)
		loop_stop(all.loop);
	if (all.running)
		return;
	all.running = true;
	all.begun_us = clock_mono_us();
	timer_start(all.loop, &all.end, opt.seconds * 1000, on_end, NULL);
	for (i = 0; i < opt.connections; i++) {
		struct conn *c = &all.conns[i];

		if (c->phase == CLOSED)
			dial(c);
		if (c->phase == READY) {
			begin(c);
			work(c);
		}
	}
}

static void make_message(void)
{
	size_t n = (size_t)opt.websocket, head = n < 126 ? 6 : 14;
	unsigned char *p;

	if (n <= head)
		die("--websocket", "too short for a frame");
	p = xcalloc(1, n);
	/* a masked binary frame; the bytes of the mask are zero */
	p[0] = 0x82;
	n -= head;
	p[1] = (unsigned char)(0x80 | (head == 6 ? n : 127));
	if (head == 14)
		for (int i = 0; i < 8; i++)
			p[9 - i] = (unsigned char)(n >> (8 * i));
	all.message = (char *)p;
	all.n_message = n + head;
}

static bool flag(const char *name, bool *out, const char *seen)
{
	if (!str_eq(name, seen))
		return false;
	*out = true;
	return true;
}

static void parse_options(char **argv)
{
	const struct {
		const char *name;
		int64_t *out;
	} numbers[] = {
		{ "--port", &opt.port },
		{ "--websocket", &opt.websocket },
		{ "--connections", &opt.connections },
		{ "--seconds", &opt.seconds },
		{ "--operations", &opt.operations },
		{ "--range", &opt.range },
		{ "--first", &opt.first },
		{ "--expect", &opt.expect },
	};
	struct err err;
	size_t i;

	for (argv++; *argv != NULL; argv++) {
		if (flag("--tls", &opt.tls, *argv) ||
		    flag("--resume", &opt.resume, *argv) ||
		    flag("--reconnect", &opt.reconnect, *argv))
			continue;
		for (i = 0; i < 8 && !str_eq(numbers[i].name, *argv); i++)
			;
		if (argv[1] == NULL)
			die(*argv, usage);
		argv++;
		if (i < 8) {
			if (num_i64(*argv, numbers[i].out, &err) < 0)
				die(numbers[i].name, err.text);
		} else if (str_eq(argv[-1], "--request")) {
			opt.request_file = *argv;
		} else {
			die(argv[-1], usage);
		}
	}
	if (opt.request_file == NULL || opt.port < 1 || opt.port > 65535 ||
	    opt.connections < 1 || opt.range < 1)
		die("options", usage);
}

static void set_up(void)
{
	struct rlimit files = { 0 };
	struct err err;

	if (file_read_all(opt.request_file, REQUEST_MAX, &all.request,
		&all.n_request, &err) < 0)
		die("--request", err.text);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (opt.websocket > 0)
		make_message();
	if (opt.tls)
		all.ctx = link_context(opt.resume);
	all.to.sin_family = AF_INET;
	all.to.sin_port = htons((uint16_t)opt.port);
	all.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	all.cap_latencies = 4u << 20;
	all.latencies = xcalloc(all.cap_latencies, sizeof *all.latencies);
	all.loop = loop_new();
	all.conns = xcalloc((size_t)opt.connections, sizeof *all.conns);
}

/* A bounded number of connections at a time, so that no queue runs over. */
static void open_all(void)
{
	int64_t i;

	for (i = 0; i < opt.connections; i++) {
		all.conns[i].request = xmalloc(all.n_request);
		memcpy(all.conns[i].request, all.request, all.n_request);
		dial(&all.conns[i]);
		while (i - all.n_open >= 64)
			loop_turn(all.loop, -1);
	}
}

int main(int argc, char **argv)
{
	struct err err;

	assert(argc > 0);
	parse_options(argv);
	set_up();
	open_all();
	while (all.n_open < opt.connections)
		loop_turn(all.loop, -1);
	if (watch_start(all.loop, &all.go, STDIN_FILENO, EPOLLIN, on_go, NULL,
		&err) < 0)
		die("standard input", err.text);
	loop_run(all.loop);
	return 0;
}
