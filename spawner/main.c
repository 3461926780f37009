/*
 * carrel-spawner: the only part of Carrel that is root. It reads root's
 * policy, keeps the capabilities that it needs, and does what the hub asks
 * within that policy: log people in (attempt.c), start and stop servers
 * (fleet.c). Run by an ordinary user it serves that account alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/privs.h"
#include "base/sock_name.h"
#include "base/str.h"
#include "base/sysd.h"
#include "spawner/adopt.h"
#include "spawner/attempt.h"
#include "spawner/caps.h"
#include "spawner/fleet.h"
#include "spawner/keeper.h"
#include "spawner/serve.h"

#define CONFIG_DEFAULT   "/etc/carrel/spawner.yaml"
#define CONFIG_MAX       (1024 * 1024)
#define PROBLEMS_MAX     (64 * 1024)
#define REFUSE_MS        2000
#define STOP_ALL_MS      100
/* Descriptors: the keeper's socket and pidfd; the child's. */
#define FILES_PER_SERVER 2
#define FILES_PER_LOGIN  2
#define FILES_OTHER      64

enum mode { MODE_SERVE, MODE_CHECK, MODE_LIST, MODE_STOP_ALL, MODE_KEEPER };

struct options {
	enum mode mode;
	const char *config, *socket, *run_dir, *client_user, *pam_dir;
	const char *keeper_caps;
	int64_t config_fd; /* -1: none */
	enum log_level log_level;
};

/* Everything that lives as long as the program. */
struct spawner {
	struct options options;
	struct policy policy;
	struct arena arena;
	bool is_root;
	struct account self; /* single-account mode */
	uid_t client_uid;
	char run_dir[4096], socket[4096];
	struct sock_name name; /* of the socket, unless it was passed */
	struct fleet_config fleet_config;
	uint64_t caps;
	struct loop *loop;
	struct fleet *fleet;
	struct attempts *attempts;
	struct serve *serve;
	struct adopt adopt;
	struct timer stop_all_timer;
};

/* ---- options ------------------------------------------------------------- */

static const char usage[] =
    "Usage: carrel-spawner [OPTION]...\n"
    "Logs people in and starts their notebook servers, within spawner.yaml.\n"
    "\n"
    "  --config FILE       root's policy (" CONFIG_DEFAULT ")\n"
    "  --config-fd N       the same, opened by whoever starts us\n"
    "  --run-dir DIR       run-time files (/run/carrel; as an ordinary user\n"
    "                      $XDG_RUNTIME_DIR/carrel)\n"
    "  --socket PATH       where the hub connects (RUN-DIR/spawner.sock)\n"
    "  --client-user NAME  the hub's account (carrel; as an ordinary user the\n"
    "                      same account)\n"
    "  --pam-dir DIR       PAM services instead of /etc/pam.d\n"
    "  --log-level LEVEL   error, warn, info or debug (info)\n"
    "  --check             check the policy and end\n"
    "  --list              print the servers that run, and end\n"
    "  --stop-all          stop all servers, and end\n"
    "  --version, --help\n";

enum {
	OPT_CONFIG = 256,
	OPT_CONFIG_FD,
	OPT_RUN_DIR,
	OPT_SOCKET,
	OPT_CLIENT_USER,
	OPT_PAM_DIR,
	OPT_LOG_LEVEL,
	OPT_CHECK,
	OPT_LIST,
	OPT_STOP_ALL,
	OPT_KEEPER,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "config-fd", required_argument, NULL, OPT_CONFIG_FD },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "client-user", required_argument, NULL, OPT_CLIENT_USER },
	{ "pam-dir", required_argument, NULL, OPT_PAM_DIR },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "stop-all", no_argument, NULL, OPT_STOP_ALL },
	{ "keeper", required_argument, NULL, OPT_KEEPER },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int take_option(struct options *o, int which, struct err *err)
{
	switch (which) {
	case OPT_CONFIG:
		o->config = optarg;
		return 0;
	case OPT_CONFIG_FD:
		return num_range(optarg, 0, INT32_MAX, &o->config_fd, err);
	case OPT_RUN_DIR:
		o->run_dir = optarg;
		return 0;
	case OPT_SOCKET:
		o->socket = optarg;
		return 0;
	case OPT_CLIENT_USER:
		o->client_user = optarg;
		return 0;
	case OPT_PAM_DIR:
		o->pam_dir = optarg;
		return 0;
	case OPT_LOG_LEVEL:
		return log_level_parse(optarg, &o->log_level) == 0
			   ? 0
			   : err_set(err, ERR_INVALID,
				 "--log-level is error, warn, info or debug");
	case OPT_CHECK:
		o->mode = MODE_CHECK;
		return 0;
	case OPT_LIST:
		o->mode = MODE_LIST;
		return 0;
	case OPT_STOP_ALL:
		o->mode = MODE_STOP_ALL;
		return 0;
	case OPT_KEEPER:
		o->mode = MODE_KEEPER;
		o->keeper_caps = optarg;
		return 0;
	case OPT_VERSION:
		printf("carrel-spawner " CARREL_VERSION "\n");
		exit(0);
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		return err_set(err, ERR_INVALID,
		    "unknown option; carrel-spawner --help lists them");
	}
}

static int read_options(
    int argc, char **argv, struct options *o, struct err *err)
{
	int which;

	*o = (struct options){ .config_fd = -1, .log_level = LOG_INFO };
	while (
	    (which = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (take_option(o, which, err) != 0)
			return -1;
	}
	if (optind < argc)
		return err_set(err, ERR_INVALID,
		    "\"%.64s\" is no option; carrel-spawner --help lists them",
		    argv[optind]);
	return 0;
}

/* ---- policy -------------------------------------------------------------- */

/* Whoever can change the file can run commands as anybody. */
static int check_owner(
    const struct spawner *s, int fd, const char *file, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, "%s", file);
	if (!s->is_root)
		return 0;
	if (st.st_mode & S_IWOTH)
		return err_set(err, ERR_DENIED,
		    "%s can be written by everybody: chmod 600 it", file);
	if (st.st_uid != 0 || st.st_mode & S_IWGRP)
		log_warn(NULL, "policy can be changed by others than root",
		    "file=%s owner=%u mode=%04o", file, (unsigned)st.st_uid,
		    (unsigned)st.st_mode & 07777);
	return 0;
}

/* -1 when there is none and none was asked for. */
static int open_policy(
    struct spawner *s, const char **file_out, int *fd_out, struct err *err)
{
	const struct options *o = &s->options;

	*file_out = o->config ? o->config : CONFIG_DEFAULT;
	*fd_out = -1;
	if (o->config_fd >= 0) {
		*file_out = o->config ? o->config : "spawner.yaml";
		*fd_out = (int)o->config_fd;
		return fd_set_cloexec(*fd_out, true) == 0
			   ? 0
			   : err_sys(err, "--config-fd %d", *fd_out);
	}
	*fd_out = open(*file_out, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd_out >= 0 || (errno == ENOENT && !o->config))
		return 0;
	return err_sys(err, "open %s", *file_out);
}

static int load_policy(struct spawner *s, struct err *err)
{
	const char *file;
	char *text = NULL;
	size_t len = 0;
	struct buf problems;
	int fd, rc = 0;

	if (open_policy(s, &file, &fd, err) != 0)
		return -1;
	buf_init(&problems, PROBLEMS_MAX);
	if (fd >= 0 && (check_owner(s, fd, file, err) != 0 ||
			   fd_read_all(fd, CONFIG_MAX, &text, &len, err) != 0))
		rc = err_wrap(err, "%s", file);
	else if (policy_parse(&s->policy, text, len, file, s->is_root,
		     &problems, err) != 0)
		rc = -1;
	fputs(buf_view(&problems), stderr);
	buf_fini(&problems);
	free(text);
	fd_close(&fd);
	if (rc == 0)
		rc = caps_wanted(&s->policy, &s->caps, err);
	return rc;
}

/* ---- places and accounts ------------------------------------------------- */

/* What stands there names processes that we may kill: it must be ours alone,
 * also when it was there before. */
static int open_servers(struct spawner *s, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	s->fleet_config.place.servers_fd = fd;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(err, "open %s", path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_DENIED,
		    "%s belongs to uid %u, which could make us end any "
		    "process: remove it",
		    path, (unsigned)st.st_uid);
	if (fchmod(fd, 0711) != 0)
		return err_sys(err, "set the mode of %s", path);
	return 0;
}

static int find_places(struct spawner *s, struct err *err)
{
	const struct options *o = &s->options;
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char servers[4200];
	int rc;

	if (o->run_dir)
		rc = str_copy(s->run_dir, sizeof s->run_dir, o->run_dir);
	else if (s->is_root)
		rc = str_copy(s->run_dir, sizeof s->run_dir, "/run/carrel");
	else if (runtime && *runtime)
		rc = str_format(
		    s->run_dir, sizeof s->run_dir, "%s/carrel", runtime);
	else
		return err_set(err, ERR_INVALID,
		    "XDG_RUNTIME_DIR is not set: give --run-dir DIR");
	if (rc != 0 ||
	    (o->socket ? str_copy(s->socket, sizeof s->socket, o->socket)
		       : str_format(s->socket, sizeof s->socket,
			     "%s/spawner.sock", s->run_dir)) != 0 ||
	    str_format(servers, sizeof servers, "%s/servers", s->run_dir) != 0)
		return err_set(err, ERR_INVALID, "a path is too long");
	if (dir_make(s->run_dir, 0755, err) != 0 ||
	    dir_make(servers, 0711, err) != 0)
		return -1;
	return open_servers(s, servers, err);
}

static int find_accounts(struct spawner *s, struct err *err)
{
	const char *client = s->options.client_user;
	gid_t gid;
	int found;

	if (!s->is_root) {
		found = account_find_uid(&s->arena, getuid(), &s->self, err);
		if (found <= 0)
			return found < 0 ? -1
					 : err_set(err, ERR_NOT_FOUND,
					       "uid %u has no account",
					       (unsigned)getuid());
	}
	s->client_uid = getuid();
	if (s->options.mode != MODE_SERVE || (!client && !s->is_root))
		return 0;
	return privs_account(
	    client ? client : "carrel", &s->client_uid, &gid, err);
}

/* For all our servers and logins; servers get the limit that we were given. */
static void raise_file_limit(struct spawner *s)
{
	struct rlimit limit;
	rlim_t wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	s->fleet_config.place.n_files = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	wanted = (rlim_t)(FILES_PER_SERVER * s->policy.max_servers +
			  FILES_PER_LOGIN * s->policy.auth_max_attempts +
			  FILES_OTHER);
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted)
		log_warn(NULL, "the limit on open files is low",
		    "limit=%ju max_servers_needs=%ju",
		    (uintmax_t)limit.rlim_max, (uintmax_t)wanted);
}

/* ---- secrets ------------------------------------------------------------- */

/* Passwords and tokens pass through JSON values: wiped when freed. */
static void free_wiped(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *alloc_json(size_t size)
{
	return xmalloc(size);
}

/* ---- running ------------------------------------------------------------- */

static void on_sigchld(int signo, void *arg)
{
	(void)signo, (void)arg;
	/* Ends are told by pidfds and sockets: here are only the zombies. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void on_stop_signal(int signo, void *arg)
{
	struct spawner *s = arg;

	log_info(NULL, "ending; servers run on", "signal=%d", signo);
	loop_stop(s->loop);
}

static int start_loop(struct spawner *s, struct err *err)
{
	(void)signal(SIGPIPE, SIG_IGN);
	s->loop = loop_new();
	if (loop_signal(s->loop, SIGCHLD, on_sigchld, s, err) != 0 ||
	    loop_signal(s->loop, SIGTERM, on_stop_signal, s, err) != 0 ||
	    loop_signal(s->loop, SIGINT, on_stop_signal, s, err) != 0)
		return -1;
	return 0;
}

static void make_attempts(struct spawner *s)
{
	const struct policy *p = &s->policy;
	const struct attempts_config config = {
		.place = { p->pam_service, s->options.pam_dir },
		.min_uid = s->is_root ? p->min_uid : 1,
		.changes_passwords = p->auth_change_password,
		.only_account = s->is_root ? NULL : s->self.name,
		.max = (size_t)p->auth_max_attempts,
		.max_per_account = (size_t)p->auth_max_per_account,
		.module_timeout_ms = p->auth_module_timeout_s * 1000,
		.answer_timeout_ms = p->auth_answer_timeout_s * 1000,
		.refuse_delay_ms = REFUSE_MS,
		/* Without root there is no session that could want it. */
		.keep_ms = s->is_root ? policy_keep_login_s(p) * 1000 : 0,
		.n_files = s->fleet_config.place.n_files,
		.prompt = serve_auth_prompt,
		.end = serve_auth_end,
		.arg = s->serve,
	};

	s->attempts = attempts_new(s->loop, &config);
}

static void make_fleet(struct spawner *s)
{
	struct fleet_callbacks cb = serve_fleet_callbacks;

	s->fleet_config.policy = &s->policy;
	s->fleet_config.is_root = s->is_root;
	s->fleet_config.own_uid = getuid();
	s->fleet_config.own_account = s->is_root ? NULL : s->self.name;
	s->fleet_config.pam_dir = s->options.pam_dir;
	s->fleet_config.place.caps = s->is_root ? s->caps : 0;
	s->fleet_config.logins = s->attempts;
	cb.arg = s->serve;
	s->fleet = fleet_new(s->loop, &s->fleet_config, &cb);
}

static void make_parts(struct spawner *s)
{
	const struct serve_config config = {
		.client_uid = s->client_uid,
		.own_account = s->is_root ? NULL : s->self.name,
	};

	s->serve = serve_new(s->loop, &config);
	make_attempts(s);
	make_fleet(s);
	serve_attach(s->serve, s->fleet, s->attempts);
}

static void on_new_socket(int fd, void *arg)
{
	struct spawner *s = arg;
	struct err err;

	if (serve_listen(s->serve, fd, &err) != 0)
		log_error(NULL, "no hub can connect", "why=\"%s\"", err.text);
}

static int listen_for_hub(struct spawner *s, struct err *err)
{
	int fd = sock_listen_unix(
	    s->socket, SOCK_SEQPACKET, 0600, s->client_uid, (gid_t)-1, err);

	if (fd < 0)
		return -1;
	s->name = (struct sock_name){
		.path = s->socket,
		.type = SOCK_SEQPACKET,
		.mode = 0600,
		.uid = s->client_uid,
		.gid = (gid_t)-1,
		.fn = on_new_socket,
		.arg = s,
	};
	sock_name_keep(&s->name, s->loop);
	return fd;
}

static int open_socket(struct spawner *s, struct err *err)
{
	int fd;

	if (sysd_listen_fds() > 0)
		fd = 3;
	else
		fd = listen_for_hub(s, err);
	return fd < 0 ? -1 : serve_listen(s->serve, fd, err);
}

static int serve(struct spawner *s, struct err *err)
{
	/* First: where another spawner serves, its servers are not ours. */
	if (open_socket(s, err) != 0)
		return -1;
	adopt_all(&s->adopt, s->fleet);
	log_info(NULL, "ready", "socket=%s accounts=%s", s->socket,
	    s->is_root ? "all" : s->self.name);
	sysd_notify("READY=1");
	loop_run(s->loop);
	sysd_notify("STOPPING=1");
	return 0;
}

/* ---- --list and --stop-all ----------------------------------------------- */

static void print_one(const struct server *server, void *arg)
{
	(void)arg;
	printf("%s %s %s %d %s\n", server->key, server->account,
	    server->profile, (int)server->pid, server->address);
}

static void stop_one(const struct server *server, void *arg)
{
	const struct spawner *s = arg;

	fleet_stop(s->fleet, server->key, -1);
}

static void count_one(const struct server *server, void *arg)
{
	size_t *n = arg;

	(void)server;
	(*n)++;
}

static void on_stop_all(struct timer *t, void *arg)
{
	struct spawner *s = arg;
	size_t n = 0;

	fleet_each(s->fleet, count_one, &n);
	if (n == 0)
		loop_stop(s->loop);
	else
		timer_start(s->loop, t, STOP_ALL_MS, on_stop_all, s);
}

/* How they ended is reported by the next spawner that serves. */
static void stop_all(struct spawner *s)
{
	fleet_each(s->fleet, stop_one, s);
	timer_start(s->loop, &s->stop_all_timer, 0, on_stop_all, s);
	loop_run(s->loop);
	timer_stop(&s->stop_all_timer);
}

/* ---- the whole ----------------------------------------------------------- */

static int prepare(struct spawner *s, struct err *err)
{
	s->is_root = geteuid() == 0;
	arena_init(&s->arena);
	arena_init(&s->policy.arena);
	s->fleet_config.place.exe_fd =
	    open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (s->fleet_config.place.exe_fd < 0)
		return err_sys(err, "open /proc/self/exe");
	if (load_policy(s, err) != 0)
		return -1;
	if (s->options.mode == MODE_CHECK)
		return 0;
	if (find_accounts(s, err) != 0 || find_places(s, err) != 0)
		return -1;
	raise_file_limit(s);
	if (s->is_root &&
	    caps_keep(s->caps, !policy_wants_new_privs(&s->policy), err) != 0)
		return -1;
	if (start_loop(s, err) != 0)
		return -1;
	make_parts(s);
	return 0;
}

static int run(struct spawner *s, struct err *err)
{
	switch (s->options.mode) {
	case MODE_CHECK:
		printf("The policy is right: %zu profiles, %zu services.\n",
		    s->policy.n_profiles, s->policy.n_services);
		return 0;
	case MODE_LIST:
		adopt_all(&s->adopt, s->fleet);
		fleet_each(s->fleet, print_one, NULL);
		return 0;
	case MODE_STOP_ALL:
		adopt_all(&s->adopt, s->fleet);
		stop_all(s);
		return 0;
	case MODE_SERVE:
		return serve(s, err);
	case MODE_KEEPER:
		break;
	}
	return err_set(err, ERR_INTERNAL, "mode %d", (int)s->options.mode);
}

static void release(struct spawner *s)
{
	if (s->fleet)
		adopt_stop(&s->adopt);
	sock_name_stop(&s->name);
	serve_free(&s->serve);
	attempts_free(&s->attempts);
	fleet_free(&s->fleet);
	loop_free(&s->loop);
	policy_fini(&s->policy);
	arena_fini(&s->arena);
}

static int be_keeper(const struct options *o, struct err *err)
{
	uint64_t caps;

	if (num_u64(o->keeper_caps, &caps, err) != 0)
		return -1;
	/* execve as root has given all of the bounding set back. */
	if (geteuid() == 0 && caps_keep(caps, false, err) != 0)
		return -1;
	return keeper_main(NULL);
}

int main(int argc, char **argv)
{
	struct spawner s = { .policy = { 0 } };
	struct err err = { 0 };
	int rc;

	json_set_alloc_funcs(alloc_json, free_wiped);
	/* `carrel up` starts programs by descriptor: they would be called "3".
	 */
	(void)prctl(PR_SET_NAME, "carrel-spawner");
	log_open("spawner", LOG_INFO);
	rc = read_options(argc, argv, &s.options, &err);
	if (rc == 0 && s.options.mode == MODE_KEEPER)
		return be_keeper(&s.options, &err) == 0 ? 0 : 2;
	log_set_level(s.options.log_level);
	/* What these two print is for a person: no chronicle of adoptions. */
	if ((s.options.mode == MODE_LIST || s.options.mode == MODE_STOP_ALL) &&
	    s.options.log_level == LOG_INFO)
		log_set_level(LOG_WARN);
	if (rc == 0)
		rc = prepare(&s, &err);
	if (rc == 0)
		rc = run(&s, &err);
	if (rc != 0)
		fprintf(stderr, "carrel-spawner: %s\n", err.text);
	release(&s);
	return rc == 0 ? 0 : 1;
}
