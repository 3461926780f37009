/*
 * See tls_files.h.
 */
#include "spawner/tls_files.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* The directory's own files stay 0600 and their keeper's; names alone may be
 * looked up, by whoever knows the key of the start. */
#define DIR_MODE  0711
#define FILE_MODE 0400

static const struct {
	const char *name, *variable;
} files[] = {
	{ "tls.key", "JUPYTERHUB_SSL_KEYFILE" },
	{ "tls.crt", "JUPYTERHUB_SSL_CERTFILE" },
	{ "tls.ca", "JUPYTERHUB_SSL_CLIENT_CA" },
};
#define N_FILES (sizeof files / sizeof *files)

static int find_dir(int dir_fd, char *out, size_t cap, struct err *err)
{
	char link[64];
	ssize_t n = -1;

	if (str_format(link, sizeof link, "/proc/self/fd/%d", dir_fd) == 0)
		n = readlink(link, out, cap);
	if (n < 0)
		return err_sys(err, "find the server's directory");
	if ((size_t)n == cap)
		return err_set(err, ERR_LIMIT,
		    "the path of the server's directory is too long");
	out[n] = '\0';
	return 0;
}

static int write_one(const struct plan *plan, int dir_fd, const char *name,
    const char *text, struct err *err)
{
	if (file_replace(dir_fd, name, text, strlen(text), FILE_MODE, err) != 0)
		return -1;
	if (plan->switches_ids && fchownat(dir_fd, name, plan->uid, plan->gid,
				      AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(err, "give %s to %.64s", name, plan->user);
	return 0;
}

int tls_files_write(
    struct job *job, struct plan *plan, int dir_fd, struct err *err)
{
	const char *const texts[] = { job->tls.key, job->tls.certificate,
		job->tls.authority };
	char dir[PATH_MAX];

	if (!job->tls.key)
		return 0;
	if (find_dir(dir_fd, dir, sizeof dir, err) != 0)
		return -1;
	for (size_t i = 0; i < N_FILES; i++) {
		if (write_one(plan, dir_fd, files[i].name, texts[i], err) != 0)
			return -1;
		plan_env_set(plan, files[i].variable,
		    arena_printf(&job->arena, "%s/%s", dir, files[i].name));
	}
	if (plan->switches_ids && fchmod(dir_fd, DIR_MODE) != 0)
		return err_sys(err, "open the server's directory");
	return 0;
}

void tls_files_remove(int dir_fd)
{
	for (size_t i = 0; i < N_FILES; i++)
		(void)unlinkat(dir_fd, files[i].name, 0);
}
