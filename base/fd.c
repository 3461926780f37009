/*
 * Descriptors and files: see fd.h. The sockets are in sock.c.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/rand.h"
#include "base/str.h"

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -1;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag);
}

int fd_set_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

/* As err_sys, with the codes that callers tell apart. */
static int fail_sys(struct err *err, const char *what, const char *path)
{
	(void)err_sys(err, "%s %s", what, path);
	if (err == NULL)
		return -1;
	if (errno == ENOENT)
		err->code = ERR_NOT_FOUND;
	if (errno == EACCES || errno == EPERM)
		err->code = ERR_DENIED;
	return -1;
}

int fd_read_all(
    int fd, size_t max, char **out, size_t *len_out, struct err *err)
{
	/* One byte more than allowed, to see that there is more. */
	size_t limit = max < SIZE_MAX - 1 ? max + 1 : max;
	struct buf b;

	buf_init(&b, limit);
	while (b.len < limit) {
		size_t room = limit - b.len < 16384 ? limit - b.len : 16384;
		char *at = buf_reserve(&b, room);
		ssize_t n = read(fd, at, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			buf_fini(&b);
			return err_sys(err, "read");
		}
		if (n == 0)
			break;
		buf_commit(&b, (size_t)n);
	}
	if (b.len > max) {
		buf_fini(&b);
		return err_set(err, ERR_LIMIT,
		    "it is larger than the %zu bytes that are allowed", max);
	}
	*len_out = b.len;
	*out = buf_steal(&b);
	return 0;
}

int file_read_all(
    const char *path, size_t max, char **out, size_t *len_out, struct err *err)
{
	/* Not blocking: a FIFO at this path must not hang the program. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	if (fd < 0)
		return fail_sys(err, "open", path);
	rc = fd_read_all(fd, max, out, len_out, err);
	fd_close(&fd);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

static int write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int write_new(
    int dir_fd, const char *name, const void *p, size_t n, mode_t mode)
{
	int fd = openat(dir_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -1;
	rc = write_all(fd, p, n);
	if (rc == 0)
		rc = fchmod(fd, mode);
	if (rc == 0)
		rc = fdatasync(fd);
	fd_close(&fd);
	return rc;
}

static int sync_dir(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	fd_close(&fd);
	return rc;
}

int file_replace(int dir_fd, const char *name, const void *p, size_t n,
    mode_t mode, struct err *err)
{
	char temp[64], digits[17];

	if (name[0] == '\0' || strchr(name, '/') != NULL)
		return err_set(
		    err, ERR_INVALID, "\"%s\" is no plain file name", name);
	rand_hex(digits, 16);
	if (str_format(temp, sizeof temp, ".new-%s", digits) < 0)
		return err_set(err, ERR_INTERNAL, "temporary file name");
	if (write_new(dir_fd, temp, p, n, mode) < 0) {
		(void)fail_sys(err, "write beside", name);
	} else if (renameat(dir_fd, temp, dir_fd, name) < 0) {
		(void)fail_sys(err, "replace", name);
	} else {
		if (sync_dir(dir_fd) < 0)
			return fail_sys(err, "sync the directory of", name);
		return 0;
	}
	(void)unlinkat(dir_fd, temp, 0);
	return -1;
}

/* One directory; `mode` holds for one made here, whatever the umask is. */
static int make_one(const char *path, mode_t mode)
{
	struct stat st;
	int fd, rc;

	if (mkdir(path, mode & 0700) < 0) {
		if (errno != EEXIST || stat(path, &st) < 0)
			return -1;
		errno = ENOTDIR;
		return S_ISDIR(st.st_mode) ? 0 : -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fchmod(fd, mode);
	fd_close(&fd);
	return rc;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];

	if (path[0] == '\0' || str_copy(part, sizeof part, path) < 0)
		return err_set(err, ERR_INVALID,
		    "a directory name is empty or longer than %d bytes",
		    PATH_MAX - 1);
	for (size_t end = strlen(part); end > 1 && part[end - 1] == '/';)
		part[--end] = '\0';
	for (char *c = part + 1; *c != '\0'; c++) {
		int rc;

		if (*c != '/' || c[-1] == '/')
			continue;
		*c = '\0';
		rc = make_one(part, 0755);
		if (rc < 0)
			return fail_sys(err, "make directory", part);
		*c = '/';
	}
	if (make_one(part, mode) < 0)
		return fail_sys(err, "make directory", part);
	return 0;
}
