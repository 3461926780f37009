/*
 * See rotate.h.
 */
#include "base/rotate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

struct rotate {
	char *path;
	int fd;
	int64_t size_bytes, max_bytes;
	unsigned keep;
};

/* O_NOFOLLOW: the directory may be another account's. */
static int open_file(struct rotate *r, struct err *err)
{
	struct stat st;

	r->fd = open(r->path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
		O_NONBLOCK | O_NOCTTY,
	    0600);
	if (r->fd < 0)
		return err_sys(err, "open %s", r->path);
	if (fstat(r->fd, &st) != 0)
		return err_sys(err, "look at %s", r->path);
	if (!S_ISREG(st.st_mode))
		return err_set(
		    err, ERR_INVALID, "%s is not a plain file", r->path);
	r->size_bytes = st.st_size;
	return 0;
}

struct rotate *rotate_open(
    const char *path, int64_t max_bytes, unsigned keep, struct err *err)
{
	struct rotate *r;

	assert(max_bytes > 0 && keep < 100);
	if (path[0] != '/') {
		err_set(err, ERR_INVALID, "\"%s\" must begin with /", path);
		return NULL;
	}
	r = xcalloc(1, sizeof *r);
	r->path = xstrdup(path);
	r->max_bytes = max_bytes;
	r->keep = keep;
	if (open_file(r, err) != 0)
		rotate_close(&r);
	return r;
}

void rotate_close(struct rotate **rp)
{
	struct rotate *r = *rp;

	if (!r)
		return;
	fd_close(&r->fd);
	free(r->path);
	free(r);
	*rp = NULL;
}

/* "NAME.3"; "NAME" for 0. */
static int name_of(const struct rotate *r, unsigned i, char out[PATH_MAX])
{
	if (i == 0)
		return str_format(out, PATH_MAX, "%s", r->path);
	return str_format(out, PATH_MAX, "%s.%u", r->path, i);
}

static int shift(struct rotate *r, struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned i = r->keep; i > 0; i--) {
		if (name_of(r, i - 1, from) != 0 || name_of(r, i, to) != 0)
			return err_set(
			    err, ERR_INVALID, "%s: too long", r->path);
		if (rename(from, to) != 0 && errno != ENOENT)
			return err_sys(err, "rename %s to %s", from, to);
	}
	if (r->keep == 0 && unlink(r->path) != 0 && errno != ENOENT)
		return err_sys(err, "remove %s", r->path);
	return 0;
}

static int next_file(struct rotate *r, struct err *err)
{
	if (shift(r, err) != 0)
		return -1;
	fd_close(&r->fd);
	return open_file(r, err);
}

int rotate_write(
    struct rotate *r, const char *text, size_t len, struct err *err)
{
	ssize_t n;

	if (len > (size_t)r->max_bytes)
		return err_set(err, ERR_INVALID,
		    "a line of %zu bytes is longer than %s may be", len,
		    r->path);
	/* It could not be opened the last time: perhaps now. */
	if (r->fd < 0 && open_file(r, err) != 0)
		return -1;
	if (r->size_bytes + (int64_t)len > r->max_bytes &&
	    next_file(r, err) != 0)
		return -1;
	n = write(r->fd, text, len);
	if (n < 0)
		return err_sys(err, "write to %s", r->path);
	r->size_bytes += n;
	if ((size_t)n == len)
		return 0;
	/* The disk is full: half a line would spoil the next one. */
	if (ftruncate(r->fd, r->size_bytes - n) == 0)
		r->size_bytes -= n;
	return err_set(err, ERR_IO, "write to %s: no space left", r->path);
}
