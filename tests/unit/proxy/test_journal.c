/*
 * proxy/journal: what was acknowledged is there after a restart; torn and
 * broken lines; compaction.
 */
#include "test_util.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/loop.h"
#include "proxy/journal.h"

struct world {
	struct test_dir dir;
	char path[128];
	struct loop *loop;
	struct journal *journal;
	int n_lines; /* read */
	int n_done, n_failed;
	char order[64];
	int n_snapshots;
};

static struct world w;

static void quiet(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static int on_line(const json_t *line, void *arg, struct err *err)
{
	(void)arg;
	if (json_object_get(line, "bad") != NULL)
		return err_set(err, ERR_INVALID, "bad");
	w.n_lines++;
	return 0;
}

static void on_done(const struct err *err, void *arg)
{
	const char *name = arg;
	size_t n = strlen(w.order);

	if (err->code != ERR_NONE)
		w.n_failed++;
	if (n + 1 < sizeof w.order && name != NULL) {
		w.order[n] = name[0];
		w.order[n + 1] = '\0';
	}
	w.n_done++;
}

static size_t snapshot(struct buf *out, void *arg)
{
	(void)arg;
	w.n_snapshots++;
	buf_str(out, "{\"op\":\"snap\"}\n");
	return 1;
}

static int open_journal(struct err *err)
{
	w.n_lines = 0;
	w.journal = journal_open(w.loop, w.path, on_line, NULL, err);
	return w.journal == NULL ? -1 : 0;
}

static void append(const char *line, const char *name)
{
	union {
		const char *from;
		void *to;
	} u = { .from = name };

	journal_append(w.journal, line, strlen(line), on_done, u.to);
}

static void run_until(int n)
{
	for (int i = 0; i < 1000 && w.n_done < n; i++)
		loop_turn(w.loop, 100);
	assert_int_equal(w.n_done, n);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	log_set_sink(quiet, NULL);
	test_dir_make(&w.dir);
	snprintf(w.path, sizeof w.path, "%s/routes.journal", w.dir.path);
	w.loop = loop_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	journal_close(&w.journal);
	loop_free(&w.loop);
	test_dir_remove(&w.dir);
	log_set_sink(NULL, NULL);
	return 0;
}

static void write_file(const char *text)
{
	FILE *f = fopen(w.path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_lines_are_there_after_a_restart_in_order(void **state)
{
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	append("{\"n\":1}\n", "a");
	append("{\"n\":2}\n", "b");
	append("{\"n\":3}\n", "c");
	assert_int_equal(w.n_done, 0);
	run_until(3);
	assert_string_equal(w.order, "abc");
	assert_int_equal(w.n_failed, 0);
	journal_close(&w.journal);
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 3);
}

static void test_a_torn_last_line_is_cut_off(void **state)
{
	struct stat st;
	struct err err;

	(void)state;
	write_file("{\"n\":1}\n{\"n\":2");
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 1);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_size, 8);
	append("{\"n\":3}\n", NULL);
	run_until(1);
	journal_close(&w.journal);
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 2);
}

static void test_broken_lines_are_skipped(void **state)
{
	struct err err;

	(void)state;
	write_file("{\"n\":1}\nnonsense\n\n{\"bad\":1}\n{\"n\":2}\n");
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 2);
}

static void test_a_second_proxy_is_refused(void **state)
{
	struct journal *first;
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	first = w.journal;
	assert_int_equal(open_journal(&err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	w.journal = first;
}

static void test_history_is_compacted(void **state)
{
	enum { N = 6000 };
	struct stat st;
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	journal_set_snapshot(w.journal, snapshot, NULL);
	for (int i = 0; i < N; i++) {
		append("{\"n\":1}\n", NULL);
		if (i % 100 == 99)
			run_until(i + 1);
	}
	assert_true(w.n_snapshots > 0);
	assert_int_equal(w.n_failed, 0);
	journal_close(&w.journal);
	assert_int_equal(stat(w.path, &st), 0);
	assert_true(st.st_size < N * 8);
	assert_int_equal(st.st_mode & 0777, 0600);
	test_ok(open_journal(&err), &err);
	assert_true(w.n_lines < N && w.n_lines > 0);
}

static void test_the_end_leaves_a_snapshot(void **state)
{
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	journal_set_snapshot(w.journal, snapshot, NULL);
	append("{\"n\":1}\n", NULL);
	append("{\"n\":2}\n", NULL);
	run_until(2);
	append("{\"n\":3}\n", NULL);
	test_ok(journal_finish(w.journal, &err), &err);
	assert_int_equal(w.n_done, 3);
	assert_int_equal(w.n_failed, 0);
	append("{\"n\":4}\n", NULL);
	assert_int_equal(w.n_failed, 1);
	journal_close(&w.journal);
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 1);
}

/* A disk that is full: the line is not acknowledged and not in the file. */
static void test_a_failed_write_is_told_and_leaves_no_trace(void **state)
{
	const struct rlimit small = { .rlim_cur = 40,
		.rlim_max = RLIM_INFINITY };
	struct rlimit before;
	struct stat st;
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	append("{\"n\":1}\n", NULL);
	run_until(1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	append("{\"n\":\"0123456789012345678901234567890123456789\"}\n", NULL);
	run_until(2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(w.n_failed, 1);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_size, 8);
	append("{\"n\":3}\n", NULL);
	run_until(3);
	assert_int_equal(w.n_failed, 1);
	journal_close(&w.journal);
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 2);
}

static void test_closing_ends_every_append(void **state)
{
	struct err err;

	(void)state;
	test_ok(open_journal(&err), &err);
	for (int i = 0; i < 5; i++)
		append("{\"n\":1}\n", NULL);
	journal_close(&w.journal);
	assert_int_equal(w.n_done, 5);
	assert_int_equal(w.n_failed, 4);
	test_ok(open_journal(&err), &err);
	assert_int_equal(w.n_lines, 1);
}

static void test_a_place_that_cannot_be_is_named(void **state)
{
	struct err err;

	(void)state;
	snprintf(w.path, sizeof w.path, "%s/none/x", w.dir.path);
	assert_int_equal(open_journal(&err), -1);
	test_err_says(&err, "none");
	snprintf(w.path, sizeof w.path, "%s", w.dir.path);
	assert_int_equal(open_journal(&err), -1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lines_are_there_after_a_restart_in_order),
		TEST(test_a_torn_last_line_is_cut_off),
		TEST(test_broken_lines_are_skipped),
		TEST(test_a_second_proxy_is_refused),
		TEST(test_history_is_compacted),
		TEST(test_the_end_leaves_a_snapshot),
		TEST(test_a_failed_write_is_told_and_leaves_no_trace),
		TEST(test_closing_ends_every_append),
		TEST(test_a_place_that_cannot_be_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
