/*
 * Bringing a file up to date. PRAGMA user_version is its version. A new file
 * gets the whole schema; an older one is copied beside itself
 * (carrel.sqlite.before-N) and then taken there by one migration a version, all
 * in one transaction: it is either where it was or where it should be.
 */
#include "db/schema.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db_priv.h"

/* The names of all tables, their columns and indexes; SQLite's own left out. */
#define OBJECTS                                                                \
	"SELECT m.type || ' ' || m.name || coalesce('.' || c.name, '')"        \
	" FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c"          \
	" ON m.type = 'table' WHERE m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"  \
	" ORDER BY 1"

static int set_version(
    sqlite3 *h, const char *path, int version, struct err *err)
{
	char sql[128];

	/* A pragma takes no bound values; both are our own numbers. */
	snprintf(sql, sizeof sql,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	    SCHEMA_APPLICATION_ID, version);
	return db_exec(h, path, sql, err);
}

/* ---- the copy ---- */

/* So that a rename, or a new file, outlives a power cut. */
static int sync_directory(const char *path, struct err *err)
{
	char *copy = xstrdup(path);
	const char *dir = dirname(copy);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_sys(err, "sync directory %s", dir);
	fd_close(&fd);
	free(copy);
	return rc;
}

static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

	if (b == NULL)
		return sqlite3_errcode(to);
	(void)sqlite3_backup_step(b, -1);
	return sqlite3_backup_finish(b);
}

static int copy_to(sqlite3 *h, const char *name, struct err *err)
{
	int fd = open(
	    name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	sqlite3 *to = NULL;
	int rc;

	if (fd < 0)
		return err_sys(err, "open %s", name);
	fd_close(&fd);
	rc = sqlite3_open_v2(name, &to, SQLITE_OPEN_READWRITE, NULL);
	if (rc == SQLITE_OK)
		rc = copy_pages(h, to);
	if (rc != SQLITE_OK)
		(void)db_error(to, name, rc, "copy", err);
	sqlite3_close(to);
	return rc == SQLITE_OK ? 0 : -1;
}

static int keep_copy(
    sqlite3 *h, const char *path, int64_t version, struct err *err)
{
	char *name = xasprintf("%s.before-%lld", path, (long long)version + 1);
	char *tmp = xasprintf("%s.tmp", name);
	int rc = copy_to(h, tmp, err);

	if (rc == 0 && rename(tmp, name) < 0)
		rc = err_sys(err, "rename %s", tmp);
	if (rc == 0)
		rc = sync_directory(name, err);
	if (rc == 0)
		log_info(NULL, "database copied before its migration",
		    "file=%s copy=%s", path, name);
	else
		unlink(tmp);
	free(tmp);
	free(name);
	return rc;
}

/* ---- new, older, newer ---- */

static int in_transaction(sqlite3 *h, const char *path,
    int (*fn)(sqlite3 *h, const char *path, const struct schema *schema,
	int64_t version, struct err *err),
    const struct schema *schema, int64_t version, struct err *err)
{
	if (db_exec(h, path, "BEGIN EXCLUSIVE", err) < 0)
		return -1;
	if (fn(h, path, schema, version, err) == 0 &&
	    set_version(h, path, schema->version, err) == 0 &&
	    db_exec(h, path, "COMMIT", err) == 0)
		return 0;
	(void)sqlite3_exec(h, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

static int create(sqlite3 *h, const char *path, const struct schema *schema,
    int64_t version, struct err *err)
{
	(void)version;
	return db_exec(h, path, schema->text, err);
}

static int check_references(sqlite3 *h, const char *path, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc =
	    sqlite3_prepare_v2(h, "PRAGMA foreign_key_check", -1, &st, NULL);
	int result = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		result = err_set(err, ERR_IO,
		    "database %s is damaged: row %lld of %s points to a row "
		    "of %s that is not there; restore a copy",
		    path, (long long)sqlite3_column_int64(st, 1),
		    sqlite3_column_text(st, 0), sqlite3_column_text(st, 2));
	else if (rc != SQLITE_DONE)
		result = db_error(h, path, rc, "check of references", err);
	sqlite3_finalize(st);
	return result;
}

static int upgrade(sqlite3 *h, const char *path, const struct schema *schema,
    int64_t version, struct err *err)
{
	const struct migration *m = schema->migrations;

	for (; m->version != 0; m++) {
		if (m->version <= version)
			continue;
		if (db_exec(h, path, m->text, err) < 0)
			return err_wrap(err, "migration %s", m->name);
	}
	return check_references(h, path, err);
}

/* Tables are made anew in migrations: references are checked at their end. */
static int migrate(sqlite3 *h, const char *path, const struct schema *schema,
    int64_t version, struct err *err)
{
	if (keep_copy(h, path, version, err) < 0)
		return err_wrap(err, "copy of the database before a migration");
	if (db_exec(h, path, "PRAGMA foreign_keys = OFF", err) < 0)
		return -1;
	if (in_transaction(h, path, upgrade, schema, version, err) < 0)
		return err_wrap(
		    err, "%s stays at version %lld", path, (long long)version);
	log_info(NULL, "database migrated", "file=%s from=%lld to=%d", path,
	    (long long)version, schema->version);
	return 0;
}

static int check_ours(const char *path, const struct schema *schema,
    int64_t application, int64_t version, struct err *err)
{
	if (application != SCHEMA_APPLICATION_ID || version < 1)
		return err_set(err, ERR_INVALID,
		    "%s is a database of another program; name another file, "
		    "or move this one away",
		    path);
	if (version > schema->version)
		return err_set(err, ERR_INVALID,
		    "database %s was made by a newer Carrel (version %lld, "
		    "this one knows %d); install that Carrel again, or restore "
		    "%s.before-%d",
		    path, (long long)version, schema->version, path,
		    schema->version + 1);
	return 0;
}

int db_migrate(
    sqlite3 *h, const char *path, const struct schema *schema, struct err *err)
{
	int64_t objects, application, version;

	if (db_number(h, path, "SELECT count(*) FROM sqlite_schema", &objects,
		err) < 0 ||
	    db_number(h, path, "PRAGMA application_id", &application, err) <
		0 ||
	    db_number(h, path, "PRAGMA user_version", &version, err) < 0)
		return -1;
	if (objects == 0 && application == 0 && version == 0)
		return in_transaction(h, path, create, schema, 0, err);
	if (check_ours(path, schema, application, version, err) < 0)
		return -1;
	if (version == schema->version)
		return 0;
	return migrate(h, path, schema, version, err);
}

/* ---- is it what we think ---- */

static const char *next_object(sqlite3_stmt *st, int *rc)
{
	*rc = sqlite3_step(st);
	return *rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0)
				 : NULL;
}

/* Both lists are sorted; more than wanted is no harm. */
static int compare(
    sqlite3_stmt *want, sqlite3_stmt *have, const char *path, struct err *err)
{
	int rc = SQLITE_OK;
	const char *w, *h = "";

	while ((w = next_object(want, &rc)) != NULL) {
		while (h != NULL && strcmp(h, w) < 0)
			h = next_object(have, &rc);
		if (h == NULL || strcmp(h, w) != 0)
			return err_set(err, ERR_IO,
			    "database %s is damaged: it has no %s; restore a "
			    "copy",
			    path, w);
	}
	return 0;
}

static int compare_schema(
    sqlite3 *h, sqlite3 *model, const char *path, struct err *err)
{
	sqlite3_stmt *want = NULL, *have = NULL;
	int rc, result;

	rc = sqlite3_prepare_v2(model, OBJECTS, -1, &want, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(h, OBJECTS, -1, &have, NULL);
	if (rc == SQLITE_OK)
		result = compare(want, have, path, err);
	else
		result = db_error(h, path, rc, "check of the schema", err);
	sqlite3_finalize(want);
	sqlite3_finalize(have);
	return result;
}

int db_verify(
    sqlite3 *h, const char *path, const struct schema *schema, struct err *err)
{
	sqlite3 *model = NULL;
	int result = -1;

	if (sqlite3_open(":memory:", &model) != SQLITE_OK)
		(void)err_set(err, ERR_INTERNAL, "no memory for a database");
	else if (db_exec(model, "schema.sql", schema->text, err) == 0)
		result = compare_schema(h, model, path, err);
	sqlite3_close(model);
	return result < 0 ? -1 : check_references(h, path, err);
}
