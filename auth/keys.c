/*
 * Secret keys: see keys.h.
 */
#include "auth/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

/* Whoever reads a key can make the tokens that it makes. */
static int check_file(
    int fd, const char *dir, const char *name, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "key %s/%s: stat", dir, name);
	if (!S_ISREG(st.st_mode) || st.st_size != KEY_LEN)
		return err_set(err, ERR_INVALID,
		    "key %s/%s is not a file of %d bytes; restore it, or "
		    "remove it: a new one is made and everybody logs in again",
		    dir, name, KEY_LEN);
	if ((st.st_mode & 077) != 0 || st.st_uid != geteuid())
		return err_set(err, ERR_INVALID,
		    "key %s/%s may be read by others; remove it: a new one is "
		    "made and everybody logs in again",
		    dir, name);
	return 0;
}

static int read_key(int fd, const char *dir, const char *name,
    unsigned char out[KEY_LEN], struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	if (check_file(fd, dir, name, err) < 0)
		return -1;
	if (fd_read_all(fd, KEY_LEN, &text, &len, err) < 0)
		return err_wrap(err, "key %s/%s", dir, name);
	if (len == KEY_LEN)
		memcpy(out, text, KEY_LEN);
	else
		rc = err_set(err, ERR_IO, "key %s/%s changed while it was read",
		    dir, name);
	mem_wipe(text, len);
	free(text);
	return rc;
}

static int make_key(int dir_fd, const char *dir, const char *name,
    unsigned char out[KEY_LEN], struct err *err)
{
	rand_bytes(out, KEY_LEN);
	if (file_replace(dir_fd, name, out, KEY_LEN, 0600, err) < 0)
		return err_wrap(err, "key %s/%s", dir, name);
	log_info(NULL, "key made", "file=%s/%s", dir, name);
	return 0;
}

static int load_key(int dir_fd, const char *dir, const char *name,
    unsigned char out[KEY_LEN], struct err *err)
{
	int fd = openat(
	    dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc;

	if (fd < 0 && errno == ENOENT)
		return make_key(dir_fd, dir, name, out, err);
	if (fd < 0)
		return err_sys(err, "key %s/%s: open", dir, name);
	rc = read_key(fd, dir, name, out, err);
	fd_close(&fd);
	return rc;
}

int keys_load(const char *dir, struct keys *out, struct err *err)
{
	int fd, rc;

	if (dir_make(dir, 0700, err) < 0)
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "directory of keys %s: open", dir);
	rc = load_key(fd, dir, "xsrf.key", out->xsrf, err);
	if (rc == 0)
		rc = load_key(fd, dir, "origin.key", out->origin, err);
	fd_close(&fd);
	return rc;
}

void keys_wipe(struct keys *k)
{
	mem_wipe(k, sizeof *k);
}
