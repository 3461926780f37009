/*
 * proxy/deposit and proxy/safe: what engine and parent say to each other, and
 * what the parent keeps of it.
 */
#include "test_util.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "proxy/deposit.h"
#include "proxy/page.h"
#include "proxy/route.h"
#include "proxy/safe.h"

#define N_SLOTS 100

struct world {
	int engine, parent; /* both ends */
	struct safe safe;
	struct page *page;
	struct deposit_in in;
};

static struct world w;

static int set_up(void **state)
{
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
	    0);
	w.engine = fds[0];
	w.parent = fds[1];
	safe_init(&w.safe, N_SLOTS);
	w.page = page_make(N_SLOTS, &err);
	assert_non_null(w.page);
	deposit_in_init(&w.in);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	deposit_in_fini(&w.in);
	safe_fini(&w.safe);
	page_free(&w.page);
	fd_close(&w.engine);
	fd_close(&w.parent);
	return 0;
}

/* ---- messages ------------------------------------------------------------ */

static int decode(const struct deposit *d, size_t cut, size_t n_fds)
{
	struct deposit out;
	struct err err;
	struct buf b;
	int rc;

	buf_init(&b, DEPOSIT_MAX);
	deposit_encode(&b, d);
	assert_false(b.overflow);
	rc = deposit_decode(slice_make(b.data, b.len - cut), n_fds, &out, &err);
	if (rc < 0)
		assert_int_equal(err.code, ERR_PROTOCOL);
	else
		assert_int_equal(out.type, d->type);
	buf_fini(&b);
	return rc;
}

static void test_each_message_has_its_descriptors(void **state)
{
	(void)state;
	for (int type = 1; type < DEPOSIT_N_TYPES; type++) {
		const struct deposit d = { .type = (enum deposit_type)type };
		size_t wanted = type == DEPOSIT_PAGE ||
				type == DEPOSIT_SOCKET || type == DEPOSIT_WORD;

		for (size_t n = 0; n < 4; n++)
			assert_int_equal(
			    decode(&d, 0, n), n == wanted ? 0 : -1);
	}
}

static void test_what_is_no_message_is_refused(void **state)
{
	struct deposit d = { .type = DEPOSIT_N_TYPES };
	struct buf items;

	(void)state;
	assert_int_equal(decode(&d, 0, 0), -1);
	d.type = (enum deposit_type)0;
	assert_int_equal(decode(&d, 0, 0), -1);
	d = (struct deposit){ .type = DEPOSIT_SOCKET,
		.kind = PARCEL_N_LISTENERS };
	assert_int_equal(decode(&d, 0, 1), -1);
	buf_init(&items, DEPOSIT_MAX);
	for (int i = 0; i < 3; i++)
		deposit_put_tunnel(
		    &items, &(struct deposit_tunnel){ 7, slice_of("/user/x") });
	d = (struct deposit){ .type = DEPOSIT_TUNNELS,
		.items = slice_make(items.data, items.len) };
	assert_int_equal(decode(&d, 0, 6), 0);
	assert_int_equal(decode(&d, 0, 5), -1);
	for (size_t cut = 1; cut < items.len; cut++)
		assert_int_equal(decode(&d, cut, 6), -1);
	d.items.len--;
	assert_int_equal(decode(&d, 0, 6), -1);
	d.type = DEPOSIT_DROP;
	d.items.len = 4 * 5 + 1;
	assert_int_equal(decode(&d, 0, 0), -1);
	d.items.len = 4 * 5;
	assert_int_equal(decode(&d, 0, 0), 0);
	buf_fini(&items);
}

/* ---- the safe ------------------------------------------------------------ */

/* The next message on that end must be of this type. */
static struct deposit hear(int fd, enum deposit_type type)
{
	struct deposit d;
	struct err err;

	test_ok(deposit_receive(&w.in, fd, &d, &err) - 1, &err);
	assert_int_equal(d.type, type);
	return d;
}

static int take(enum deposit_type type, struct err *err)
{
	const struct deposit d = hear(w.parent, type);

	return safe_take(&w.safe, &w.in, &d, err);
}

static void say(const struct deposit *d, const int *fds, size_t n_fds)
{
	struct err err;

	test_ok(deposit_send(w.engine, d, fds, n_fds, &err) - 1, &err);
}

/* A tunnel of two socket pairs; the far ends stay with the test. */
struct tunnel {
	int client, target, far_client, far_target;
};

static struct tunnel make_tunnel(void)
{
	struct tunnel t;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	t.client = fds[0];
	t.far_client = fds[1];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	t.target = fds[0];
	t.far_target = fds[1];
	return t;
}

/* Ours are gone: what the parent has is what keeps it open. */
static void deposit(struct tunnel *t, uint32_t slot, const char *key)
{
	struct deposit d = { .type = DEPOSIT_TUNNELS };
	int fds[2] = { t->client, t->target };
	struct buf items;
	struct err err;

	buf_init(&items, DEPOSIT_MAX);
	deposit_put_tunnel(
	    &items, &(struct deposit_tunnel){ slot, slice_of(key) });
	d.items = slice_make(items.data, items.len);
	say(&d, fds, 2);
	buf_fini(&items);
	fd_close(&t->client);
	fd_close(&t->target);
	test_ok(take(DEPOSIT_TUNNELS, &err), &err);
}

static bool is_open(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void forget(struct tunnel *t)
{
	fd_close(&t->far_client);
	fd_close(&t->far_target);
}

static void test_a_tunnel_is_kept_until_it_is_dropped(void **state)
{
	struct tunnel t = make_tunnel();
	uint32_t slot = 70;
	struct deposit drop = { .type = DEPOSIT_DROP };
	struct err err;

	(void)state;
	deposit(&t, slot, "/a");
	assert_true(is_open(t.far_client) && is_open(t.far_target));
	assert_int_equal(w.safe.n_tunnels, 1);
	drop.items = slice_make((const char *)&slot, sizeof slot);
	say(&drop, NULL, 0);
	test_ok(take(DEPOSIT_DROP, &err), &err);
	assert_false(is_open(t.far_client) || is_open(t.far_target));
	assert_int_equal(w.safe.n_tunnels, 0);
	/* Twice is harmless. */
	say(&drop, NULL, 0);
	test_ok(take(DEPOSIT_DROP, &err), &err);
	forget(&t);
}

static void test_a_slot_that_is_used_again_forgets_the_first(void **state)
{
	struct tunnel a = make_tunnel(), b = make_tunnel();

	(void)state;
	deposit(&a, 3, "/a");
	deposit(&b, 3, "/b");
	assert_false(is_open(a.far_client));
	assert_true(is_open(b.far_client));
	assert_int_equal(w.safe.n_tunnels, 1);
	forget(&a);
	forget(&b);
}

static void test_slots_that_do_not_exist_are_refused(void **state)
{
	uint32_t slot = N_SLOTS;
	struct deposit d = { .type = DEPOSIT_DROP };
	struct tunnel t = make_tunnel();
	int fds[2] = { t.client, t.target };
	struct buf items;
	struct err err;

	(void)state;
	d.items = slice_make((const char *)&slot, sizeof slot);
	say(&d, NULL, 0);
	assert_int_equal(take(DEPOSIT_DROP, &err), -1);
	buf_init(&items, DEPOSIT_MAX);
	deposit_put_tunnel(
	    &items, &(struct deposit_tunnel){ slot, slice_of("/a") });
	d = (struct deposit){ .type = DEPOSIT_TUNNELS,
		.items = slice_make(items.data, items.len) };
	say(&d, fds, 2);
	assert_int_equal(take(DEPOSIT_TUNNELS, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	fd_close(&t.client);
	fd_close(&t.target);
	assert_false(is_open(t.far_client) || is_open(t.far_target));
	buf_fini(&items);
	forget(&t);
}

static void test_bytes_in_hand_close_a_tunnel(void **state)
{
	struct tunnel quiet = make_tunnel(), busy = make_tunnel();

	(void)state;
	deposit(&quiet, 0, "/a");
	deposit(&busy, 1, "/a");
	atomic_store(page_hand_of(w.page, 1), PAGE_IN_HAND);
	assert_int_equal(safe_judge(&w.safe, w.page), 1);
	assert_true(is_open(quiet.far_client) && is_open(quiet.far_target));
	assert_false(is_open(busy.far_client) || is_open(busy.far_target));
	assert_int_equal(safe_give_up(&w.safe), 1);
	assert_false(is_open(quiet.far_client));
	forget(&quiet);
	forget(&busy);
}

static void send_socket(uint16_t port)
{
	const struct deposit d = { .type = DEPOSIT_SOCKET,
		.kind = PARCEL_PUBLIC,
		.port = port,
		.text = slice_of("127.0.0.1") };
	struct err err;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	say(&d, &fd, 1);
	fd_close(&fd);
	test_ok(take(DEPOSIT_SOCKET, &err), &err);
}

static void say_ready(void)
{
	const struct deposit d = { .type = DEPOSIT_READY };
	struct err err;

	say(&d, NULL, 0);
	test_ok(take(DEPOSIT_READY, &err), &err);
}

static void test_sockets_count_when_the_engine_is_ready(void **state)
{
	const struct deposit none = { .type = DEPOSIT_NO_SOCKETS };
	struct err err;

	(void)state;
	send_socket(1);
	send_socket(2);
	assert_int_equal(w.safe.sockets.n, 0);
	say_ready();
	assert_int_equal(w.safe.sockets.n, 2);
	/* The next one died before it was ready. */
	send_socket(3);
	(void)safe_judge(&w.safe, w.page);
	assert_int_equal(w.safe.sockets.n, 2);
	send_socket(4);
	say_ready();
	assert_int_equal(w.safe.sockets.n, 1);
	assert_int_equal(w.safe.sockets.items[0].port, 4);
	say(&none, NULL, 0);
	test_ok(take(DEPOSIT_NO_SOCKETS, &err), &err);
	assert_int_equal(w.safe.sockets.n, 0);
}

/* Everything comes back, however little room there is at once. */
static void test_all_is_given_back(void **state)
{
	char key[ROUTE_KEY_MAX];
	bool seen[N_SLOTS] = { false };
	struct tunnel t[40];
	struct deposit d;
	struct err err;
	size_t n = 0;
	int rc;

	(void)state;
	memset(key, 'k', sizeof key - 1);
	key[0] = '/';
	key[sizeof key - 1] = '\0';
	send_socket(8000);
	say_ready();
	for (uint32_t i = 0; i < N_OF(t); i++) {
		t[i] = make_tunnel();
		deposit(&t[i], 2 * i + 1, key);
	}
	safe_rewind(&w.safe);
	rc = safe_give(&w.safe, w.parent, &err);
	d = hear(w.engine, DEPOSIT_SOCKET);
	assert_int_equal(d.port, 8000);
	for (;;) {
		struct deposit_tunnel item;
		struct slice items;

		if (rc == 0)
			rc = safe_give(&w.safe, w.parent, &err);
		assert_true(rc >= 0);
		test_ok(deposit_receive(&w.in, w.engine, &d, &err) - 1, &err);
		if (d.type == DEPOSIT_GO)
			break;
		assert_int_equal(d.type, DEPOSIT_TUNNELS);
		items = d.items;
		for (; deposit_next_tunnel(&items, &item); n++) {
			assert_false(seen[item.slot]);
			seen[item.slot] = true;
			assert_int_equal(item.slot % 2, 1);
			assert_int_equal(item.key.len, sizeof key - 1);
		}
	}
	assert_int_equal(n, N_OF(t));
	/* And the parent has them still. */
	assert_int_equal(w.safe.n_tunnels, N_OF(t));
	for (size_t i = 0; i < N_OF(t); i++) {
		assert_true(is_open(t[i].far_client));
		forget(&t[i]);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_each_message_has_its_descriptors),
		TEST(test_what_is_no_message_is_refused),
		TEST(test_a_tunnel_is_kept_until_it_is_dropped),
		TEST(test_a_slot_that_is_used_again_forgets_the_first),
		TEST(test_slots_that_do_not_exist_are_refused),
		TEST(test_bytes_in_hand_close_a_tunnel),
		TEST(test_sockets_count_when_the_engine_is_ready),
		TEST(test_all_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
