/*
 * Opening and closing the database, its errors, transactions: see db.h.
 */
#include "db/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db_priv.h"

/* The flavours of Windows shares; linux/magic.h knows the oldest only. */
#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42
#define CEPH_MAGIC 0x00c36400

/* How long a start waits for the hub before it to let go of the file. */
#define LOCK_TRIES   30
#define LOCK_WAIT_MS 50

/* ---- errors ---- */

static enum err_code constraint_code(int rc)
{
	switch (rc) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return ERR_EXISTS;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return ERR_NOT_FOUND;
	default:
		return ERR_INVALID;
	}
}

static int io_error(
    sqlite3 *h, const char *path, const char *what, struct err *err)
{
	int no = h != NULL ? sqlite3_system_errno(h) : 0;

	(void)err_set(err, ERR_IO,
	    "database %s (%s): the disk refused: %s; look at the disk and the "
	    "kernel's log",
	    path, what, no != 0 ? strerror(no) : "input/output error");
	if (err != NULL)
		err->sys_errno = no;
	return -1;
}

int db_error(
    sqlite3 *h, const char *path, int rc, const char *what, struct err *err)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return err_set(err, constraint_code(rc), "database %s: %s",
		    what, h != NULL ? sqlite3_errmsg(h) : "a rule is broken");
	case SQLITE_FULL:
		return err_set(err, ERR_IO,
		    "database %s (%s): no space left on its disk; nothing was "
		    "changed, make room there",
		    path, what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(err, ERR_BUSY,
		    "database %s is locked by another program; end it (is "
		    "sqlite3 open on it?)",
		    path);
	case SQLITE_NOTADB:
		return err_set(err, ERR_INVALID,
		    "%s is not an SQLite database; name another file, or move "
		    "this one away",
		    path);
	case SQLITE_CORRUPT:
		return err_set(err, ERR_IO,
		    "database %s (%s) is damaged: %s; restore a copy", path,
		    what, h != NULL ? sqlite3_errmsg(h) : "bad page");
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return io_error(h, path, what, err);
	default:
		return err_set(err, ERR_INTERNAL, "database %s (%s): %s", path,
		    what, h != NULL ? sqlite3_errmsg(h) : sqlite3_errstr(rc));
	}
}

int db_exec(sqlite3 *h, const char *path, const char *sql, struct err *err)
{
	int rc = sqlite3_exec(h, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(h, path, rc, "statement", err);
}

int db_number(sqlite3 *h, const char *path, const char *sql, int64_t *out,
    struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(h, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	else
		(void)db_error(h, path, rc, "read", err);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

/* ---- the file ---- */

static const char *network_name(const struct statfs *fs)
{
	switch ((uint32_t)fs->f_type) {
	case NFS_SUPER_MAGIC:
		return "NFS";
	case SMB_SUPER_MAGIC:
	case CIFS_MAGIC:
	case SMB2_MAGIC:
		return "SMB (CIFS)";
	case V9FS_MAGIC:
		return "9p";
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
		return "AFS";
	case CODA_SUPER_MAGIC:
		return "Coda";
	case NCP_SUPER_MAGIC:
		return "NCP";
	case CEPH_MAGIC:
		return "CephFS";
	default:
		return NULL;
	}
}

/* The log's index is memory shared between descriptors: over a network it is
 * not shared, and locks there fail in silence. */
static int check_file_system(int fd, const char *path, struct err *err)
{
	struct statfs fs;
	const char *name;

	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "database %s: statfs", path);
	name = network_name(&fs);
	if (name == NULL)
		return 0;
	return err_set(err, ERR_INVALID,
	    "database %s lies on a network file system (%s), where SQLite's "
	    "log loses data; put the state directory on a local disk",
	    path, name);
}

/* One hub per file: a second one would overwrite what the first knows. */
static int lock_file(int fd, const char *path, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_WAIT_MS * 1000000L };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "database %s: flock", path);
		nanosleep(&pause, NULL);
	}
	return err_set(err, ERR_BUSY,
	    "database %s is in use by another Carrel hub; stop that one first",
	    path);
}

/* Mode 0600 whatever the umask says; SQLite gives the log the same. */
static int check_mode(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "database %s: stat", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID,
		    "database %s is not an ordinary file", path);
	if ((st.st_mode & 0777) == 0600)
		return 0;
	if (fchmod(fd, 0600) < 0)
		return err_sys(err,
		    "database %s may be read by others and cannot be closed "
		    "to them: chmod",
		    path);
	return 0;
}

/* Makes the file if need be. */
static int open_file(const char *path, int *fd_out, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_INVALID,
		    "database %s is a symbolic link; name the file itself",
		    path);
	if (fd < 0)
		return err_sys(err, "database %s: open", path);
	if (check_file_system(fd, path, err) < 0 ||
	    lock_file(fd, path, err) < 0 || check_mode(fd, path, err) < 0) {
		fd_close(&fd);
		return -1;
	}
	*fd_out = fd;
	return 0;
}

/* ---- open and close ---- */

static int open_sqlite(struct db *db, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	int rc;

	if (db->in_memory)
		flags |= SQLITE_OPEN_CREATE;
	rc = sqlite3_open_v2(db->path, &db->h, flags, NULL);
	if (rc != SQLITE_OK)
		return db_error(db->h, db->path, rc, "open", err);
	sqlite3_extended_result_codes(db->h, 1);
	sqlite3_busy_timeout(db->h, DB_BUSY_MS);
	return db_exec(db->h, db->path,
	    "PRAGMA cell_size_check = ON;"
	    "PRAGMA temp_store = MEMORY;",
	    err);
}

/* After the migration, which wants other settings. */
static int set_up(struct db *db, struct err *err)
{
	if (db_exec(db->h, db->path,
		"PRAGMA journal_mode = WAL;"
		"PRAGMA synchronous = NORMAL;"
		"PRAGMA wal_autocheckpoint = 0;"
		"PRAGMA foreign_keys = ON;",
		err) < 0)
		return -1;
	return db_durable_open(db, err);
}

static int open_all(struct db *db, const struct schema *schema, struct err *err)
{
	if (!db->in_memory && open_file(db->path, &db->lock_fd, err) < 0)
		return -1;
	if (open_sqlite(db, err) < 0 ||
	    db_migrate(db->h, db->path, schema, err) < 0 ||
	    db_verify(db->h, db->path, schema, err) < 0)
		return -1;
	return set_up(db, err);
}

struct db *db_open_schema(const char *path, struct loop *l, struct offload *o,
    const struct schema *schema, struct err *err)
{
	struct db *db = xcalloc(1, sizeof *db);

	db->path = xstrdup(path);
	db->in_memory = strcmp(path, ":memory:") == 0;
	db->loop = l;
	db->offload = o;
	db->lock_fd = db->wal_fd = -1;
	list_init(&db->waiters);
	if (open_all(db, schema, err) < 0)
		db_close(&db);
	return db;
}

struct db *db_open(
    const char *path, struct loop *l, struct offload *o, struct err *err)
{
	return db_open_schema(path, l, o, &db_schema, err);
}

void db_close(struct db **dbp)
{
	struct db *db = *dbp;

	if (db == NULL)
		return;
	*dbp = NULL;
	assert(db->depth == 0 && db->n_walking == 0);
	db_read_end(db);
	db_durable_close(db);
	db_statements_close(db);
	for (size_t i = 0; i < N_WORDS; i++)
		sqlite3_finalize(db->words[i]);
	if (sqlite3_close(db->h) != SQLITE_OK)
		log_error(NULL, "database not closed in order", "file=%s: %s",
		    db->path, sqlite3_errmsg(db->h));
	/* Last: closing any descriptor of the file ends SQLite's locks. */
	fd_close(&db->lock_fd);
	free(db->path);
	free(db);
}

/* ---- transactions ---- */

bool db_is_lost(const struct db *db)
{
	return db->depth > 0 && sqlite3_get_autocommit(db->h) != 0;
}

int db_lost_error(const struct db *db, struct err *err)
{
	return err_set(err, ERR_IO,
	    "database %s: the transaction was undone after an error", db->path);
}

static int run_word(struct db *db, enum db_word word, struct err *err)
{
	static const char *const texts[N_WORDS] = {
		[WORD_READ] = "BEGIN",
		[WORD_WRITE] = "BEGIN IMMEDIATE",
		[WORD_COMMIT] = "COMMIT",
		[WORD_SAVE] = "SAVEPOINT s",
		[WORD_RELEASE] = "RELEASE s",
	};
	sqlite3_stmt **st = &db->words[word];
	int rc = SQLITE_OK;

	if (*st == NULL)
		rc = sqlite3_prepare_v3(db->h, texts[word], -1,
		    SQLITE_PREPARE_PERSISTENT, st, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(*st);
		sqlite3_reset(*st);
	}
	if (rc == SQLITE_DONE)
		return 0;
	return db_error(db->h, db->path, rc, "transaction", err);
}

static void at_turn_end(void *arg)
{
	db_read_end(arg);
}

void db_read_begin(struct db *db)
{
	if (db->is_reading || db->depth > 0 || db->loop == NULL ||
	    db->in_memory)
		return;
	/* Without it each statement reads for itself. */
	if (run_word(db, WORD_READ, NULL) < 0)
		return;
	db->is_reading = true;
	defer_call(db->loop, &db->turn_end, at_turn_end, db);
}

void db_read_end(struct db *db)
{
	struct err err = { 0 };

	if (!db->is_reading)
		return;
	db->is_reading = false;
	defer_cancel(&db->turn_end);
	if (run_word(db, WORD_COMMIT, NULL) < 0 &&
	    !sqlite3_get_autocommit(db->h) &&
	    db_exec(db->h, db->path, "ROLLBACK", &err) < 0)
		log_error(NULL, "database cannot end a read", "%s", err.text);
}

int db_begin(struct db *db, struct err *err)
{
	assert(db->n_walking == 0);
	db_read_end(db);
	if (db_is_lost(db))
		return db_lost_error(db, err);
	if (run_word(db, db->depth == 0 ? WORD_WRITE : WORD_SAVE, err) < 0)
		return -1;
	db->depth++;
	return 0;
}

static int commit(struct db *db, struct err *err)
{
	if (db_is_lost(db))
		return db_lost_error(db, err);
	return run_word(db, db->depth == 1 ? WORD_COMMIT : WORD_RELEASE, err);
}

int db_commit(struct db *db, struct err *err)
{
	assert(db->depth > 0);
	if (commit(db, err) < 0) {
		db_rollback(db);
		return -1;
	}
	db->depth--;
	return 0;
}

void db_rollback(struct db *db)
{
	const char *sql =
	    db->depth == 1 ? "ROLLBACK" : "ROLLBACK TO s; RELEASE s";
	struct err err = { 0 };

	if (db->depth == 0)
		return;
	if (!db_is_lost(db) && db_exec(db->h, db->path, sql, &err) < 0)
		log_error(NULL, "database cannot roll back", "%s", err.text);
	db->depth--;
}
