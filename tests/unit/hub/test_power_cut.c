/*
 * No answered write is lost to a power cut. A VFS of the test's own, and the
 * hub's sync of the log, write down in which order files were written, cut and
 * synced; answers are noted between. Then the power is cut after each of these
 * events: what was not synced is lost, or any part of it, and from what is left
 * the database is opened again. Every user whose creation was answered before
 * the cut is there.
 */
#include "web_fixture.c"

#include <sqlite3.h>

#include "base/fd.h"
#include "db/db_priv.h"

#define N_USERS    24
#define EVENTS_MAX 4000

enum event_kind { WRITE, TRUNCATE, SYNC, ANSWER };

struct event {
	enum event_kind kind;
	int file; /* ANSWER: how many answers */
	sqlite3_int64 at;
	int len;
	char *bytes;
};

/* ---- what happened --------------------------------------------------------
 */

enum { MAIN, WAL, N_FILES };

static struct event events[EVENTS_MAX];
static size_t n_events;
static struct test_dir disk;
static char file[128];

static struct event *note(enum event_kind kind, int which)
{
	struct event *e = &events[n_events];

	assert_in_range(n_events++, 0, EVENTS_MAX - 1);
	*e = (struct event){ .kind = kind, .file = which };
	return e;
}

static void note_write(int which, const void *p, int n, sqlite3_int64 at)
{
	struct event *e = note(WRITE, which);

	e->at = at;
	e->len = n;
	e->bytes = xmalloc((size_t)n);
	memcpy(e->bytes, p, (size_t)n);
}

/* ---- a VFS that notes ------------------------------------------------------
 */

static sqlite3_vfs *real_vfs, noting_vfs;
/* The real one's methods with four of ours, for each kind of file. */
static sqlite3_io_methods real_methods, methods[N_FILES];

static int n_write(
    int which, sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	note_write(which, p, n, at);
	return real_methods.xWrite(f, p, n, at);
}

static int main_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return n_write(MAIN, f, p, n, at);
}

static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return n_write(WAL, f, p, n, at);
}

static int main_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	note(TRUNCATE, MAIN)->at = size;
	return real_methods.xTruncate(f, size);
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	note(TRUNCATE, WAL)->at = size;
	return real_methods.xTruncate(f, size);
}

static int main_sync(sqlite3_file *f, int flags)
{
	(void)note(SYNC, MAIN);
	return real_methods.xSync(f, flags);
}

static int wal_sync(sqlite3_file *f, int flags)
{
	(void)note(SYNC, WAL);
	return real_methods.xSync(f, flags);
}

/* The real file, with our methods: nothing of it is mapped, so every change
 * comes through them. */
static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags,
    int *flags_out)
{
	int rc = real_vfs->xOpen(real_vfs, name, f, flags, flags_out);
	int which = flags & SQLITE_OPEN_WAL ? WAL : MAIN;

	(void)v;
	if (rc != SQLITE_OK ||
	    !(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
		return rc;
	real_methods = *f->pMethods;
	methods[which] = real_methods;
	methods[which].iVersion = 2;
	methods[which].xWrite = which == WAL ? wal_write : main_write;
	methods[which].xTruncate = which == WAL ? wal_truncate : main_truncate;
	methods[which].xSync = which == WAL ? wal_sync : main_sync;
	f->pMethods = &methods[which];
	return rc;
}

static void noting_begin(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	noting_vfs = *real_vfs;
	noting_vfs.zName = "noting";
	noting_vfs.pNext = NULL;
	noting_vfs.xOpen = v_open;
	assert_int_equal(sqlite3_vfs_register(&noting_vfs, 1), SQLITE_OK);
}

static void noting_end(void)
{
	assert_int_equal(sqlite3_vfs_unregister(&noting_vfs), SQLITE_OK);
}

/* ---- the hub ------------------------------------------------------------ */

static int noted_sync(int fd, void *arg)
{
	(void)arg;
	if (fdatasync(fd) != 0)
		return -1;
	(void)note(SYNC, WAL);
	return 0;
}

/* A control: says that it synced, and did not. */
static int lying_sync(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	return 0;
}

static void people_come(db_sync_fn *sync)
{
	const char *boss;
	int64_t id;
	struct err err = { .code = ERR_NONE };

	snprintf(disk.path, sizeof disk.path, "/dev/shm/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(disk.path));
	snprintf(file, sizeof file, "%s/carrel.sqlite", disk.path);
	fixture_database = file;
	noting_begin();
	web_setup(NULL);
	db_set_sync(app.db, sync, NULL);
	app.db->checkpoint_pages = 20;
	test_ok(user_create(app.db, "boss", true, T0_US, &id, &err), &err);
	boss = bearer(id, "[\"inherit\"]");
	for (int i = 1; i <= N_USERS; i++) {
		char path[64];
		snprintf(path, sizeof path, "/hub/api/users/user%d", i);
		assert_answer(request("POST", path, boss, ""), 201, NULL);
		(void)note(ANSWER, i);
	}
	web_teardown(NULL);
	noting_end();
	fixture_database = ":memory:";
}

/* ---- the power is cut -----------------------------------------------------
 */

struct image {
	char *bytes;
	size_t len, cap;
};

static void image_grow(struct image *m, size_t len)
{
	if (len > m->cap) {
		m->cap = len * 2;
		m->bytes = xreallocarray(m->bytes, m->cap, 1);
	}
	if (len > m->len) {
		memset(m->bytes + m->len, 0, len - m->len);
		m->len = len;
	}
}

static void image_apply(struct image *m, const struct event *e)
{
	if (e->kind == TRUNCATE) {
		if ((size_t)e->at < m->len)
			m->len = (size_t)e->at;
		return;
	}
	image_grow(m, (size_t)e->at + (size_t)e->len);
	memcpy(m->bytes + e->at, e->bytes, (size_t)e->len);
}

static bool has_later_sync(size_t i, size_t cut, int which)
{
	for (i++; i < cut; i++)
		if (events[i].kind == SYNC && events[i].file == which)
			return true;
	return false;
}

/* luck 0: nothing unsynced is kept; else each write by a throw of a coin. */
static void image_at(struct image *m, int which, size_t cut, unsigned luck)
{
	m->len = 0;
	for (size_t i = 0; i < cut; i++) {
		if (events[i].kind > TRUNCATE || events[i].file != which)
			continue;
		if (has_later_sync(i, cut, which) ||
		    (luck && rand_r(&luck) % 2 == 0))
			image_apply(m, &events[i]);
	}
}

static void image_save(const struct image *m, const char *name)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(m->bytes, 1, m->len, f), m->len);
	assert_int_equal(fclose(f), 0);
}

static int n_answered(size_t cut)
{
	while (cut-- > 0)
		if (events[cut].kind == ANSWER)
			return events[cut].file;
	return 0;
}

/* How many of the first n users are not there. */
static int count_lost(struct db *db, int n)
{
	struct arena a;
	int n_lost = 0;

	arena_init(&a);
	for (int i = 1; i <= n; i++) {
		struct user u;
		struct err err = { .code = ERR_NONE };
		char name[16];

		snprintf(name, sizeof name, "user%d", i);
		int found = user_find(db, &a, name, &u, &err);
		test_ok(found, &err);
		n_lost += found == 0;
	}
	arena_fini(&a);
	return n_lost;
}

static int lost_at(size_t cut, unsigned luck)
{
	static struct image m;
	struct test_dir left;
	struct err err = { .code = ERR_NONE };
	char name[128], wal[160];
	int n_lost;

	snprintf(left.path, sizeof left.path, "/dev/shm/carrel-test-XXXXXX");
	assert_non_null(mkdtemp(left.path));
	snprintf(name, sizeof name, "%s/carrel.sqlite", left.path);
	snprintf(wal, sizeof wal, "%s-wal", name);
	image_at(&m, MAIN, cut, luck);
	image_save(&m, name);
	image_at(&m, WAL, cut, luck);
	image_save(&m, wal);
	struct db *db = db_open(name, NULL, NULL, &err);
	if (!db)
		fail_msg("power cut after event %zu: %s", cut, err.text);
	n_lost = count_lost(db, n_answered(cut));
	db_close(&db);
	test_dir_remove(&left);
	return n_lost;
}

static size_t first_answer(void)
{
	size_t i = 0;

	while (events[i].kind != ANSWER)
		i++;
	return i + 1;
}

static void forget(void)
{
	for (size_t i = 0; i < n_events; i++)
		free(events[i].bytes);
	n_events = 0;
	test_dir_remove(&disk);
}

static void test_answered_writes_outlive_a_power_cut(void **state)
{
	(void)state;
	people_come(noted_sync);
	assert_in_range(n_events, 3 * N_USERS, EVENTS_MAX);
	for (size_t cut = first_answer(); cut <= n_events; cut++)
		for (unsigned luck = 0; luck < 3; luck++)
			if (lost_at(
				cut, luck ? luck * 1000 + (unsigned)cut : 0))
				fail_msg("a power cut after event %zu of %zu "
					 "lost what was answered",
				    cut, n_events);
	forget();
}

static void test_a_sync_that_lies_is_found_out(void **state)
{
	int n_lost = 0;

	(void)state;
	people_come(lying_sync);
	for (size_t cut = first_answer(); cut <= n_events; cut++)
		n_lost += lost_at(cut, 0);
	assert_true(n_lost > 0);
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered_writes_outlive_a_power_cut),
		cmocka_unit_test(test_a_sync_that_lies_is_found_out),
	};

	return cmocka_run_group_tests_name("hub/power_cut", tests, NULL, NULL);
}
