/* Tests of base/sysd.c. */
#include "test_util.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/sysd.h"

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
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	test_dir_remove(&dir);
	return 0;
}

/* A datagram socket with this name; '@' begins an abstract one. */
static int bind_datagram(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0 && len < sizeof sa.sun_path);
	memcpy(sa.sun_path, name, len);
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	return fd;
}

static void assert_received(int fd, const char *expected)
{
	char text[64];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, expected);
}

static void test_notify_by_path(void **state)
{
	const char *path = test_path(&dir, "notify");
	int fd = bind_datagram(path);

	(void)state;
	setenv("NOTIFY_SOCKET", path, 1);
	sysd_notify("READY=1");
	assert_received(fd, "READY=1");
	sysd_notify("STATUS=two\nSTOPPING=1");
	assert_received(fd, "STATUS=two\nSTOPPING=1");
	close(fd);
}

static void test_notify_abstract(void **state)
{
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof name, "@carrel-test-%d", getpid());
	fd = bind_datagram(name);
	setenv("NOTIFY_SOCKET", name, 1);
	sysd_notify("READY=1");
	assert_received(fd, "READY=1");
	close(fd);
}

static void test_notify_does_nothing_without_a_listener(void **state)
{
	char longer[300];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	sysd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	sysd_notify("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	sysd_notify("READY=1");
	setenv("NOTIFY_SOCKET", test_path(&dir, "none"), 1);
	sysd_notify("READY=1");
	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	sysd_notify("READY=1");
}

static void set_listen(const char *pid, const char *count)
{
	char mine[16];

	snprintf(mine, sizeof mine, "%d", getpid());
	setenv("LISTEN_PID", pid != NULL ? pid : mine, 1);
	setenv("LISTEN_FDS", count, 1);
}

static void take_two(void *arg)
{
	(void)arg;
	if (dup2(STDIN_FILENO, 3) < 0 || dup2(STDIN_FILENO, 4) < 0)
		_exit(1);
	set_listen(NULL, "2");
	if (sysd_listen_fds() != 2 || sysd_listen_fds() != 2)
		_exit(2);
	if (fcntl(3, F_GETFD) != FD_CLOEXEC || fcntl(4, F_GETFD) != FD_CLOEXEC)
		_exit(3);
	if ((fcntl(4, F_GETFL) & O_NONBLOCK) == 0)
		_exit(4);
	close(4);
	/* One that is not there ends the count. */
	if (sysd_listen_fds() != 1)
		_exit(5);
}

static void test_listen_fds(void **state)
{
	(void)state;
	assert_int_equal(test_in_child(take_two, NULL), 0);
}

static void take_none(void *arg)
{
	static const char *const bad[] = { "", "x", "-1", "65", "1x",
		"99999999999" };

	(void)arg;
	if (dup2(STDIN_FILENO, 3) < 0 || sysd_listen_fds() != 0)
		_exit(1);
	set_listen("1", "1");
	if (sysd_listen_fds() != 0)
		_exit(2);
	set_listen("", "1");
	if (sysd_listen_fds() != 0)
		_exit(3);
	for (size_t i = 0; i < N_OF(bad); i++) {
		set_listen(NULL, bad[i]);
		if (sysd_listen_fds() != 0)
			_exit(4);
	}
	set_listen(NULL, "1");
	unsetenv("LISTEN_PID");
	if (sysd_listen_fds() != 0)
		_exit(5);
}

static void test_descriptors_meant_for_others_are_left_alone(void **state)
{
	(void)state;
	assert_int_equal(test_in_child(take_none, NULL), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_notify_by_path),
		T(test_notify_abstract),
		T(test_notify_does_nothing_without_a_listener),
		T(test_listen_fds),
		T(test_descriptors_meant_for_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
