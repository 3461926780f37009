/*
 * See proc.h. One field list of proc(5) is parsed here and nowhere else.
 */
#include "spawner/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define STAT_MAX        1024
#define FIELD_STATE     3
#define FIELD_PPID      4
#define FIELD_STARTTIME 22

struct stat_line {
	char state;
	pid_t ppid;
	uint64_t start_time;
};

struct process {
	pid_t pid, ppid;
	bool is_below;
};

/* At most cap - 1 bytes of a small file, NUL-ended; -1 when it is not there. */
static int read_small(const char *path, char *out, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, out, cap - 1);
	fd_close(&fd);
	if (n < 0)
		return -1;
	out[n] = '\0';
	return 0;
}

/* The name of the program in field 2 may hold anything: go by the last ')'. */
static int parse_stat(const char *text, struct stat_line *out)
{
	const char *end = strrchr(text, ')');
	struct slice rest, field;
	uint64_t number;

	if (!end || end[1] != ' ')
		return -1;
	*out = (struct stat_line){ 0 };
	rest = slice_of(end + 2);
	for (int i = FIELD_STATE; i <= FIELD_STARTTIME; i++) {
		if (!slice_split(&rest, ' ', &field) || field.len == 0)
			return -1;
		if (i == FIELD_STATE)
			out->state = field.p[0];
		if (i != FIELD_PPID && i != FIELD_STARTTIME)
			continue;
		if (num_slice_u64(field, &number, NULL) != 0)
			return -1;
		if (i == FIELD_PPID)
			out->ppid = (pid_t)number;
		else
			out->start_time = number;
	}
	return 0;
}

static int read_stat(pid_t pid, struct stat_line *out)
{
	char path[64], text[STAT_MAX];

	if (str_format(path, sizeof path, "/proc/%d/stat", pid) != 0 ||
	    read_small(path, text, sizeof text) != 0)
		return -1;
	return parse_stat(text, out);
}

uint64_t proc_start_time(pid_t pid)
{
	struct stat_line line;

	return pid > 0 && read_stat(pid, &line) == 0 ? line.start_time : 0;
}

bool proc_is_alive(pid_t pid, uint64_t start_time)
{
	struct stat_line line;

	return pid > 0 && read_stat(pid, &line) == 0 &&
	       line.start_time == start_time && line.state != 'Z' &&
	       line.state != 'X';
}

void proc_boot_id(char out[PROC_BOOT_ID_LEN + 1])
{
	char text[64];

	if (read_small("/proc/sys/kernel/random/boot_id", text, sizeof text) ||
	    strlen(text) < PROC_BOOT_ID_LEN ||
	    str_copy_slice(out, PROC_BOOT_ID_LEN + 1,
		slice_make(text, PROC_BOOT_ID_LEN)) != 0)
		out[0] = '\0';
}

/* ---- trees --------------------------------------------------------------- */

static size_t list_processes(struct process **out)
{
	DIR *dir = opendir("/proc");
	size_t n = 0, cap = 0;
	struct dirent *e;

	*out = NULL;
	if (!dir)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		struct stat_line line;
		uint32_t pid;

		if (num_u32(e->d_name, &pid, NULL) != 0 ||
		    read_stat((pid_t)pid, &line) != 0 || line.state == 'Z' ||
		    line.state == 'X')
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 256;
			*out = xreallocarray(*out, cap, sizeof **out);
		}
		(*out)[n++] =
		    (struct process){ .pid = (pid_t)pid, .ppid = line.ppid };
	}
	closedir(dir);
	return n;
}

static bool parent_is_below(
    const struct process *list, size_t n, pid_t root, pid_t ppid)
{
	if (ppid == root)
		return true;
	for (size_t i = 0; i < n; i++) {
		if (list[i].pid == ppid)
			return list[i].is_below;
	}
	return false;
}

size_t proc_signal_descendants(pid_t root, int signo)
{
	struct process *list;
	size_t n = list_processes(&list), n_below = 0;
	bool more = true;

	/* Until a pass finds no new one: pids are in no order of birth. */
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++) {
			if (list[i].is_below ||
			    !parent_is_below(list, n, root, list[i].ppid))
				continue;
			list[i].is_below = more = true;
			n_below++;
			(void)kill(list[i].pid, signo);
		}
	}
	free(list);
	return n_below;
}

void proc_kill_tree(pid_t pid, int pidfd)
{
	if (pidfd_send_signal(pidfd, SIGSTOP, NULL, 0) != 0)
		return;
	if (proc_signal_descendants(pid, SIGSTOP) > 0)
		(void)proc_signal_descendants(pid, SIGKILL);
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
}
