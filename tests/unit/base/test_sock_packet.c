/* Tests of the packets of base/sock.c. */
#include "test_util.h"

#include "base/fd.h"

static int ends[2];

static int setup(void **state)
{
	(void)state;
	return socketpair(
	    AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int teardown(void **state)
{
	(void)state;
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return 0;
}

static size_t n_open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_packets_keep_their_borders(void **state)
{
	struct err err;
	char text[16];
	size_t n, n_fds;

	(void)state;
	test_ok(sock_send_packet(ends[0], "one", 3, NULL, 0, &err), &err);
	test_ok(sock_send_packet(ends[0], "three", 5, NULL, 0, &err), &err);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, NULL,
			     0, &n_fds, &err),
	    1);
	assert_int_equal(n, 3);
	assert_memory_equal(text, "one", 3);
	assert_int_equal(n_fds, 0);
	assert_int_equal(
	    sock_recv_packet(ends[1], text, 5, &n, NULL, 0, &n_fds, &err), 1);
	assert_memory_equal(text, "three", 5);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, NULL,
			     0, &n_fds, &err),
	    -1);
	assert_int_equal(err.code, ERR_BUSY);
}

static void test_end_of_file_and_broken_peer(void **state)
{
	struct err err;
	char text[16];
	size_t n, n_fds;

	(void)state;
	test_ok(sock_send_packet(ends[0], "x", 1, NULL, 0, &err), &err);
	fd_close(&ends[0]);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, NULL,
			     0, &n_fds, &err),
	    1);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, NULL,
			     0, &n_fds, &err),
	    0);
	/* No SIGPIPE. */
	assert_int_equal(sock_send_packet(ends[1], "x", 1, NULL, 0, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
}

static void test_descriptors_travel(void **state)
{
	int pipes[2], got[4] = { -1, -1, -1, -1 };
	struct err err;
	char text[16], c;
	size_t n, n_fds;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	test_ok(sock_send_packet(ends[0], "fds", 3, pipes, 2, &err), &err);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, got,
			     2, &n_fds, &err),
	    1);
	assert_int_equal(n_fds, 2);
	assert_int_equal(write(got[1], "!", 1), 1);
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_int_equal(c, '!');
	for (size_t i = 0; i < 2; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		close(got[i]);
		close(pipes[i]);
	}
}

static void test_most_descriptors(void **state)
{
	int many[SOCK_PACKET_FDS_MAX + 1], got[SOCK_PACKET_FDS_MAX];
	struct err err;
	char text[16];
	size_t n, n_fds, before = n_open_fds();

	(void)state;
	for (size_t i = 0; i < N_OF(many); i++)
		many[i] = STDERR_FILENO;
	test_ok(
	    sock_send_packet(ends[0], "x", 1, many, SOCK_PACKET_FDS_MAX, &err),
	    &err);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, got,
			     N_OF(got), &n_fds, &err),
	    1);
	assert_int_equal(n_fds, SOCK_PACKET_FDS_MAX);
	for (size_t i = 0; i < n_fds; i++)
		close(got[i]);
	assert_int_equal(
	    sock_send_packet(ends[0], "x", 1, many, N_OF(many), &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(n_open_fds(), before);
}

static void test_refused_packets_leak_no_descriptor(void **state)
{
	int fds[2] = { STDERR_FILENO, STDERR_FILENO }, got[1];
	size_t n, n_fds, before = n_open_fds();
	struct err err;
	char text[16];

	(void)state;
	/* More descriptors than the receiver takes. */
	test_ok(sock_send_packet(ends[0], "x", 1, fds, 2, &err), &err);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, got,
			     1, &n_fds, &err),
	    -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(n_fds, 0);
	/* More bytes than it takes. */
	test_ok(sock_send_packet(ends[0], "12345", 5, fds, 1, &err), &err);
	assert_int_equal(
	    sock_recv_packet(ends[1], text, 4, &n, got, 1, &n_fds, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(n_open_fds(), before);
}

/* What our own sender refuses to make: more than the receiver has room for. */
static void test_flood_of_descriptors_is_refused(void **state)
{
	enum { N = 100 };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(N * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	size_t n, n_fds, before = n_open_fds();
	int got[SOCK_PACKET_FDS_MAX], fd = STDERR_FILENO;
	struct err err;
	char text[16];

	(void)state;
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(N * sizeof(int));
	for (size_t i = 0; i < N; i++)
		memcpy(
		    CMSG_DATA(&control.head) + i * sizeof fd, &fd, sizeof fd);
	assert_int_equal(sendmsg(ends[0], &msg, 0), 1);
	assert_int_equal(sock_recv_packet(ends[1], text, sizeof text, &n, got,
			     N_OF(got), &n_fds, &err),
	    -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(n_open_fds(), before);
}

static void test_full_queue_is_busy(void **state)
{
	struct err err = { .code = ERR_NONE };
	char block[4096] = { 0 };

	(void)state;
	for (int i = 0; i < 10000 && err.code == ERR_NONE; i++)
		(void)!sock_send_packet(
		    ends[0], block, sizeof block, NULL, 0, &err);
	assert_int_equal(err.code, ERR_BUSY);
}

static void test_packet_over_the_socket_buffer(void **state)
{
	size_t size = (size_t)64 << 20;
	char *block = calloc(1, size);
	struct err err;

	(void)state;
	assert_non_null(block);
	assert_int_equal(
	    sock_send_packet(ends[0], block, size, NULL, 0, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	free(block);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_packets_keep_their_borders),
		T(test_end_of_file_and_broken_peer),
		T(test_descriptors_travel),
		T(test_most_descriptors),
		T(test_refused_packets_leak_no_descriptor),
		T(test_flood_of_descriptors_is_refused),
		T(test_full_queue_is_busy),
		T(test_packet_over_the_socket_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
