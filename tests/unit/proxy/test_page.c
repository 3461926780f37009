/*
 * proxy/page: slots and times that outlive the engine; a second mapping of the
 * same memory is the next engine.
 */
#include "test_util.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "proxy/cell.h"
#include "proxy/page.h"

#define N_SLOTS 8

static struct page *parent;

static struct page *map(void)
{
	struct err err;
	struct page *p = page_map(fcntl(page_fd(parent), F_DUPFD, 3), &err);

	assert_non_null(p);
	page_times_note(p);
	return p;
}

static int set_up(void **state)
{
	struct err err;

	(void)state;
	parent = page_make(N_SLOTS, &err);
	assert_non_null(parent);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	page_free(&parent);
	return 0;
}

static void test_what_an_engine_writes_the_parent_reads(void **state)
{
	struct page *p = map();
	uint32_t i;

	(void)state;
	page_slots_open(p);
	assert_int_equal(page_n_slots(p), N_SLOTS);
	i = page_slot_take(p);
	atomic_store(page_hand_of(p, i), PAGE_IN_HAND);
	assert_int_equal(atomic_load(page_hand_of(parent, i)), PAGE_IN_HAND);
	page_counts(parent)->restarts = 7;
	assert_int_equal(page_counts(p)->restarts, 7);
	page_free(&p);
	assert_null(p);
}

static void test_slots_are_given_out_once(void **state)
{
	struct page *p = map();
	bool seen[N_SLOTS] = { false };

	(void)state;
	page_slots_open(p);
	for (int i = 0; i < N_SLOTS; i++) {
		uint32_t s = page_slot_take(p);

		assert_true(s < N_SLOTS && !seen[s]);
		seen[s] = true;
	}
	assert_int_equal(page_slot_take(p), PAGE_NO_SLOT);
	page_slot_give(p, 5);
	assert_int_equal(page_slot_take(p), 5);
	page_free(&p);
}

static void test_claimed_slots_are_not_given_out(void **state)
{
	struct page *p = map();
	struct err err;

	(void)state;
	test_ok(page_slot_claim(p, 1, &err), &err);
	test_ok(page_slot_claim(p, 4, &err), &err);
	assert_int_equal(page_slot_claim(p, 4, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	assert_int_equal(page_slot_claim(p, N_SLOTS, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	page_slots_open(p);
	for (int i = 0; i < N_SLOTS - 2; i++) {
		uint32_t s = page_slot_take(p);

		assert_true(s < N_SLOTS && s != 1 && s != 4);
	}
	assert_int_equal(page_slot_take(p), PAGE_NO_SLOT);
	page_free(&p);
}

static void test_times_come_back_by_key(void **state)
{
	struct page *p = map();
	page_time *a = page_time_take(p, "/a"), *b = page_time_take(p, "/b");

	(void)state;
	atomic_store(a, 1000);
	atomic_store(b, 2000);
	assert_int_equal(page_time_before(p, "/a"), -1);
	page_free(&p);

	p = map();
	assert_int_equal(page_time_before(p, "/a"), 1000);
	assert_int_equal(page_time_before(p, "/b"), 2000);
	assert_int_equal(page_time_before(p, "/c"), -1);
	/* /b's entry is not taken again: it is free then. */
	a = page_time_take(p, "/a");
	assert_int_equal(atomic_load(a), 1000);
	page_times_open(p);
	assert_int_equal(page_time_before(p, "/b"), -1);
	b = page_time_take(p, "/c");
	assert_int_equal(atomic_load(b), -1);
	page_time_give(p, a);
	page_free(&p);

	p = map();
	assert_int_equal(page_time_before(p, "/a"), -1);
	assert_int_equal(page_time_before(p, "/b"), -1);
	page_free(&p);
}

static void test_a_cell_notes_its_time(void **state)
{
	struct page *p = map(), *next;
	struct cell *c = cell_new_for("/user/anna", p, 5000);

	(void)state;
	assert_string_equal(cell_key(c), "/user/anna");
	cell_touch(c, 7000);
	next = map();
	assert_int_equal(page_time_before(next, "/user/anna"), 7000);
	page_free(&next);
	cell_unref(&c);
	next = map();
	assert_int_equal(page_time_before(next, "/user/anna"), -1);
	page_free(&next);
	page_free(&p);
}

static void test_many_times(void **state)
{
	struct page *p = map();
	char key[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "/user/%d", i);
		atomic_store(page_time_take(p, key), i);
	}
	page_free(&p);
	p = map();
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "/user/%d", i);
		assert_int_equal(page_time_before(p, key), i);
	}
	page_free(&p);
}

static void test_other_memory_is_refused(void **state)
{
	struct err err;
	int fd = memfd_create("x", MFD_CLOEXEC);

	(void)state;
	assert_null(page_map(fd, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
	fd = memfd_create("x", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_null(page_map(fd, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_an_engine_writes_the_parent_reads),
		TEST(test_slots_are_given_out_once),
		TEST(test_claimed_slots_are_not_given_out),
		TEST(test_times_come_back_by_key),
		TEST(test_a_cell_notes_its_time),
		TEST(test_many_times),
		TEST(test_other_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
