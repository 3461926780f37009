/*
 * Tests of base/sock.c: real sockets, on loopback and in a directory. Its
 * packets are in test_sock_packet.c.
 */
#include "test_util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"

static struct test_dir dir;

static int setup(void **state)
{
	(void)state;
	test_dir_make(&dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_dir_remove(&dir);
	return 0;
}

static int listen_at(const char *path)
{
	struct err err;
	int fd = sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &err);

	test_ok(fd, &err);
	return fd;
}

static int refuse_at(const char *path, struct err *err)
{
	return sock_listen_unix(
	    path, SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, err);
}

/* ---- unix sockets -------------------------------------------------------- */

static void test_unix_listen_and_connect(void **state)
{
	const char *path = test_path(&dir, "s");
	int fd = listen_at(path), client = -1, server;
	struct err err;

	(void)state;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	test_ok(sock_connect_unix(path, SOCK_STREAM, &client, &err), &err);
	assert_true(fcntl(client, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
	server = accept(fd, NULL, NULL);
	assert_true(server >= 0);
	close(server);
	close(client);
	close(fd);
}

static void test_unix_mode_ignores_the_umask(void **state)
{
	const char *path = test_path(&dir, "s");
	mode_t mask = umask(0777);
	struct stat st;
	struct err err;
	int fd = sock_listen_unix(
	    path, SOCK_SEQPACKET, 0660, (uid_t)-1, (gid_t)-1, &err);

	(void)state;
	test_ok(fd, &err);
	umask(mask);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	close(fd);
}

static void test_unix_owner_is_set(void **state)
{
	const char *path = test_path(&dir, "s");
	struct stat st;
	struct err err;
	int fd;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can give a file away\n");
		skip();
	}
	fd = sock_listen_unix(path, SOCK_STREAM, 0600, 65534, 65533, &err);
	test_ok(fd, &err);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65533);
	close(fd);
}

static void test_unix_stale_socket_is_replaced(void **state)
{
	const char *path = test_path(&dir, "s");
	int fd = listen_at(path), again, client = -1;
	struct err err;

	(void)state;
	close(fd);
	assert_int_equal(
	    sock_connect_unix(path, SOCK_STREAM, &client, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_int_equal(client, -1);
	again = listen_at(path);
	test_ok(sock_connect_unix(path, SOCK_STREAM, &client, &err), &err);
	close(client);
	close(again);
}

static void test_unix_live_socket_is_kept(void **state)
{
	const char *path = test_path(&dir, "s");
	int fd = listen_at(path), client = -1;
	struct err err;

	(void)state;
	assert_int_equal(refuse_at(path, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_err_says(&err, path);
	/* One of another type is alive too. */
	assert_int_equal(sock_listen_unix(path, SOCK_SEQPACKET, 0600, (uid_t)-1,
			     (gid_t)-1, &err),
	    -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_ok(sock_connect_unix(path, SOCK_STREAM, &client, &err), &err);
	close(client);
	close(fd);
}

static void test_unix_other_files_are_kept(void **state)
{
	const char *path = test_path(&dir, "file");
	struct stat st;
	struct err err;
	FILE *f = fopen(path, "we");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(refuse_at(path, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	test_err_says(&err, "no socket");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_unix_path_length(void **state)
{
	char path[200];
	struct err err;
	int fd, client;

	(void)state;
	memset(path, 'p', sizeof path);
	memcpy(path, dir.path, strlen(dir.path));
	path[strlen(dir.path)] = '/';
	path[107] = '\0';
	fd = listen_at(path);
	close(fd);
	path[107] = 'p';
	path[108] = '\0';
	assert_int_equal(refuse_at(path, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "108 bytes");
	test_err_says(&err, "107");
	assert_int_equal(
	    sock_connect_unix(path, SOCK_STREAM, &client, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(refuse_at("", &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void test_unix_missing_directory(void **state)
{
	const char *path = test_path(&dir, "none/s");
	struct err err;
	int client;

	(void)state;
	assert_int_equal(refuse_at(path, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	test_err_says(&err, path);
	assert_int_equal(
	    sock_connect_unix(path, SOCK_STREAM, &client, &err), -1);
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	test_err_says(&err, path);
}

static void test_peer(void **state)
{
	struct err err;
	int ends[2], tcp;
	uid_t uid = 1;
	pid_t pid = 1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	test_ok(sock_peer(ends[0], &uid, &pid, &err), &err);
	assert_int_equal(uid, geteuid());
	assert_int_equal(pid, getpid());
	close(ends[0]);
	close(ends[1]);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sock_peer(tcp, &uid, &pid, &err), -1);
	close(tcp);
	assert_int_equal(sock_peer(-1, &uid, &pid, &err), -1);
}

/* ---- TCP ----------------------------------------------------------------- */

static int listen_tcp(const char *host, uint16_t port, bool reuseport)
{
	struct err err;
	int fd = sock_listen_tcp(host, port, reuseport, &err);

	test_ok(fd, &err);
	return fd;
}

static int connect_tcp(uint16_t port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct err err;
	int fd = -1;

	test_ok(sock_connect_addr((struct sockaddr *)&sa, sizeof sa, &fd, &err),
	    &err);
	return fd;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 sa = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool works =
	    fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0;

	fd_close(&fd);
	if (!works)
		print_message("no IPv6 on loopback here\n");
	return works;
}

static void test_tcp_listen_and_connect(void **state)
{
	int fd = listen_tcp("127.0.0.1", 0, false), client, server = -1;
	uint16_t port = sock_port(fd);

	(void)state;
	assert_true(port > 0);
	client = connect_tcp(port);
	for (int i = 0; i < 100 && server < 0; i++)
		server = accept(fd, NULL, NULL);
	assert_true(server >= 0);
	close(server);
	close(client);
	close(fd);
}

static void test_port_of_other_descriptors_is_zero(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(sock_port(ends[0]), 0);
	assert_int_equal(sock_port(-1), 0);
	assert_int_equal(sock_port(STDERR_FILENO), 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_wildcard_hosts(void **state)
{
	static const char *const hosts[] = { "", "*", "0.0.0.0", NULL };

	(void)state;
	for (size_t i = 0; i < N_OF(hosts); i++) {
		int fd = listen_tcp(hosts[i], 0, false);
		int client = connect_tcp(sock_port(fd));

		close(client);
		close(fd);
	}
}

static void test_ipv6_host(void **state)
{
	int fd;

	(void)state;
	if (!has_ipv6())
		skip();
	fd = listen_tcp("::1", 0, false);
	assert_true(sock_port(fd) > 0);
	close(fd);
	/* IPv4 comes in through it as well. */
	fd = listen_tcp("::", 0, false);
	close(connect_tcp(sock_port(fd)));
	close(fd);
}

static void test_port_in_use_names_its_owner(void **state)
{
	int fd = listen_tcp("127.0.0.1", 0, false);
	uint16_t port = sock_port(fd);
	char expected[96];
	struct err err;

	(void)state;
	assert_int_equal(sock_listen_tcp("127.0.0.1", port, false, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	snprintf(expected, sizeof expected,
	    "port %u is in use by test_sock (pid %d)", port, getpid());
	assert_string_equal(err.text, expected);
	assert_int_equal(sock_listen_tcp("", port, false, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	close(fd);
}

static void test_owner_of_a_free_port_is_unknown(void **state)
{
	int fd = listen_tcp("127.0.0.1", 0, false);
	uint16_t port = sock_port(fd);
	char owner[64], tiny[8];

	(void)state;
	sock_port_owner(port, tiny, sizeof tiny);
	assert_string_equal(tiny, "test...");
	close(fd);
	sock_port_owner(port, owner, sizeof owner);
	assert_string_equal(owner, "another process");
}

static void test_reuseport(void **state)
{
	int a = listen_tcp("127.0.0.1", 0, true);
	int b = listen_tcp("127.0.0.1", sock_port(a), true);
	struct err err;

	(void)state;
	assert_int_equal(sock_port(a), sock_port(b));
	assert_int_equal(
	    sock_listen_tcp("127.0.0.1", sock_port(a), false, &err), -1);
	close(a);
	close(b);
}

static void test_hosts_that_cannot_be_listened_on(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(sock_listen_tcp("not an address", 0, false, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	test_err_says(&err, "not an address");
	/* A documentation address of RFC 5737: of no machine. */
	assert_int_equal(sock_listen_tcp("192.0.2.1", 0, false, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	test_err_says(&err, "192.0.2.1");
}

static void try_low_port(void *arg)
{
	struct err err;
	int fd;

	(void)arg;
	if (geteuid() == 0 && setuid(65534) < 0)
		_exit(1);
	fd = sock_listen_tcp("127.0.0.1", 1, false, &err);
	/* 9: this kernel reserves no ports. */
	if (fd >= 0)
		_exit(9);
	if (err.code != ERR_DENIED)
		_exit(2);
	_exit(strstr(err.text, "CAP_NET_BIND_SERVICE") != NULL ? 0 : 3);
}

static void test_reserved_port_says_what_to_do(void **state)
{
	int status = test_in_child(try_low_port, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9) {
		print_message("ports under 1024 are open to all here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- who listens --------------------------------------------------------- */

static void assert_listener(uint16_t port, int expected, uid_t expected_uid)
{
	struct err err;
	uid_t uid = (uid_t)-1;
	int rc = sock_listener_uid(port, &uid, &err);

	test_ok(rc, &err);
	assert_int_equal(rc, expected);
	if (expected == 1)
		assert_int_equal(uid, expected_uid);
}

static void test_listener_uid_by_address(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "0.0.0.0",
		"::", "::1", "::ffff:127.0.0.1" };
	size_t n = has_ipv6() ? N_OF(hosts) : 2;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		int fd = listen_tcp(hosts[i], 0, false);
		uint16_t port = sock_port(fd);

		assert_listener(port, 1, geteuid());
		close(fd);
		assert_listener(port, 0, 0);
	}
}

static void test_listener_elsewhere_is_not_ours(void **state)
{
	/* 127.0.0.2 does not answer for 127.0.0.1. */
	int fd = listen_tcp("127.0.0.2", 0, false);

	(void)state;
	assert_listener(sock_port(fd), 0, 0);
	close(fd);
}

static void test_client_port_is_no_listener(void **state)
{
	int fd = listen_tcp("127.0.0.1", 0, false);
	int client = connect_tcp(sock_port(fd));

	(void)state;
	assert_listener(sock_port(client), 0, 0);
	close(client);
	close(fd);
}

struct foreign {
	int report[2], hold[2];
	const char *host;
	uint16_t port;
	bool is_v6only;
	/* The parent's listener on the same port, -1: none. */
	int parents_fd;
};

/* Listens as nobody until the parent closes `hold`. */
static void listen_as_nobody(struct foreign *f)
{
	struct sockaddr_in6 sa6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(f->port),
	};
	int on = 1, fd;
	char c;

	close(f->hold[1]);
	fd_close(&f->parents_fd);
	if (setuid(65534) < 0)
		_exit(1);
	if (f->is_v6only) {
		fd = socket(AF_INET6, SOCK_STREAM, 0);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) <
			0 ||
		    bind(fd, (struct sockaddr *)&sa6, sizeof sa6) < 0 ||
		    listen(fd, 1) < 0)
			_exit(2);
	} else {
		fd = sock_listen_tcp(f->host, f->port, false, NULL);
	}
	f->port = sock_port(fd);
	if (write(f->report[1], &f->port, sizeof f->port) < 0)
		_exit(3);
	(void)!read(f->hold[0], &c, 1);
	_exit(0);
}

static pid_t foreign_start(struct foreign *f)
{
	pid_t pid;

	assert_int_equal(pipe(f->report), 0);
	assert_int_equal(pipe(f->hold), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		listen_as_nobody(f);
	assert_int_equal(
	    read(f->report[0], &f->port, sizeof f->port), sizeof f->port);
	assert_true(f->port > 0);
	return pid;
}

static void foreign_end(struct foreign *f, pid_t pid)
{
	for (size_t i = 0; i < 2; i++) {
		close(f->hold[i]);
		close(f->report[i]);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_listener_of_another_account(void **state)
{
	struct foreign f = { .host = "127.0.0.1", .parents_fd = -1 };
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become another account\n");
		skip();
	}
	pid = foreign_start(&f);
	assert_listener(f.port, 1, 65534);
	foreign_end(&f, pid);
}

static void test_ipv4_listener_wins_over_ipv6_alone(void **state)
{
	int fd = listen_tcp("127.0.0.1", 0, false);
	struct foreign f = {
		.port = sock_port(fd),
		.is_v6only = true,
		.parents_fd = fd,
	};
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || !has_ipv6()) {
		print_message("needs root and IPv6\n");
		close(fd);
		skip();
	}
	/* A client of 127.0.0.1 reaches the former. */
	pid = foreign_start(&f);
	assert_listener(f.port, 1, 0);
	close(fd);
	assert_listener(f.port, 1, 65534);
	foreign_end(&f, pid);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_unix_listen_and_connect),
		T(test_unix_mode_ignores_the_umask),
		T(test_unix_owner_is_set),
		T(test_unix_stale_socket_is_replaced),
		T(test_unix_live_socket_is_kept),
		T(test_unix_other_files_are_kept),
		T(test_unix_path_length),
		T(test_unix_missing_directory),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_tcp_listen_and_connect),
		cmocka_unit_test(test_port_of_other_descriptors_is_zero),
		cmocka_unit_test(test_wildcard_hosts),
		cmocka_unit_test(test_ipv6_host),
		cmocka_unit_test(test_port_in_use_names_its_owner),
		cmocka_unit_test(test_owner_of_a_free_port_is_unknown),
		cmocka_unit_test(test_reuseport),
		cmocka_unit_test(test_hosts_that_cannot_be_listened_on),
		cmocka_unit_test(test_reserved_port_says_what_to_do),
		cmocka_unit_test(test_listener_uid_by_address),
		cmocka_unit_test(test_listener_elsewhere_is_not_ours),
		cmocka_unit_test(test_client_port_is_no_listener),
		cmocka_unit_test(test_listener_of_another_account),
		cmocka_unit_test(test_ipv4_listener_wins_over_ipv6_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
