/*
 * base/tls_front: base/fetch on one side, base/httpd on the other, on one loop.
 */
#include "test_util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/fetch.h"
#include "base/httpd.h"
#include "base/mem.h"
#include "base/pki.h"
#include "base/str.h"
#include "base/tls_front.h"

#define WAIT_MS 8000
/* More than the buffers in between hold. */
#define LARGE   ((size_t)3 << 20)
#define YEAR    (365 * 86400)

enum { HOUSE, GUESTS, STRANGERS, N_AUTHORITIES };

struct world {
	char dir[64], url[96];
	char house_file[96], pair_file[N_AUTHORITIES][96];
	struct loop *loop;
	struct tls_front *front;
	struct httpd *httpd;
	struct fetcher *fetcher;
	uint16_t port;
	int n_requests, n_wanted, n_done, status;
	size_t n_bytes;
	struct err err;
};

static void write_file(const char *path, const char *a, const char *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, a, strlen(a)), strlen(a));
	assert_int_equal(write(fd, b, strlen(b)), strlen(b));
	fd_close(&fd);
}

/* Three authorities, each with one certificate; the first is the server's. */
static void make_files(struct world *w)
{
	static const char *const names[] = { "127.0.0.1" };
	struct pki_request req = { .name = "test",
		.alt_names = names,
		.n_alt_names = 1,
		.now_s = time(NULL),
		.valid_s = YEAR };

	for (int i = 0; i < N_AUTHORITIES; i++) {
		struct pki_pair authority, pair;
		char file[96];
		struct err err;

		assert_int_equal(pki_authority(&req, &authority, &err), 0);
		assert_int_equal(pki_issue(&authority, &req, &pair, &err), 0);
		assert_int_equal(
		    str_format(w->pair_file[i], sizeof w->pair_file[i],
			"%s/pair%d.pem", w->dir, i),
		    0);
		assert_int_equal(
		    str_format(file, sizeof file, "%s/ca%d.crt", w->dir, i), 0);
		write_file(w->pair_file[i], pair.key, pair.cert);
		write_file(file, authority.cert, "");
		pki_pair_fini(&pair);
		pki_pair_fini(&authority);
	}
	assert_int_equal(str_format(w->house_file, sizeof w->house_file,
			     "%s/ca%d.crt", w->dir, HOUSE),
	    0);
}

static void on_request(struct http_req *req, void *arg)
{
	struct world *w = arg;
	char *body = xcalloc(1, LARGE);

	w->n_requests++;
	memset(body, 'x', LARGE);
	/* The answer is as long as what was sent. */
	http_reply(req, 200, body, req->body.len);
	free(body);
}

static void on_client(
    int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	struct world *w = arg;
	struct err err;

	assert_int_equal(httpd_add(w->httpd, fd, peer, len, &err), 0);
}

static struct tls_front_files files_of(struct world *w, char *ca, size_t cap)
{
	assert_int_equal(str_format(ca, cap, "%s/ca%d.crt", w->dir, GUESTS), 0);
	return (struct tls_front_files){
		.key = w->pair_file[HOUSE],
		.cert = w->pair_file[HOUSE],
		.authorities = ca,
	};
}

static void open_front(struct world *w, unsigned max)
{
	const struct tls_front_options opt = { .name = "the test",
		.max_connections = max,
		.fn = on_client,
		.arg = w };
	struct tls_front_files files;
	struct err err;
	char ca[96];
	int fd = sock_listen_tcp("127.0.0.1", 0, false, &err);

	assert_true(fd >= 0);
	w->port = sock_port(fd);
	files = files_of(w, ca, sizeof ca);
	w->front = tls_front_open(w->loop, fd, &files, &opt, &err);
	assert_non_null(w->front);
	assert_int_equal(str_format(w->url, sizeof w->url,
			     "https://127.0.0.1:%u/x", (unsigned)w->port),
	    0);
}

static int setup(void **state)
{
	const struct httpd_options opt = { .max_body_bytes = LARGE };
	struct world *w = xcalloc(1, sizeof *w);
	const struct httpd_callbacks cb = { .on_request = on_request,
		.arg = w };
	struct err err;

	assert_int_equal(
	    str_copy(w->dir, sizeof w->dir, "/tmp/carrel-front-XXXXXX"), 0);
	assert_non_null(mkdtemp(w->dir));
	make_files(w);
	w->loop = loop_new();
	w->fetcher = fetcher_new(w->loop, 8);
	w->httpd = httpd_open(w->loop, -1, &opt, &cb, &err);
	assert_non_null(w->httpd);
	open_front(w, 2);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char file[96];

	fetcher_free(&w->fetcher);
	tls_front_close(&w->front);
	httpd_close(&w->httpd);
	loop_free(&w->loop);
	for (int i = 0; i < N_AUTHORITIES; i++) {
		(void)unlink(w->pair_file[i]);
		if (str_format(file, sizeof file, "%s/ca%d.crt", w->dir, i) ==
		    0)
			(void)unlink(file);
	}
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static void on_answer(const struct fetch_result *res, void *arg)
{
	struct world *w = arg;

	w->status = res->status;
	w->n_bytes = res->body.len;
	w->err = res->err;
	if (++w->n_done == w->n_wanted)
		loop_stop(w->loop);
}

static void on_late(struct timer *t, void *arg)
{
	struct world *w = arg;

	(void)t;
	loop_stop(w->loop);
}

static void run(struct world *w, int n)
{
	struct timer late = { 0 };

	w->n_done = 0;
	w->n_wanted = n;
	timer_start(w->loop, &late, WAIT_MS, on_late, w);
	loop_run(w->loop);
	timer_stop(&late);
	assert_int_equal(w->n_done, n);
}

static void ask(struct world *w, int whose, size_t n_bytes)
{
	char *body = xcalloc(1, n_bytes + 1);
	const struct fetch_req req = {
		.method = "POST",
		.url = w->url,
		.ca_file = w->house_file,
		.cert_file = whose >= 0 ? w->pair_file[whose] : NULL,
		.body = body,
		.body_len = n_bytes,
		.max_body_bytes = LARGE,
		.timeout_ms = WAIT_MS,
	};

	fetch_start(w->fetcher, &req, on_answer, w);
	free(body);
}

static void test_who_shows_a_certificate_is_served(void **state)
{
	struct world *w = *state;

	ask(w, GUESTS, 5);
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->n_bytes, 5);
}

static void test_much_in_both_directions(void **state)
{
	struct world *w = *state;

	ask(w, GUESTS, LARGE);
	run(w, 1);
	assert_int_equal(w->status, 200);
	assert_int_equal(w->n_bytes, LARGE);
}

static void test_without_a_certificate_nothing_is_heard(void **state)
{
	struct world *w = *state;

	ask(w, -1, 5);
	run(w, 1);
	assert_int_equal(w->status, 0);
	assert_int_equal(w->n_requests, 0);
}

/* The house's own is none of a guest's. */
static void test_another_authority_is_refused(void **state)
{
	struct world *w = *state;

	ask(w, STRANGERS, 5);
	run(w, 1);
	assert_int_equal(w->status, 0);
	ask(w, HOUSE, 5);
	run(w, 1);
	assert_int_equal(w->status, 0);
	assert_int_equal(w->n_requests, 0);
}

static void test_plain_http_is_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(str_format(w->url, sizeof w->url,
			     "http://127.0.0.1:%u/x", (unsigned)w->port),
	    0);
	ask(w, GUESTS, 5);
	run(w, 1);
	assert_int_equal(w->status, 0);
	assert_int_equal(w->n_requests, 0);
}

/* All of this test is one peer: what comes over its limit is itself too much,
 * and what it has goes on. */
static void test_over_the_limit_the_newest_goes(void **state)
{
	struct world *w = *state;
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(w->port),
	};
	int fd[2];
	struct err err;

	for (size_t i = 0; i < N_OF(fd); i++)
		test_ok(sock_connect_addr((const struct sockaddr *)&sa,
			    sizeof sa, &fd[i], &err),
		    &err);
	ask(w, GUESTS, 5);
	run(w, 1);
	assert_int_equal(w->status, 0);
	fd_close(&fd[0]);
	ask(w, GUESTS, 5);
	run(w, 1);
	assert_int_equal(w->status, 200);
	fd_close(&fd[1]);
}

static void test_other_files_hold_from_now_on(void **state)
{
	struct world *w = *state;
	char ca[96];
	struct tls_front_files files = files_of(w, ca, sizeof ca);
	struct err err = { .code = ERR_NONE };

	files.authorities = "/nonexistent/ca";
	assert_int_equal(tls_front_load(w->front, &files, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/ca"));
	ask(w, GUESTS, 5);
	run(w, 1);
	assert_int_equal(w->status, 200);
	files.authorities = w->house_file;
	assert_int_equal(tls_front_load(w->front, &files, &err), 0);
	ask(w, HOUSE, 5);
	run(w, 1);
	assert_int_equal(w->status, 200);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_who_shows_a_certificate_is_served),
		T(test_much_in_both_directions),
		T(test_without_a_certificate_nothing_is_heard),
		T(test_another_authority_is_refused),
		T(test_plain_http_is_refused),
		T(test_over_the_limit_the_newest_goes),
		T(test_other_files_hold_from_now_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
