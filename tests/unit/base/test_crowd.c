/*
 * Tests of base/crowd.c: who has the most, and who is refused.
 */
#include "test_util.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/crowd.h"
#include "base/fd.h"
#include "base/log.h"

static struct crowd crowd;
static struct crowd_member members[64];

static int setup(void **state)
{
	(void)state;
	crowd_init(&crowd);
	memset(members, 0, sizeof members);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(members); i++)
		crowd_leave(&crowd, &members[i]);
	crowd_fini(&crowd);
	return 0;
}

/* Nobody on this machine has such a connection: the address counts. */
static void join(size_t i, const char *address)
{
	const struct sockaddr_in own = { .sin_family = AF_INET,
		.sin_port = htons(1) };
	const struct sockaddr_in6 own6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(1) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = 1 };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = 1 };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		crowd_join(&crowd, &members[i], (const struct sockaddr *)&v4,
		    (const struct sockaddr *)&own);
		return;
	}
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	crowd_join(&crowd, &members[i], (const struct sockaddr *)&v6,
	    (const struct sockaddr *)&own6);
}

static void assert_named(size_t i, const char *name)
{
	char text[CROWD_NAME_SIZE];

	crowd_name(&members[i], text);
	assert_string_equal(text, name);
}

static void test_empty_crowd_has_nobody_to_refuse(void **state)
{
	(void)state;
	assert_null(crowd_newest_of_greediest(&crowd));
	crowd_leave(&crowd, &members[0]);
}

static void test_newest_of_the_greediest_is_chosen(void **state)
{
	(void)state;
	join(0, "192.0.2.1");
	join(1, "192.0.2.2");
	join(2, "192.0.2.2");
	join(3, "192.0.2.3");
	assert_ptr_equal(crowd_newest_of_greediest(&crowd), &members[2]);
	assert_int_equal(crowd_share(&members[2]), 2);
	crowd_leave(&crowd, &members[2]);
	crowd_leave(&crowd, &members[1]);
	join(4, "192.0.2.3");
	assert_ptr_equal(crowd_newest_of_greediest(&crowd), &members[4]);
	assert_int_equal(crowd.n_members, 3);
}

static void swallow(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static void test_refused_one_has_left(void **state)
{
	(void)state;
	log_set_sink(swallow, NULL);
	join(0, "192.0.2.1");
	join(1, "192.0.2.1");
	crowd_refuse(&crowd, &members[1], "seats", 1000);
	assert_int_equal(crowd.n_members, 1);
	assert_int_equal(crowd_share(&members[0]), 1);
	crowd_leave(&crowd, &members[1]);
	assert_int_equal(crowd.n_members, 1);
}

static void test_addresses_have_names(void **state)
{
	(void)state;
	join(0, "192.0.2.1");
	join(1, "::ffff:192.0.2.1");
	join(2, "2001:db8:1:2:3:4:5:6");
	join(3, "2001:db8:1:2:ffff::1");
	join(4, "2001:db8:1:3::1");
	assert_named(0, "address 192.0.2.1");
	assert_int_equal(crowd_share(&members[0]), 2);
	assert_named(2, "address 2001:db8:1:2::/64");
	assert_int_equal(crowd_share(&members[2]), 2);
	assert_int_equal(crowd_share(&members[4]), 1);
}

/* A connection of this process to itself, by `host`; 0: no such address. */
static int join_self(const char *host)
{
	char wanted[CROWD_NAME_SIZE], name[CROWD_NAME_SIZE];
	struct sockaddr_storage to, from, own;
	socklen_t to_len = sizeof to, len = sizeof from, own_len = sizeof own;
	struct err err;
	int fd = sock_listen_tcp(host, 0, false, &err), client, in;

	if (fd < 0)
		return 0;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &to_len), 0);
	client = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, to_len), 0);
	in = accept(fd, (struct sockaddr *)&from, &len);
	assert_true(in >= 0);
	assert_int_equal(getsockname(in, (struct sockaddr *)&own, &own_len), 0);
	crowd_join(&crowd, &members[0], (struct sockaddr *)&from,
	    (struct sockaddr *)&own);
	snprintf(wanted, sizeof wanted, "account %u", (unsigned)getuid());
	assert_named(0, wanted);
	close(client);
	/* Now its socket belongs to no process. */
	crowd_join(&crowd, &members[1], (struct sockaddr *)&from,
	    (struct sockaddr *)&own);
	crowd_name(&members[1], name);
	assert_non_null(strstr(name, "address "));
	crowd_leave(&crowd, &members[0]);
	crowd_leave(&crowd, &members[1]);
	close(in);
	close(fd);
	return 1;
}

static void test_connections_of_this_machine_count_by_account(void **state)
{
	(void)state;
	assert_int_equal(join_self("127.0.0.1"), 1);
	(void)join_self("::1");
	assert_int_equal(join_self("*"), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty_crowd_has_nobody_to_refuse),
		T(test_newest_of_the_greediest_is_chosen),
		T(test_refused_one_has_left),
		T(test_addresses_have_names),
		T(test_connections_of_this_machine_count_by_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
