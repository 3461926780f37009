/*
 * See logring.h.
 */
#include "spawner/logring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_NOW    "log"
#define NAME_BEFORE "log.1"

static int open_now(struct logring *r)
{
	r->fd = openat(r->dir_fd, NAME_NOW,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return r->fd < 0 ? -1 : 0;
}

int logring_open(struct logring *r, int dir_fd, struct err *err)
{
	struct stat st;

	*r = (struct logring){ .dir_fd = dir_fd, .fd = -1 };
	if (open_now(r) != 0)
		return err_sys(err, "open the server's log");
	if (fstat(r->fd, &st) == 0)
		r->len = (size_t)st.st_size;
	return 0;
}

void logring_close(struct logring *r)
{
	fd_close(&r->fd);
}

static void turn_over(struct logring *r)
{
	fd_close(&r->fd);
	(void)renameat(r->dir_fd, NAME_NOW, r->dir_fd, NAME_BEFORE);
	r->len = 0;
	(void)open_now(r);
}

void logring_write(struct logring *r, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0 && r->fd >= 0) {
		size_t room = LOGRING_FILE_MAX - r->len;
		ssize_t done;

		if (r->len >= LOGRING_FILE_MAX) {
			turn_over(r);
			continue;
		}
		done = write(r->fd, at, n < room ? n : room);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		at += done;
		n -= (size_t)done;
		r->len += (size_t)done;
	}
}

void logring_note(struct logring *r, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, 1024);
	buf_str(&line, "carrel: ");
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_char(&line, '\n');
	logring_write(r, buf_view(&line), line.len);
	buf_fini(&line);
}

/* ---- the tail ------------------------------------------------------------ */

/* The length of a terminal sequence that begins at p[0] == ESC. */
static size_t escape_len(const char *p, size_t n)
{
	size_t i = 2;

	if (n < 2 || (p[1] != '[' && p[1] != ']'))
		return n < 2 ? 1 : 2;
	if (p[1] == ']') {
		while (i < n && p[i] != '\a' && p[i] != '\n')
			i++;
		return i < n && p[i] == '\a' ? i + 1 : i;
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x40)
		i++;
	return i < n ? i + 1 : n;
}

/* The length of the UTF-8 character at p, 0 when it is none. */
static size_t char_len(const char *p, size_t n)
{
	unsigned char c = (unsigned char)*p;
	size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return len <= n && utf8_valid(p, len) ? len : 0;
}

size_t logring_clean(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n;) {
		size_t len = char_len(p + i, n - i);
		unsigned char c = (unsigned char)p[i];

		if (c == 0x1b) {
			i += escape_len(p + i, n - i);
		} else if (c == '\r') {
			i++;
		} else if (len == 0 || c == 0x7f ||
			   (c < 0x20 && c != '\n' && c != '\t')) {
			p[out++] = '?';
			i++;
		} else {
			memmove(p + out, p + i, len);
			out += len;
			i += len;
		}
	}
	return out;
}

/* The last `want` bytes of one file into b. */
static void append_end(struct buf *b, int dir_fd, const char *name, size_t want)
{
	int fd = openat(
	    dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *at;
	ssize_t n;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && want > 0) {
		off_t from =
		    st.st_size > (off_t)want ? st.st_size - (off_t)want : 0;

		at = buf_reserve(b, want);
		n = at ? pread(fd, at, want, from) : -1;
		if (n > 0)
			buf_commit(b, (size_t)n);
	}
	fd_close(&fd);
}

char *logring_tail(int dir_fd)
{
	struct buf now, all;
	size_t skip = 0, len;
	char *text;

	buf_init(&now, LOGRING_TAIL_MAX + 1);
	buf_init(&all, 2 * LOGRING_TAIL_MAX);
	append_end(&now, dir_fd, NAME_NOW, LOGRING_TAIL_MAX);
	if (now.len < LOGRING_TAIL_MAX)
		append_end(
		    &all, dir_fd, NAME_BEFORE, LOGRING_TAIL_MAX - now.len);
	buf_append(&all, buf_view(&now), now.len);
	buf_fini(&now);
	/* Cut off at the front: begin with a whole line if there is one. */
	if (all.len >= LOGRING_TAIL_MAX) {
		const char *end = memchr(all.data, '\n', all.len);

		skip = end && end + 1 < all.data + all.len
			   ? (size_t)(end + 1 - all.data)
			   : 0;
	}
	buf_consume(&all, skip);
	len = all.data ? logring_clean(all.data, all.len) : 0;
	text = xstrndup(buf_view(&all), len);
	buf_fini(&all);
	return text;
}
