/*
 * Places and system accounts, made when they are missing.
 */
#include "hub/cli/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/privs.h"
#include "base/rand.h"
#include "base/str.h"
#include "hub/places.h"

extern char **environ;

static int find_bin_dir(struct site *p, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", p->bin_dir, sizeof p->bin_dir);
	if (n < 0 || (size_t)n >= sizeof p->bin_dir)
		return err_sys(err, "find the directory of this program");
	p->bin_dir[n] = '\0';
	char *slash = strrchr(p->bin_dir, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

static int join(char *dst, const char *dir, const char *name, struct err *err)
{
	if (str_format(dst, PATH_MAX, "%s/%s", dir, name) < 0)
		return err_set(err, ERR_INVALID,
		    "the path of %s is too long; choose a shorter directory",
		    name);
	return 0;
}

/* Below the one directory that was named, or that an account has. */
static int find_below(struct site *p, const char *state_dir, struct err *err)
{
	if (join(p->hub_state_dir, state_dir, "hub", err) < 0 ||
	    join(p->proxy_state_dir, state_dir, "proxy", err) < 0)
		return -1;
	return join(p->token_file, state_dir, "proxy.token", err);
}

static int find_for_all(
    struct site *p, const char *run_dir, const char *state_dir, struct err *err)
{
	if (str_copy(p->run_dir, sizeof p->run_dir,
		run_dir ? run_dir : PLACES_SYSTEM_RUN) < 0)
		return err_set(err, ERR_INVALID, "--run-dir is too long");
	if (state_dir)
		return find_below(p, state_dir, err);
	if (str_copy(p->hub_state_dir, PATH_MAX, PLACES_SYSTEM_STATE) ||
	    str_copy(p->proxy_state_dir, PATH_MAX, PLACES_SYSTEM_PROXY_STATE) ||
	    str_copy(p->token_file, PATH_MAX, PLACES_SYSTEM_TOKEN))
		return err_set(err, ERR_INTERNAL, "a default is long");
	return 0;
}

/* Without a session the sockets are beside the state. */
static int find_for_one(struct site *p, struct arena *a, const char *run_dir,
    const char *state_dir, struct err *err)
{
	if (!state_dir)
		state_dir = places_own_state(a);
	if (!state_dir)
		return err_set(err, ERR_INVALID,
		    "this account has no home directory; name a place with "
		    "--state-dir");
	if (!run_dir)
		run_dir = places_own_run(a);
	if (!run_dir)
		run_dir = arena_printf(a, "%s/run", state_dir);
	if (str_copy(p->run_dir, sizeof p->run_dir, run_dir) < 0)
		return err_set(err, ERR_INVALID, "--run-dir is too long");
	return find_below(p, state_dir, err);
}

int site_find(
    struct site *p, const char *run_dir, const char *state_dir, struct err *err)
{
	struct arena a;
	int rc;

	memset(p, 0, sizeof *p);
	p->all_accounts = geteuid() == 0;
	if (find_bin_dir(p, err) < 0)
		return -1;
	if (p->all_accounts)
		return find_for_all(p, run_dir, state_dir, err);
	arena_init(&a);
	rc = find_for_one(p, &a, run_dir, state_dir, err);
	arena_fini(&a);
	return rc;
}

/* Run a program of the system and wait; its output goes to ours. */
static int run_program(const char *const argv[], struct err *err)
{
	pid_t pid;
	int status;
	char *copy[12] = { NULL };

	for (size_t i = 0; argv[i] && i < 11; i++)
		copy[i] = xstrdup(argv[i]);
	int rc = posix_spawnp(&pid, argv[0], NULL, NULL, copy, environ);
	for (size_t i = 0; i < 11; i++)
		free(copy[i]);
	if (rc != 0) {
		errno = rc;
		return err_sys(err, "run %s", argv[0]);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for %s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_IO, "%s failed (status %d)", argv[0],
		    WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}

static int make_account(const char *name, const char *group, uid_t *uid,
    gid_t *gid, struct err *err)
{
	if (privs_account(name, uid, gid, NULL) == 0)
		return 0;
	printf("carrel: making the system account %s (no password, no shell, "
	       "no home)\n",
	    name);
	fflush(stdout);
	const char *argv[] = { "useradd", "--system", "--user-group",
		"--no-create-home", "--home-dir", "/nonexistent", "--shell",
		"/usr/sbin/nologin", group ? "--groups" : name,
		group ? group : NULL, group ? name : NULL, NULL };
	if (run_program(argv, err) < 0)
		return err_wrap(err, "make the system account %s", name);
	return privs_account(name, uid, gid, err);
}

/* The hub reads the proxy's token and gives it hub.sock through this group. */
static int check_member(
    const char *name, gid_t own, gid_t wanted, struct err *err)
{
	gid_t groups[64];
	int n = 64;

	if (getgrouplist(name, own, groups, &n) < 0)
		n = 64;
	for (int i = 0; i < n; i++)
		if (groups[i] == wanted)
			return 0;
	printf("carrel: adding the account %s to the group %s\n", name,
	    SITE_PROXY_ACCOUNT);
	fflush(stdout);
	const char *argv[] = { "usermod", "--append", "--groups",
		SITE_PROXY_ACCOUNT, name, NULL };
	return run_program(argv, err);
}

/* A directory with exactly this owner and mode; a link in its place is refused
 * because root would follow it. */
static int own_dir(
    const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
	struct stat st;

	if (dir_make(path, mode, err) < 0)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open the directory %s", path);
	int rc = 0;
	if (fstat(fd, &st) < 0 ||
	    ((st.st_uid != uid || st.st_gid != gid) &&
		fchown(fd, uid, gid) < 0) ||
	    ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0))
		rc = err_sys(err, "set owner and mode of %s", path);
	close(fd);
	return rc;
}

static int make_token(const char *path, gid_t gid, mode_t mode, struct err *err)
{
	char dir[PATH_MAX], text[66];
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size > 0) {
		if (chown(path, (uid_t)-1, gid) < 0 || chmod(path, mode) < 0)
			return err_sys(err, "set the mode of %s", path);
		return 0;
	}
	if (str_copy(dir, sizeof dir, path) < 0)
		return err_set(err, ERR_INVALID, "%s is too long", path);
	char *name = strrchr(dir, '/');
	*name++ = '\0';
	if (dir_make(dir, 0755, err) < 0)
		return -1;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(err, "open the directory %s", dir);
	rand_hex(text, 64);
	text[64] = '\n';
	int rc = file_replace(dir_fd, name, text, 65, 0600, err);
	if (rc == 0 && (fchownat(dir_fd, name, (uid_t)-1, gid, 0) < 0 ||
			   fchmodat(dir_fd, name, mode, 0) < 0))
		rc = err_sys(err, "set the mode of %s", path);
	close(dir_fd);
	mem_wipe(text, sizeof text);
	return rc;
}

static int make_for_all(struct site *p, struct err *err)
{
	char servers[PATH_MAX];
	uid_t services_uid;
	gid_t services_gid;

	if (make_account(SITE_PROXY_ACCOUNT, NULL, &p->proxy_uid, &p->proxy_gid,
		err) < 0 ||
	    make_account(SITE_HUB_ACCOUNT, SITE_PROXY_ACCOUNT, &p->hub_uid,
		&p->hub_gid, err) < 0 ||
	    make_account(SITE_SERVICES_ACCOUNT, NULL, &services_uid,
		&services_gid, err) < 0 ||
	    check_member(SITE_HUB_ACCOUNT, p->hub_gid, p->proxy_gid, err) < 0)
		return -1;
	/* Sticky: the hub makes its socket here, but cannot move what is
	 * root's. The spawner's directory is made first for the same reason. */
	if (join(servers, p->run_dir, "servers", err) < 0 ||
	    own_dir(p->run_dir, 0755, 0, 0, err) < 0 ||
	    own_dir(servers, 0711, 0, 0, err) < 0 ||
	    own_dir(p->run_dir, 01775, 0, p->hub_gid, err) < 0 ||
	    own_dir(p->hub_state_dir, 0700, p->hub_uid, p->hub_gid, err) < 0 ||
	    own_dir(p->proxy_state_dir, 0700, p->proxy_uid, p->proxy_gid, err) <
		0)
		return -1;
	return make_token(p->token_file, p->proxy_gid, 0640, err);
}

int site_make(struct site *p, struct err *err)
{
	if (p->all_accounts)
		return make_for_all(p, err);
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (own_dir(p->run_dir, 0700, uid, gid, err) < 0 ||
	    own_dir(p->hub_state_dir, 0700, uid, gid, err) < 0 ||
	    own_dir(p->proxy_state_dir, 0700, uid, gid, err) < 0)
		return -1;
	return make_token(p->token_file, gid, 0600, err);
}

int site_count_servers(const struct site *p)
{
	char path[PATH_MAX];
	int n = 0;

	if (str_format(path, sizeof path, "%s/servers", p->run_dir) < 0)
		return 0;
	DIR *d = opendir(path);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));) {
		char sock[PATH_MAX];
		struct stat st;
		if (e->d_name[0] == '.' ||
		    str_format(sock, sizeof sock, "%s/%s/keeper.sock", path,
			e->d_name) < 0)
			continue;
		n += lstat(sock, &st) == 0;
	}
	closedir(d);
	return n;
}
