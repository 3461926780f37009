/*
 * See cgroup.h, and cgroups(7).
 */
#include "spawner/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define ROOT       "/sys/fs/cgroup"
#define OWN_DIR    "carrel"
#define PATH_BYTES 1024
#define LIST_MAX   (4 * 1024 * 1024)
#define CPU_PERIOD 100000

/* A place where a directory for the server can be made. */
struct hierarchy {
	const char *name;  /* as in /proc/self/cgroup; "" is version 2 */
	const char *mount; /* below ROOT */
	unsigned parts;
};

static const struct hierarchy v1_hierarchies[] = {
	{ "memory", ROOT "/memory", CGROUP_MEMORY },
	{ "cpu", ROOT "/cpu", CGROUP_CPU },
	{ "pids", ROOT "/pids", CGROUP_PIDS },
	{ "freezer", ROOT "/freezer", CGROUP_FREEZER },
};

struct maker {
	struct cgroup *g;
	const char *key;
	void (*note)(const char *line, void *arg);
	void *arg;
};

static void note(struct maker *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(struct maker *m, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	if (m->note)
		m->note(line, m->arg);
}

/* ---- where we are -------------------------------------------------------- */

static bool is_mounted(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (long)fs.f_type == magic;
}

/* Does the comma-separated list have the name? "" matches the empty list. */
static bool list_has(struct slice list, const char *name)
{
	struct slice item;

	if (!*name)
		return list.len == 0;
	while (slice_split(&list, ',', &item)) {
		if (slice_eq(item, name))
			return true;
	}
	return false;
}

/* Our own path in the hierarchy `name`, without the last '/': "" is the root.
 */
static int own_path(const char *name, char *out, size_t cap)
{
	struct slice rest, line;
	char *text;
	size_t len;
	int rc = -1;

	if (file_read_all("/proc/self/cgroup", 64 * 1024, &text, &len, NULL))
		return -1;
	rest = slice_make(text, len);
	while (rc != 0 && slice_split(&rest, '\n', &line)) {
		struct slice number, list;

		if (!slice_split(&line, ':', &number) ||
		    !slice_split(&line, ':', &list) || !list_has(list, name))
			continue;
		if (slice_eq(line, "/"))
			line.len = 0;
		rc = str_copy_slice(out, cap, line);
	}
	free(text);
	return rc;
}

/* ---- making -------------------------------------------------------------- */

static int write_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int saved;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	fd_close(&fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

static void add_dir(struct cgroup *g, const char *path, int fd, unsigned parts)
{
	g->dir[g->n++] = (struct cgroup_dir){
		.path = xstrdup(path),
		.fd = fd,
		.parts = parts,
	};
}

/* base/carrel/KEY; the path of base/carrel stays in `path` on failure, too. */
static int make_below(const char *base, const char *key, char *path, size_t cap,
    void (*prepare)(const char *base, const char *own))
{
	char own[PATH_BYTES];

	if (str_format(own, sizeof own, "%s/" OWN_DIR, base) != 0 ||
	    str_format(path, cap, "%s/%s", own, key) != 0 || make_dir(own) != 0)
		return -1;
	if (prepare)
		prepare(base, own);
	return make_dir(path) == 0 ? open_dir(path) : -1;
}

/* Each by itself: one that the kernel lacks must not spoil the others. */
static void enable_controllers(const char *base, const char *own)
{
	static const char *const words[] = { "+memory", "+cpu", "+pids" };
	const char *const dirs[] = { base, own };

	for (size_t d = 0; d < 2; d++) {
		int fd = open_dir(dirs[d]);

		for (size_t i = 0; fd >= 0 && i < 3; i++)
			(void)write_file(
			    fd, "cgroup.subtree_control", words[i]);
		fd_close(&fd);
	}
}

static unsigned v2_parts(int fd)
{
	unsigned parts = CGROUP_V2;

	if (faccessat(fd, "memory.max", F_OK, 0) == 0)
		parts |= CGROUP_MEMORY;
	if (faccessat(fd, "cpu.max", F_OK, 0) == 0)
		parts |= CGROUP_CPU;
	if (faccessat(fd, "pids.max", F_OK, 0) == 0)
		parts |= CGROUP_PIDS;
	return parts;
}

/* Beside our own group, else below it. */
static void make_v2(struct maker *m)
{
	const char *mount =
	    is_mounted(ROOT, CGROUP2_SUPER_MAGIC) ? ROOT : ROOT "/unified";
	char own[PATH_BYTES], base[PATH_BYTES], path[PATH_BYTES];
	size_t beside;
	int fd = -1;

	if (!is_mounted(mount, CGROUP2_SUPER_MAGIC) ||
	    own_path("", own, sizeof own) != 0)
		return;
	beside = strrchr(own, '/') ? (size_t)(strrchr(own, '/') - own) : 0;
	if (str_format(base, sizeof base, "%s%.*s", mount, (int)beside, own) ==
	    0)
		fd = make_below(
		    base, m->key, path, sizeof path, enable_controllers);
	if (fd < 0 && str_format(base, sizeof base, "%s%s", mount, own) == 0)
		fd = make_below(
		    base, m->key, path, sizeof path, enable_controllers);
	if (fd >= 0)
		add_dir(m->g, path, fd, v2_parts(fd));
}

static unsigned parts_of(const struct cgroup *g)
{
	unsigned parts = 0;

	for (size_t i = 0; i < g->n; i++)
		parts |= g->dir[i].parts;
	return parts;
}

static void make_v1(struct maker *m, const struct hierarchy *h)
{
	char own[PATH_BYTES], base[PATH_BYTES], path[PATH_BYTES];
	int fd;

	if (!is_mounted(h->mount, CGROUP_SUPER_MAGIC) ||
	    own_path(h->name, own, sizeof own) != 0 ||
	    str_format(base, sizeof base, "%s%s", h->mount, own) != 0)
		return;
	fd = make_below(base, m->key, path, sizeof path, NULL);
	if (fd >= 0)
		add_dir(m->g, path, fd, h->parts);
}

/* ---- limits -------------------------------------------------------------- */

static const struct cgroup_dir *dir_with(const struct cgroup *g, unsigned part)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->dir[i].parts & part)
			return &g->dir[i];
	}
	return NULL;
}

static void set_number(struct maker *m, unsigned part, const char *v2_name,
    const char *v1_name, const char *what, int64_t value)
{
	const struct cgroup_dir *d = dir_with(m->g, part);
	char text[32];

	if (value <= 0)
		return;
	if (!d) {
		note(m,
		    "the limit on %s is not in force: this machine has no %s "
		    "controller that Carrel may use",
		    what, what);
		return;
	}
	if (str_format(text, sizeof text, "%" PRId64, value) != 0 ||
	    write_file(d->fd, d->parts & CGROUP_V2 ? v2_name : v1_name, text))
		note(m, "the limit on %s is not in force: %s", what,
		    strerror(errno));
}

static void set_cpu(struct maker *m, int64_t millis)
{
	const struct cgroup_dir *d = dir_with(m->g, CGROUP_CPU);
	int64_t quota = millis * (CPU_PERIOD / 1000);
	char text[64];

	if (millis > 0 && d && d->parts & CGROUP_V2) {
		if (str_format(text, sizeof text, "%" PRId64 " %d", quota,
			CPU_PERIOD) != 0 ||
		    write_file(d->fd, "cpu.max", text) != 0)
			note(m, "the limit on processors is not in force: %s",
			    strerror(errno));
		return;
	}
	set_number(m, CGROUP_CPU, "cpu.max", "cpu.cfs_quota_us", "processors",
	    millis > 0 ? quota : 0);
}

static void set_limits(struct maker *m, const struct limits *limits)
{
	set_number(m, CGROUP_MEMORY, "memory.max", "memory.limit_in_bytes",
	    "memory", limits->memory_bytes);
	set_number(
	    m, CGROUP_PIDS, "pids.max", "pids.max", "processes", limits->pids);
	set_cpu(m, limits->cpu_millis);
}

void cgroup_make(struct cgroup *g, const char *key, const struct limits *limits,
    void (*note_fn)(const char *line, void *arg), void *arg)
{
	struct maker m = { .g = g, .key = key, .note = note_fn, .arg = arg };

	*g = (struct cgroup){ 0 };
	make_v2(&m);
	for (size_t i = 0; i < sizeof v1_hierarchies / sizeof v1_hierarchies[0];
	     i++) {
		const struct hierarchy *h = &v1_hierarchies[i];
		/* cgroup.kill makes the freezer needless. */
		bool is_there = h->parts == CGROUP_FREEZER
				    ? dir_with(g, CGROUP_V2) != NULL
				    : (parts_of(g) & h->parts) != 0;

		if (!is_there)
			make_v1(&m, h);
	}
	set_limits(&m, limits);
}

/* ---- afterwards ---------------------------------------------------------- */

static unsigned parts_by_path(const char *path, int fd)
{
	for (size_t i = 0; i < sizeof v1_hierarchies / sizeof v1_hierarchies[0];
	     i++) {
		const struct hierarchy *h = &v1_hierarchies[i];
		size_t len = strlen(h->mount);

		if (strncmp(path, h->mount, len) == 0 && path[len] == '/' &&
		    is_mounted(h->mount, CGROUP_SUPER_MAGIC))
			return h->parts;
	}
	return v2_parts(fd);
}

void cgroup_reopen(struct cgroup *g, const char *const *paths, size_t n)
{
	*g = (struct cgroup){ 0 };
	for (size_t i = 0; i < n && g->n < CGROUP_DIRS_MAX; i++) {
		int fd = -1;

		if (str_starts(paths[i], ROOT "/") && !strstr(paths[i], "/../"))
			fd = open_dir(paths[i]);
		if (fd >= 0)
			add_dir(g, paths[i], fd, parts_by_path(paths[i], fd));
	}
}

void cgroup_close(struct cgroup *g)
{
	for (size_t i = 0; i < g->n; i++) {
		fd_close(&g->dir[i].fd);
		free(g->dir[i].path);
	}
	g->n = 0;
}

int cgroup_enter(const struct cgroup *g)
{
	for (size_t i = 0; i < g->n; i++) {
		if (write_file(g->dir[i].fd, "cgroup.procs", "0") != 0)
			return -1;
	}
	return 0;
}

static size_t read_procs(const struct cgroup_dir *d, char **out)
{
	int fd = openat(d->fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	*out = NULL;
	if (fd >= 0 && fd_read_all(fd, LIST_MAX, out, &len, NULL) != 0)
		len = 0;
	fd_close(&fd);
	return len;
}

bool cgroup_is_empty(const struct cgroup *g)
{
	bool is_empty = true;

	for (size_t i = 0; i < g->n && is_empty; i++) {
		char *text;

		is_empty = read_procs(&g->dir[i], &text) == 0;
		free(text);
	}
	return is_empty;
}

static void kill_listed(const struct cgroup_dir *d)
{
	struct slice rest, line;
	char *text;
	size_t len = read_procs(d, &text);
	uint64_t pid;

	rest = slice_make(text, len);
	while (slice_split(&rest, '\n', &line)) {
		if (num_slice_u64(line, &pid, NULL) == 0 && pid > 1 &&
		    pid <= INT32_MAX)
			(void)kill((pid_t)pid, SIGKILL);
	}
	free(text);
}

/* Frozen they cannot fork; the signals work when they thaw. */
static void kill_frozen(const struct cgroup_dir *d)
{
	(void)write_file(d->fd, "freezer.state", "FROZEN");
	kill_listed(d);
	(void)write_file(d->fd, "freezer.state", "THAWED");
}

bool cgroup_kill(const struct cgroup *g)
{
	const struct cgroup_dir *d = dir_with(g, CGROUP_V2);

	/* cgroup.kill came with Linux 5.14. */
	if (d && write_file(d->fd, "cgroup.kill", "1") == 0)
		return true;
	d = dir_with(g, CGROUP_FREEZER);
	if (d) {
		kill_frozen(d);
		return true;
	}
	if (g->n == 0)
		return false;
	kill_listed(&g->dir[0]);
	return true;
}

/* The number after `name` at the beginning of a line, 0 when there is none. */
static uint64_t line_number(
    const struct cgroup_dir *d, const char *file, const char *name)
{
	int fd = openat(d->fd, file, O_RDONLY | O_CLOEXEC);
	struct slice rest, line, word;
	uint64_t value = 0;
	char *text = NULL;
	size_t len = 0;

	if (fd >= 0 && fd_read_all(fd, 4096, &text, &len, NULL) != 0)
		len = 0;
	fd_close(&fd);
	rest = slice_make(text, len);
	while (slice_split(&rest, '\n', &line)) {
		if (slice_split(&line, ' ', &word) && slice_eq(word, name) &&
		    num_slice_u64(line, &value, NULL) != 0)
			value = 0;
	}
	free(text);
	return value;
}

bool cgroup_had_oom(const struct cgroup *g)
{
	const struct cgroup_dir *d = dir_with(g, CGROUP_MEMORY);

	if (!d)
		return false;
	return line_number(d,
		   d->parts & CGROUP_V2 ? "memory.events"
					: "memory.oom_control",
		   "oom_kill") > 0;
}

void cgroup_remove(struct cgroup *g)
{
	for (size_t i = 0; i < g->n; i++)
		(void)rmdir(g->dir[i].path);
	cgroup_close(g);
}
