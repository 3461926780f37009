/*
 * See adopt.h. A keeper is known again by its pid *and* its start time; a pid
 * alone may belong to somebody else by now.
 */
#include "spawner/adopt.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "spawner/link.h"
#include "spawner/state.h"

#define AGAIN_MS 2000

static int servers_fd(const struct adopt *a)
{
	return fleet_config(a->fleet)->place.servers_fd;
}

/* -1: the keeper is gone, or this is another process. */
static int open_keeper(const struct state *state)
{
	int pidfd;

	if (!proc_is_alive(state->keeper_pid, state->keeper_start_time))
		return -1;
	pidfd = pidfd_open(state->keeper_pid, 0);
	/* Asked again: between the two steps it may have ended. */
	if (pidfd >= 0 &&
	    !proc_is_alive(state->keeper_pid, state->keeper_start_time))
		fd_close(&pidfd);
	return pidfd;
}

static void adopt_state(
    struct adopt *a, const char *key, const struct state *state)
{
	const struct kind *kind = kind_find(state->kind);
	struct log_ctx ctx = { .user = state->account, .server = key };
	int pidfd = open_keeper(state), sock_fd = -1;
	struct err err = { 0 };
	struct server *s;

	if (!kind || !str_eq(state->key, key)) {
		log_error(
		    &ctx, "state.json is of no use", "kind=%s", state->kind);
		fd_close(&pidfd);
		return;
	}
	s = fleet_add(a->fleet, key, state->account, state->profile, kind,
	    state->address);
	if (pidfd >= 0 && link_connect(servers_fd(a), key, &sock_fd, &err) != 0)
		log_info(
		    &ctx, "keeper does not listen yet", "why=\"%s\"", err.text);
	log_info(&ctx, pidfd >= 0 ? "server adopted" : "server ended meanwhile",
	    "keeper=%d pid=%d", (int)state->keeper_pid, (int)state->pid);
	if (pidfd >= 0 && state->phase == STATE_RUNNING)
		server_started(s, state->pid, state->start_time);
	link_adopt(s, state->keeper_pid, pidfd, sock_fd);
}

/* false: it has no state (yet). */
static bool adopt_dir(struct adopt *a, const char *key)
{
	int fd = openat(servers_fd(a), key,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err err = { 0 };
	struct state state;
	struct arena arena;
	bool has_state;

	arena_init(&arena);
	has_state = fd >= 0 && state_read(fd, &arena, &state, &err) == 0;
	if (has_state)
		adopt_state(a, key, &state);
	else if (err.code != ERR_NOT_FOUND)
		log_error(&(struct log_ctx){ .server = key },
		    "state of a server cannot be read", "why=\"%s\"", err.text);
	arena_fini(&arena);
	fd_close(&fd);
	return has_state;
}

/* How many directories have no state. is_last: remove those. */
static size_t scan(struct adopt *a, bool is_last)
{
	int fd = openat(servers_fd(a), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n_empty = 0;
	struct dirent *e;

	if (!dir) {
		fd_close(&fd);
		return 0;
	}
	while ((e = readdir(dir)) != NULL) {
		if (!job_key_ok(e->d_name) || fleet_find(a->fleet, e->d_name) ||
		    adopt_dir(a, e->d_name))
			continue;
		n_empty++;
		if (!is_last)
			continue;
		log_warn(&(struct log_ctx){ .server = e->d_name },
		    "directory of a server that never began is removed",
		    "there is no state.json");
		launch_remove_dir(servers_fd(a), e->d_name);
	}
	closedir(dir);
	return n_empty;
}

static void on_again(struct timer *t, void *arg)
{
	(void)t;
	(void)scan(arg, true);
}

void adopt_all(struct adopt *a, struct fleet *fleet)
{
	*a = (struct adopt){ .fleet = fleet };
	if (scan(a, false) > 0)
		timer_start(
		    fleet_loop(fleet), &a->again, AGAIN_MS, on_again, a);
}

void adopt_stop(struct adopt *a)
{
	timer_stop(&a->again);
}
