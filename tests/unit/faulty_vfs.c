/*
 * A disk for SQLite that fails on demand: a VFS around the real one, the
 * default once it is registered. Call number `fail_at` of those that read,
 * write, sync or truncate fails; 0: none does. Included by each test program as
 * a whole.
 */
#include <sqlite3.h>

static int n_calls, fail_at; /* fail_at 0: never */
static sqlite3_vfs *real_vfs;

static bool fails(void)
{
	n_calls++;
	return fail_at != 0 && n_calls == fail_at;
}

struct faulty {
	sqlite3_file base;
	sqlite3_file *real; /* right behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct faulty *)(void *)f)->real;
}

#define FORWARD(f, call, ...)                                                  \
	real_of(f)->pMethods->call(real_of(f), __VA_ARGS__)

static int f_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_READ : FORWARD(f, xRead, p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (!fails())
		return FORWARD(f, xWrite, p, n, at);
	/* Half of it arrives, as on a real disk. */
	(void)FORWARD(f, xWrite, p, n / 2, at);
	return n_calls % 2 == 0 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fails() ? SQLITE_IOERR_TRUNCATE : FORWARD(f, xTruncate, size);
}

static int f_sync(sqlite3_file *f, int flags)
{
	return fails() ? SQLITE_IOERR_FSYNC : FORWARD(f, xSync, flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return FORWARD(f, xFileSize, out);
}

static int f_lock(sqlite3_file *f, int level)
{
	return FORWARD(f, xLock, level);
}

static int f_unlock(sqlite3_file *f, int level)
{
	return FORWARD(f, xUnlock, level);
}

static int f_reserved(sqlite3_file *f, int *out)
{
	return FORWARD(f, xCheckReservedLock, out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return FORWARD(f, xFileControl, op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(
    sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return FORWARD(f, xShmMap, page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return FORWARD(f, xShmLock, at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove_it)
{
	return FORWARD(f, xShmUnmap, remove_it);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = f_close,
	.xRead = f_read,
	.xWrite = f_write,
	.xTruncate = f_truncate,
	.xSync = f_sync,
	.xFileSize = f_size,
	.xLock = f_lock,
	.xUnlock = f_unlock,
	.xCheckReservedLock = f_reserved,
	.xFileControl = f_control,
	.xSectorSize = f_sector,
	.xDeviceCharacteristics = f_traits,
	.xShmMap = f_shm_map,
	.xShmLock = f_shm_lock,
	.xShmBarrier = f_shm_barrier,
	.xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *file,
    int flags, int *flags_out)
{
	struct faulty *f = (struct faulty *)(void *)file;
	int rc;

	(void)v;
	memset(f, 0, sizeof *f);
	f->real = (sqlite3_file *)(void *)(f + 1);
	rc = real_vfs->xOpen(real_vfs, name, f->real, flags, flags_out);
	if (rc == SQLITE_OK)
		f->base.pMethods = &methods;
	return rc;
}

static sqlite3_vfs faulty_vfs;

static void faulty_register(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	faulty_vfs = *real_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.pNext = NULL;
	faulty_vfs.szOsFile = (int)sizeof(struct faulty) + real_vfs->szOsFile;
	faulty_vfs.xOpen = v_open;
	assert_int_equal(sqlite3_vfs_register(&faulty_vfs, 1), SQLITE_OK);
}
