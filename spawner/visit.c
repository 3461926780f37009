/*
 * See visit.h.
 */
#include "spawner/visit.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "spawner/account.h"
#include "spawner/create.h"

#define MARK_MAX 64 /* bytes of its name, and of what is in it */

/* No name of a server's directory begins with a dot. */
static int mark_name(const char *account, char out[MARK_MAX], struct err *err)
{
	if (!create_name_ok(account) ||
	    str_format(out, MARK_MAX, ".made-%s", account) != 0)
		return err_set(err, ERR_INVALID,
		    "%.64s is no name of an account that was made here",
		    account);
	return 0;
}

int visit_mark(int servers_fd, const char *account, uid_t uid, struct err *err)
{
	char name[MARK_MAX], text[MARK_MAX];
	int fd, rc = 0;

	if (mark_name(account, name, err) != 0)
		return -1;
	fd = openat(servers_fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "note that %.64s was made", account);
	int n = snprintf(text, sizeof text, "%ju\n", (uintmax_t)uid);
	if (write(fd, text, (size_t)n) != n)
		rc = err_sys(err, "note that %.64s was made", account);
	fd_close(&fd);
	return rc;
}

int visit_join(
    int servers_fd, const char *account, int *fd_out, struct err *err)
{
	char name[MARK_MAX];

	*fd_out = -1;
	if (!create_name_ok(account))
		return 0;
	if (mark_name(account, name, err) != 0)
		return -1;
	*fd_out = openat(servers_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd_out < 0)
		return errno == ENOENT
			   ? 0
			   : err_sys(err, "open the mark of %.64s", account);
	if (flock(*fd_out, LOCK_SH) == 0)
		return 0;
	(void)err_sys(err, "lock the mark of %.64s", account);
	fd_close(fd_out);
	return -1;
}

/* ---- the end ------------------------------------------------------------- */

/* The uid that was noted; root's own word. */
static int read_mark(int fd, int64_t *out, struct err *err)
{
	char text[MARK_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return err_sys(err, "look at a mark");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return err_set(err, ERR_DENIED, "a mark is somebody else's");
	n = pread(fd, text, sizeof text - 1, 0);
	if (n <= 0)
		return err_sys(err, "read a mark");
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return num_range(text, 1, UINT32_MAX - 1, out, err);
}

/* A process that was left would belong to whoever gets the uid next. */
static int has_process(uid_t uid, struct err *err)
{
	DIR *dir = opendir("/proc");
	int found = 0;
	struct dirent *e;

	if (!dir)
		return err_sys(err, "look for processes");
	while (!found && (e = readdir(dir)) != NULL) {
		struct stat st;

		found = isdigit((unsigned char)e->d_name[0]) &&
			fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
			st.st_uid == uid;
	}
	closedir(dir);
	return found;
}

/* 1: it is the account that was made, and nobody's any more. */
static int may_go(int fd, const char *account, int64_t min_uid, struct err *err)
{
	struct account found;
	struct arena a;
	int64_t uid;
	int rc;

	if (read_mark(fd, &uid, err) != 0)
		return -1;
	arena_init(&a);
	rc = account_find(&a, account, &found, err);
	arena_fini(&a);
	if (rc <= 0)
		return rc;
	if ((int64_t)found.uid != uid || uid < min_uid)
		return 0;
	rc = has_process(found.uid, err);
	if (rc > 0)
		return err_set(err, ERR_BUSY,
		    "a process of %.64s is left that does not end", account);
	return rc == 0 ? 1 : -1;
}

int visit_leave(int servers_fd, int *fd, const char *account,
    const struct conf_strings *command, int64_t min_uid, struct err *err)
{
	char name[MARK_MAX];
	int rc = 0;

	if (*fd < 0)
		return 0;
	if (mark_name(account, name, err) != 0)
		rc = -1;
	else if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		rc = may_go(*fd, account, min_uid, err);
	else if (errno != EWOULDBLOCK)
		rc = err_sys(err, "lock the mark of %.64s", account);
	if (rc == 1 && account_run(command, account, "removed", err) != 0)
		rc = -1;
	if (rc == 1 && unlinkat(servers_fd, name, 0) != 0)
		rc = err_sys(err, "forget that %.64s was made", account);
	fd_close(fd);
	return rc;
}
