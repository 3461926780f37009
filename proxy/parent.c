/*
 * The parent of the engine: see parent.h. One thread, one loop. An engine that
 * served and died is followed by another one at once; when they die again and
 * again the waiting time doubles.
 */
#include "proxy/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/sysd.h"
#include "proxy/deposit.h"
#include "proxy/lifeline.h"
#include "proxy/page.h"
#include "proxy/parcel.h"
#include "proxy/safe.h"

/* An engine that served this long has proved itself. */
#define PROVED_MS      1000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* Killed so often one after the other, perhaps by what it took over. */
#define DEATHS_MAX     8
/* An engine that does not end although it was told twice. */
#define PATIENCE_MS    5000
#define SEND_AGAIN_MS  5
#define AT_ONCE        64 /* messages a turn */
/* Descriptors that are not for tunnels: the program's own, and sockets. */
#define OWN_FDS        64
#define NAME_MAX_LEN   32

struct parent {
	const struct config *config;
	char **argv;
	int exe_fd; /* the very file that we are, whatever is in its place */
	struct loop *loop;
	struct page *page;
	struct safe safe;
	_Atomic uint32_t *word; /* of a takeover that is under way */

	pid_t pid; /* 0: no engine */
	struct watch exit, channel;
	int fd; /* of the channel */
	struct deposit_in in;
	struct timer restart, send_again, patience;
	uint32_t generation; /* of the next engine */
	bool served_once;    /* an engine was ready */
	bool is_ready;       /* this one is */
	bool has_left, has_said_bye;
	bool was_short; /* of descriptors, and has said so */
	int64_t ready_ms, backoff_ms;
	unsigned n_deaths; /* by a signal, each before it had proved itself */
	unsigned n_ends;   /* SIGTERM and SIGINT so far */
	int rc;
};

static void start_engine(struct parent *p);

static int complain(const struct err *err)
{
	fprintf(stderr, "carrel-proxy: %s\n", err->text);
	return 1;
}

/* ---- the word of a takeover ---------------------------------------------- */

static void forget_word(struct parent *p)
{
	if (p->word != NULL)
		(void)munmap((void *)p->word, sizeof *p->word);
	p->word = NULL;
}

static int take_word(struct parent *p, struct err *err)
{
	int seals = fcntl(p->in.fds[0], F_GET_SEALS);
	struct stat st;
	void *m;

	forget_word(p);
	/* Memory that can shrink could end us. */
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
	    fstat(p->in.fds[0], &st) < 0 ||
	    st.st_size != (off_t)sizeof *p->word)
		return err_set(err, ERR_PROTOCOL, "that is no word");
	m = mmap(NULL, sizeof *p->word, PROT_READ | PROT_WRITE, MAP_SHARED,
	    p->in.fds[0], 0);
	if (m == MAP_FAILED)
		return err_sys(err, "map shared memory");
	p->word = m;
	return 0;
}

/* The engine died with a takeover under way. Did the new process begin? If it
 * did not, now it cannot. */
static bool was_taken_over(struct parent *p)
{
	uint32_t expected = PARCEL_OPEN;

	return p->word != NULL &&
	       !atomic_compare_exchange_strong(
		   p->word, &expected, PARCEL_ABORTED) &&
	       expected == PARCEL_BEGUN;
}

/* ---- what the engine says ------------------------------------------------ */

static void take_ready(struct parent *p)
{
	p->is_ready = p->served_once = true;
	p->ready_ms = loop_now_ms(p->loop);
}

/* The service manager believes us: nothing but these. */
static void notify(const struct deposit *d)
{
	char main_pid[32];
	const char *const known[] = { "READY=1", "STOPPING=1", main_pid };

	if (str_format(main_pid, sizeof main_pid, "MAINPID=%d", (int)getpid()) <
	    0)
		return;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (slice_eq(d->text, known[i]))
			sysd_notify(known[i]);
}

static int take_message(
    struct parent *p, const struct deposit *d, struct err *err)
{
	switch (d->type) {
	case DEPOSIT_READY:
		take_ready(p);
		break;
	case DEPOSIT_NOTIFY:
		notify(d);
		return 0;
	case DEPOSIT_WORD:
		return take_word(p, err);
	case DEPOSIT_NO_WORD:
		forget_word(p);
		return 0;
	case DEPOSIT_LEFT:
		p->has_left = true;
		forget_word(p);
		safe_release(&p->safe);
		return 0;
	case DEPOSIT_BYE:
		p->has_said_bye = true;
		return 0;
	case DEPOSIT_SOCKET:
	case DEPOSIT_TUNNELS:
	case DEPOSIT_DROP:
	case DEPOSIT_NO_SOCKETS:
		break;
	case DEPOSIT_PAGE:
	case DEPOSIT_GO:
	case DEPOSIT_END:
	case DEPOSIT_RELOAD:
	case DEPOSIT_REOPEN:
	case DEPOSIT_N_TYPES:
		return err_set(err, ERR_PROTOCOL, "message %u is not for us",
		    (unsigned)d->type);
	}
	return p->has_left ? 0 : safe_take(&p->safe, &p->in, d, err);
}

/* These tunnels are not protected; they work. */
static void note_shortage(struct parent *p, const struct err *err)
{
	if (!p->was_short)
		log_warn(NULL, "tunnels are not protected", "error=\"%s\"",
		    err->text);
	p->was_short = true;
}

/* At most so many messages. Nonsense ends the engine, not us. */
static void hear(struct parent *p, size_t max)
{
	struct deposit d;
	struct err err;
	int rc;

	do {
		rc = deposit_receive(&p->in, p->fd, &d, &err);
		if (rc < 0 && err.code == ERR_LIMIT)
			note_shortage(p, &err);
		else if (rc < 0 || (rc > 0 && take_message(p, &d, &err) < 0))
			break;
	} while (rc != 0 && --max > 0);
	if (rc == 0 || max == 0)
		return;
	watch_stop(&p->channel);
	if (rc < 0 && err.code == ERR_UNAVAILABLE)
		return;
	log_error(NULL, "the engine is not understood: killing it",
	    "error=\"%s\"", err.text);
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

/* ---- what it is told ----------------------------------------------------- */

static void on_send_again(struct timer *t, void *arg);

static void give(struct parent *p)
{
	struct err err;

	if (p->channel.loop != NULL && safe_give(&p->safe, p->fd, &err) == 0)
		timer_start(
		    p->loop, &p->send_again, SEND_AGAIN_MS, on_send_again, p);
}

static void on_send_again(struct timer *t, void *arg)
{
	(void)t;
	give(arg);
}

static void on_channel(struct watch *w, uint32_t events, void *arg)
{
	(void)w;
	(void)events;
	hear(arg, AT_ONCE);
}

static void tell(struct parent *p, enum deposit_type type)
{
	const struct deposit d = { .type = type };
	struct err err;

	if (p->channel.loop != NULL &&
	    deposit_send(p->fd, &d, NULL, 0, &err) < 1)
		log_warn(NULL, "the engine is not told", "message=%u",
		    (unsigned)type);
}

/* ---- the end of an engine ------------------------------------------------ */

static void end(struct parent *p, int rc)
{
	p->rc = rc;
	loop_stop(p->loop);
}

static int status_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* What an orderly end would have removed. */
static void remove_pid_file(const struct parent *p)
{
	if (p->config->pid_file != NULL)
		(void)unlink(p->config->pid_file);
}

static void on_restart(struct timer *t, void *arg)
{
	(void)t;
	start_engine(arg);
}

static void count_death(struct parent *p, bool by_signal)
{
	int64_t served_ms =
	    p->is_ready ? loop_now_ms(p->loop) - p->ready_ms : 0;

	if (served_ms >= PROVED_MS) {
		p->backoff_ms = 0;
		p->n_deaths = 0;
	} else {
		p->backoff_ms =
		    p->backoff_ms > 0 ? 2 * p->backoff_ms : BACKOFF_MIN_MS;
		if (p->backoff_ms > BACKOFF_MAX_MS)
			p->backoff_ms = BACKOFF_MAX_MS;
		p->n_deaths += by_signal ? 1 : 0;
	}
}

static void begin_again(struct parent *p, int status)
{
	struct page_counts *counts = page_counts(p->page);
	size_t n_lost;

	forget_word(p);
	count_death(p, WIFSIGNALED(status));
	n_lost = p->n_deaths < DEATHS_MAX ? safe_judge(&p->safe, p->page)
					  : safe_give_up(&p->safe);
	atomic_fetch_add(&counts->restarts, 1);
	atomic_fetch_add(&counts->recovered, p->safe.n_tunnels);
	atomic_fetch_add(&counts->lost, n_lost);
	log_error(NULL, "the engine died: starting it again",
	    "%s=%d tunnels=%zu closed=%zu wait_ms=%lld",
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
	    p->safe.n_tunnels, n_lost, (long long)p->backoff_ms);
	timer_start(p->loop, &p->restart, p->backoff_ms, on_restart, p);
}

static void hang_up(struct parent *p)
{
	int exit_fd = p->exit.fd;

	p->pid = -1;
	watch_stop(&p->exit);
	fd_close(&exit_fd);
	hear(p, SIZE_MAX); /* what it said last */
	deposit_in_fini(&p->in);
	watch_stop(&p->channel);
	fd_close(&p->fd);
	timer_stop(&p->send_again);
	timer_stop(&p->patience);
	p->pid = 0;
}

static void on_exit_of_engine(struct watch *w, uint32_t events, void *arg)
{
	struct parent *p = arg;
	int status;

	(void)w;
	(void)events;
	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	hang_up(p);
	if (p->has_left || p->has_said_bye || !p->served_once) {
		end(p, status_of(status));
		return;
	}
	if (was_taken_over(p)) {
		log_error(NULL, "the engine died after a takeover", "status=%d",
		    status_of(status));
		end(p, 0);
		return;
	}
	if (p->n_ends > 0) {
		log_error(NULL, "the engine died at the end", "status=%d",
		    status_of(status));
		remove_pid_file(p);
		end(p, status_of(status));
		return;
	}
	begin_again(p, status);
}

/* ---- the beginning of an engine ------------------------------------------ */

/* In the new process. */
static void become_engine(struct parent *p, int fd)
{
	char name[NAME_MAX_LEN];
	sigset_t none;

	/* A terminal's Ctrl-C is for the parent, which passes it on. */
	(void)setpgid(0, 0);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (fd_set_cloexec(fd, false) == 0 &&
	    str_format(name, sizeof name, "%d", fd) == 0 &&
	    setenv(LIFELINE_ENV, name, 1) == 0)
		(void)syscall(SYS_execveat, p->exe_fd, "", p->argv, environ,
		    AT_EMPTY_PATH);
	fprintf(
	    stderr, "carrel-proxy: start the engine: %s\n", strerror(errno));
	_exit(126);
}

static int watch_engine(struct parent *p, struct err *err)
{
	int exit_fd = pidfd_open(p->pid, 0);

	if (exit_fd < 0)
		return err_sys(err, "watch the engine");
	if (watch_start(p->loop, &p->exit, exit_fd, EPOLLIN, on_exit_of_engine,
		p, err) < 0) {
		fd_close(&exit_fd);
		return -1;
	}
	return watch_start(
	    p->loop, &p->channel, p->fd, EPOLLIN, on_channel, p, err);
}

static int say_page(struct parent *p, struct err *err)
{
	const struct deposit d = {
		.type = DEPOSIT_PAGE,
		.generation = p->generation++,
	};
	int fd = page_fd(p->page);

	/* The first thing on a new socket: there is room. */
	return deposit_send(p->fd, &d, &fd, 1, err) > 0 ? 0 : -1;
}

static int fork_engine(struct parent *p, struct err *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fds) < 0)
		return err_sys(err, "make a socket pair");
	p->pid = fork();
	if (p->pid == 0)
		become_engine(p, fds[1]);
	if (p->pid < 0) {
		p->pid = 0;
		(void)err_sys(err, "start the engine");
		fd_close(&fds[0]);
	}
	fd_close(&fds[1]);
	p->fd = fds[0];
	return p->pid > 0 ? 0 : -1;
}

static int begin_engine(struct parent *p, struct err *err)
{
	p->is_ready = p->has_said_bye = false;
	if (fork_engine(p, err) < 0)
		return -1;
	deposit_in_init(&p->in);
	if (watch_engine(p, err) == 0 && say_page(p, err) == 0) {
		safe_rewind(&p->safe);
		give(p);
		return 0;
	}
	(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
	hang_up(p);
	return -1;
}

static void start_engine(struct parent *p)
{
	struct err err;

	if (begin_engine(p, &err) == 0)
		return;
	if (!p->served_once) {
		end(p, complain(&err));
		return;
	}
	log_error(
	    NULL, "the engine cannot be started", "error=\"%s\"", err.text);
	timer_start(p->loop, &p->restart, BACKOFF_MAX_MS, on_restart, p);
}

/* ---- signals ------------------------------------------------------------- */

static void on_patience(struct timer *t, void *arg)
{
	struct parent *p = arg;

	(void)t;
	log_error(
	    NULL, "the engine does not end: killing it", "pid=%d", (int)p->pid);
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

/* The engine drains at the first one and ends at the second one. */
static void on_end_signal(int signo, void *arg)
{
	struct parent *p = arg;

	(void)signo;
	if (p->pid == 0) {
		remove_pid_file(p);
		end(p, 0);
		return;
	}
	tell(p, DEPOSIT_END);
	if (++p->n_ends >= 2)
		timer_start(p->loop, &p->patience, PATIENCE_MS, on_patience, p);
}

static void on_hup(int signo, void *arg)
{
	(void)signo;
	tell(arg, DEPOSIT_RELOAD);
}

static void on_usr1(int signo, void *arg)
{
	(void)signo;
	tell(arg, DEPOSIT_REOPEN);
}

/* ---- life ---------------------------------------------------------------- */

/* Each tunnel costs us two descriptors. */
static size_t count_slots(const struct config *c)
{
	long n_workers =
	    c->workers > 0 ? (long)c->workers : sysconf(_SC_NPROCESSORS_ONLN);
	/* Of each worker's socket there may be two for a moment. */
	size_t own = OWN_FDS + 2 * (size_t)(n_workers > 0 ? n_workers : 1);
	struct rlimit l;
	size_t n;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur <= own)
		return 0;
	n = (l.rlim_cur - own) / 2;
	return n < PAGE_SLOTS_MAX ? n : PAGE_SLOTS_MAX;
}

static int prepare(struct parent *p, struct err *err)
{
	size_t n_slots = count_slots(p->config);

	p->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (p->exe_fd < 0)
		return err_sys(err,
		    "open /proc/self/exe to start the engine from (without "
		    "/proc run with --no-parent)");
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return err_sys(err, "ignore SIGPIPE");
	p->page = page_make(n_slots, err);
	if (p->page == NULL ||
	    loop_signal(p->loop, SIGTERM, on_end_signal, p, err) < 0 ||
	    loop_signal(p->loop, SIGINT, on_end_signal, p, err) < 0 ||
	    loop_signal(p->loop, SIGHUP, on_hup, p, err) < 0 ||
	    loop_signal(p->loop, SIGUSR1, on_usr1, p, err) < 0)
		return -1;
	safe_init(&p->safe, n_slots);
	return 0;
}

int parent_run(const struct config *c, char **argv)
{
	static struct parent p; /* there is one per process */
	struct err err;

	p = (struct parent){
		.config = c,
		.argv = argv,
		.exe_fd = -1,
		.loop = loop_new(),
		.exit = { .fd = -1 },
		.channel = { .fd = -1 },
		.fd = -1,
	};
	if (prepare(&p, &err) < 0) {
		p.rc = complain(&err);
	} else {
		start_engine(&p);
		loop_run(p.loop);
	}
	timer_stop(&p.restart);
	timer_stop(&p.send_again);
	timer_stop(&p.patience);
	forget_word(&p);
	safe_fini(&p.safe);
	page_free(&p.page);
	fd_close(&p.exe_fd);
	loop_free(&p.loop);
	return p.rc;
}
