/*
 * A hub on a disk that fails: each read, write, sync and truncation of SQLite
 * fails once in turn while a request is answered. The hub lives, the answer is
 * the usual one or a clear 5xx, what was refused left nothing behind, and the
 * next try works. Included by each test program as a whole, which says how a
 * deed is asked for and what a refusal looks like.
 */
#include "web_fixture.c"

#include "base/fd.h"
#include "db/db_priv.h"
#include "faulty_vfs.c"

#define CALLS_MAX 400

static struct test_dir disk;
static char *people; /* a database */
static size_t people_len;
static char file[128];
static uint64_t dice = 1;

struct deed {
	const char *method, *path, *body;
	int status;
	bool is_slow; /* answered when its patience is over */
};

/* Of the program that includes this. */
static struct call deed_begin(const struct deed *d);
static void assert_refusal(const struct answer *a);
/* What is there beside the file, in each new hub. */
static void hub_complete(void);

static struct answer *do_it(const struct deed *d)
{
	/* What is written is the same in every round. */
	rand_seed_simulation(dice);
	struct call c = deed_begin(d);

	if (d->is_slow && call_waits(&c))
		advance(10001);
	return call_end(&c);
}

/* ---- what is in the file ---------------------------------------------------
 */

static int add_line(void *arg, int n, char **values, char **names)
{
	struct buf *b = arg;

	(void)names;
	for (int i = 0; i < n; i++)
		buf_printf(b, "%s|", values[i] ? values[i] : "NULL");
	buf_str(b, "\n");
	return 0;
}

static void query(struct buf *b, const char *sql)
{
	char *why = NULL;

	if (sqlite3_exec(app.db->h, sql, add_line, b, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

/*
 * What any start that fails leaves: the record of its server, at rest, why it
 * failed, and that the person did something.
 */
static const char *const left_by_starts[] = { "server", "server_failure",
	"sqlite_sequence", "user" };

static bool is_left_by_starts(const char *table)
{
	for (size_t i = 0; i < sizeof left_by_starts / sizeof *left_by_starts;
	     i++)
		if (str_eq(table, left_by_starts[i]))
			return true;
	return false;
}

/* Every row of every table; for starts, but for those above. */
static char *rows(const struct deed *d)
{
	struct buf names, out;
	char *text, *line, *rest;

	buf_init(&names, 65536);
	buf_init(&out, (size_t)1 << 20);
	query(&names, "SELECT name FROM sqlite_master WHERE type = 'table'");
	text = buf_steal(&names);
	for (line = strtok_r(text, "|\n", &rest); line;
	     line = strtok_r(NULL, "|\n", &rest)) {
		char sql[256];

		if (d->is_slow && is_left_by_starts(line))
			continue;
		snprintf(
		    sql, sizeof sql, "SELECT '%s', * FROM \"%s\"", line, line);
		query(&out, sql);
	}
	free(text);
	text = buf_steal(&out);
	buf_fini(&names);
	buf_fini(&out);
	return text;
}

/* ---- a round ------------------------------------------------------------ */

static void open_hub(void)
{
	fixture_database = file;
	rand_seed_simulation(2);
	web_setup(NULL);
	/* The same in every hub: forms stay good. */
	memset(app.keys.xsrf, 7, sizeof app.keys.xsrf);
	app.cfg.allow_named_servers = true;
	hub_complete();
}

static void close_hub(void)
{
	web_teardown(NULL);
	fixture_database = ":memory:";
}

/* A file with the people in it, as it was when the tests began. */
static void start_afresh(void)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(people, 1, people_len, f), people_len);
	assert_int_equal(fclose(f), 0);
	open_hub();
}

static void finish(void)
{
	close_hub();
	assert_int_equal(unlink(file), 0);
}

static bool is_now(const struct deed *d, const char *wanted)
{
	char *now = rows(d);
	bool is_so = strcmp(now, wanted) == 0;

	free(now);
	return is_so;
}

static void fail_round(const struct deed *d, const struct answer *a, int at)
{
	fail_msg("%s %s, failing call %d: answered\n%s\nand left:\n%s",
	    d->method, d->path, at, a->text, rows(d));
}

enum result { UNDONE, DONE, DONE_WITHOUT_FAULT };

/* Whole or nothing. A change whose answer could not be made is there. */
static enum result check(const struct deed *d, const struct answer *a,
    const char *before, const char *whole, int at)
{
	bool is_refused = a->status != d->status;

	if (is_refused) {
		assert_refusal(a);
		if (a->status < 500 || n_calls < at)
			fail_round(d, a, at);
		if (is_now(d, before))
			return UNDONE;
	}
	/* A start fails after its answer, too: then it says so when asked. */
	if (d->is_slow && n_calls >= at && is_now(d, before))
		return UNDONE;
	if (!is_now(d, whole))
		fail_round(d, a, at);
	return n_calls >= at ? DONE : DONE_WITHOUT_FAULT;
}

static struct answer *do_with_fault(const struct deed *d, int at)
{
	struct answer *a;

	sqlite3_db_release_memory(app.db->h);
	n_calls = 0;
	fail_at = at;
	a = do_it(d);
	fail_at = 0;
	return a;
}

/* What the deed leaves when nothing fails. */
static char *done_whole(const struct deed *d)
{
	char *whole;

	start_afresh();
	assert_answer(do_it(d), d->status, NULL);
	whole = rows(d);
	finish();
	return whole;
}

/* How many faults were met. */
static int try_all(const struct deed *d)
{
	char *whole = done_whole(d), *before;
	enum result result = UNDONE;
	int at = 1;

	start_afresh();
	before = rows(d);
	for (; result != DONE_WITHOUT_FAULT; at++) {
		assert_in_range(at, 1, CALLS_MAX);
		result = check(d, do_with_fault(d, at), before, whole, at);
		assert_int_equal(n_bugs, 0);
		/* A start that failed has used up the ids of its rows. */
		if (result == DONE_WITHOUT_FAULT ||
		    (result == UNDONE && !d->is_slow))
			continue;
		finish();
		start_afresh();
	}
	finish();
	free(before);
	free(whole);
	return at - 2;
}

/* How many faults were met by all of them. */
static int try_each(const struct deed *deeds, size_t n_deeds)
{
	int n_reached = 0;

	for (size_t i = 0; i < n_deeds; i++) {
		int n = try_all(&deeds[i]);

		print_message("%s %s: %d\n", deeds[i].method, deeds[i].path, n);
		assert_true(n > 0);
		n_reached += n;
	}
	return n_reached;
}

/* ---- what is there at first ------------------------------------------------
 */

static void disk_make(void)
{
	faulty_register();
	/* In memory: a real disk would take its time for each sync. */
	snprintf(disk.path, sizeof disk.path, "/dev/shm/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(disk.path));
	assert_int_equal(
	    str_format(file, sizeof file, "%s/carrel.sqlite", disk.path), 0);
}

static void people_keep(void (*make)(void))
{
	struct err err = { .code = ERR_NONE };

	open_hub();
	make();
	close_hub();
	free(people);
	test_ok(
	    file_read_all(file, (size_t)16 << 20, &people, &people_len, &err),
	    &err);
}

static int remove_people(void **state)
{
	(void)state;
	free(people);
	test_dir_remove(&disk);
	return 0;
}
