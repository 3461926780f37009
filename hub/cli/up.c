/*
 * carrel up: spawner, hub and proxy together, in the foreground. The first
 * start of each must succeed; later a program that dies is started again with
 * back-off. Ending it ends the three; keepers and notebooks go on.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/url.h"
#include "hub/cli/child.h"
#include "hub/cli/cli.h"
#include "hub/cli/hosts.h"
#include "hub/cli/logins.h"
#include "hub/cli/site.h"

#define READY_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS  15000
#define N_CHILDREN       3

enum { SPAWNER, HUB, PROXY };

struct up_options {
	const char *config, *spawner_config, *pam_dir;
	const char *run_dir, *state_dir, *ip;
	uint16_t port, api_port;
};

struct up {
	struct loop *loop;
	struct up_options opt;
	struct site site;
	struct child child[N_CHILDREN];
	struct fetcher *fetcher;
	struct watch notify;
	struct timer deadline, probe;
	char notify_name[64];
	char hub_status[200]; /* what the hub said beside READY=1; "" */
	char port_text[8], api_port_text[8], api_url[64];
	char spawner_sock[PATH_MAX], hub_sock[PATH_MAX], journal[PATH_MAX];
	char error_target[PATH_MAX + 64], tls_dir[PATH_MAX];
	bool ready; /* all three said so and the public address answers */
	bool stopping;
	int exit_code;
};

static const char help[] =
    "usage: carrel up [options]\n"
    "\n"
    "Run Carrel here, in the foreground: spawner, hub and proxy. As root it\n"
    "serves all accounts of this machine, else only the account that runs it.\n"
    "\n"
    "  --config FILE          the hub's settings "
    "(/etc/carrel/carrel.yaml)\n"
    "  --spawner-config FILE  what may be run (/etc/carrel/spawner.yaml)\n"
    "  --ip ADDRESS           public address (127.0.0.1; 0.0.0.0 for all)\n"
    "  --port N               public port (8000)\n"
    "  --api-port N           the proxy's REST port, loopback (8001)\n"
    "  --pam-dir DIR          read PAM's file `carrel` from here\n"
    "  --run-dir DIR          sockets and keepers (/run/carrel)\n"
    "  --state-dir DIR        database, keys, routes\n";

/* ---- stopping ----------------------------------------------------------- */

static void stop_late(struct timer *t, void *arg)
{
	struct up *up = arg;
	(void)t;
	for (int i = 0; i < N_CHILDREN; i++)
		if (child_runs(&up->child[i])) {
			fprintf(stderr, "carrel: %s does not end; killing it\n",
			    up->child[i].spec.name);
			child_kill(&up->child[i]);
		}
}

static void stop_if_all_ended(struct up *up)
{
	for (int i = 0; i < N_CHILDREN; i++)
		if (child_runs(&up->child[i]))
			return;
	loop_stop(up->loop);
}

static void stop_all(struct up *up, int exit_code)
{
	if (up->stopping)
		return;
	up->stopping = true;
	up->exit_code = exit_code;
	timer_stop(&up->probe);
	child_stop(&up->child[PROXY]);
	child_stop(&up->child[HUB]);
	if (!child_runs(&up->child[HUB]))
		child_stop(&up->child[SPAWNER]);
	timer_start(up->loop, &up->deadline, STOP_TIMEOUT_MS, stop_late, up);
	stop_if_all_ended(up);
}

static void on_signal(int signo, void *arg)
{
	struct up *up = arg;
	(void)signo;
	if (!up->stopping) {
		printf("\ncarrel: stopping\n");
		fflush(stdout);
	}
	stop_all(up, up->ready ? 0 : 1);
}

static void say_goodbye(const struct up *up)
{
	int n = site_count_servers(&up->site);
	if (n == 0) {
		printf("carrel: stopped; no notebook server was running\n");
		return;
	}
	printf("carrel: stopped; %d notebook server%s go%s on running.\n"
	       "  The next `carrel up` adopts %s; `carrel stop --all` ends "
	       "%s.\n",
	    n, n == 1 ? "" : "s", n == 1 ? "es" : "", n == 1 ? "it" : "them",
	    n == 1 ? "it" : "them");
}

/* ---- becoming ready ------------------------------------------------------ */

static void start_rest(struct up *up);
static void probe_again(struct timer *t, void *arg);

static void start_late(struct timer *t, void *arg)
{
	struct up *up = arg;
	(void)t;
	for (int i = 0; i < N_CHILDREN; i++)
		if (!up->child[i].ready)
			fprintf(stderr,
			    "carrel: %s was not ready after %d s; its lines "
			    "above say why\n",
			    up->child[i].spec.name, READY_TIMEOUT_MS / 1000);
	stop_all(up, 1);
}

static void say_ready(struct up *up)
{
	const char *ip = up->opt.ip;
	if (str_eq(ip, "0.0.0.0") || str_eq(ip, "::") || str_eq(ip, ""))
		ip = "127.0.0.1";
	printf("\n  Carrel is ready at http://%s:%u\n\n", ip,
	    (unsigned)up->opt.port);
	logins_explain(up->site.all_accounts);
	if (*up->hub_status)
		printf("\n  WARNING: %s\n\n", up->hub_status);
	printf("  Stop with Ctrl-C; running notebooks go on.\n\n");
	fflush(stdout);
}

static void on_probe(const struct fetch_result *res, void *arg)
{
	struct up *up = arg;
	if (up->stopping || up->ready)
		return;
	if (res->status != 200) {
		timer_start(up->loop, &up->probe, 100, probe_again, up);
		return;
	}
	up->ready = true;
	timer_stop(&up->deadline);
	say_ready(up);
}

/* The whole way: public port, proxy, hub. */
static void probe_again(struct timer *t, void *arg)
{
	struct up *up = arg;
	char url[96];
	(void)t;
	const char *ip = up->opt.ip;
	if (str_eq(ip, "0.0.0.0") || str_eq(ip, "::") || str_eq(ip, ""))
		ip = "127.0.0.1";
	bool v6 = strchr(ip, ':') != NULL;
	if (str_format(url, sizeof url, "http://%s%s%s:%u/hub/health",
		v6 ? "[" : "", ip, v6 ? "]" : "", (unsigned)up->opt.port))
		return;
	struct fetch_req req = {
		.method = "GET", .url = url, .timeout_ms = 2000
	};
	fetch_start(up->fetcher, &req, on_probe, up);
}

static void on_child_ready(struct up *up, struct child *c)
{
	c->ready = true;
	if (up->ready || up->stopping)
		return;
	if (c == &up->child[SPAWNER] && !child_runs(&up->child[HUB]))
		start_rest(up);
	for (int i = 0; i < N_CHILDREN; i++)
		if (!up->child[i].ready)
			return;
	/* The hub is making its route at this moment. */
	timer_start(up->loop, &up->probe, 100, probe_again, up);
}

static pid_t sender_of(const struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, c)) {
		struct ucred cred;
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof cred);
		return cred.pid;
	}
	return 0;
}

/* "STATUS=..." is for people; the latest counts. */
static void keep_status(struct up *up, const char *text)
{
	const char *status = strstr(text, "STATUS=");

	up->hub_status[0] = '\0';
	if (!status || (status != text && status[-1] != '\n'))
		return;
	status += strlen("STATUS=");
	str_printable(up->hub_status, sizeof up->hub_status, status,
	    strcspn(status, "\n"));
}

/* sd_notify(3): believed only from the program itself. */
static void on_notify(struct watch *w, uint32_t events, void *arg)
{
	struct up *up = arg;
	char text[512];
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { text, sizeof text - 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof control.buf };
	(void)events;

	ssize_t n = recvmsg(w->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return;
	text[n] = '\0';
	pid_t pid = sender_of(&msg);
	if (pid && up->child[HUB].pid == pid)
		keep_status(up, text);
	for (int i = 0; pid && i < N_CHILDREN; i++)
		if (up->child[i].pid == pid &&
		    (str_starts(text, "READY=1") || strstr(text, "\nREADY=1")))
			on_child_ready(up, &up->child[i]);
}

static int open_notify(struct up *up, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char random[17];
	int one = 1;

	rand_hex(random, 16);
	if (str_format(up->notify_name, sizeof up->notify_name, "@carrel-up-%s",
		random))
		return err_set(err, ERR_INTERNAL, "name of a socket");
	size_t len = strlen(up->notify_name);
	memcpy(sa.sun_path + 1, up->notify_name + 1, len - 1);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) <
		0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0)
		return err_sys(err, "open the readiness socket");
	return watch_start(
	    up->loop, &up->notify, fd, EPOLLIN, on_notify, up, err);
}

/* ---- the three ----------------------------------------------------------- */

static bool on_child_exit(struct child *c, int status, void *arg)
{
	struct up *up = arg;
	char why[128];

	/* The hub may have servers to end (hub.cleanup_servers). */
	if (up->stopping) {
		if (c == &up->child[HUB])
			child_stop(&up->child[SPAWNER]);
		stop_if_all_ended(up);
		return false;
	}
	if (up->ready)
		return true;
	child_explain(status, why, sizeof why);
	fprintf(stderr,
	    "carrel: %s %s before it was ready; its lines above "
	    "say why\n",
	    c->spec.name, why);
	stop_all(up, 1);
	return false;
}

static int path_in(
    char *dst, const char *dir, const char *name, struct err *err)
{
	if (str_format(dst, PATH_MAX, "%s/%s", dir, name) < 0)
		return err_set(
		    err, ERR_INVALID, "%s/%s is too long", dir, name);
	return 0;
}

static int derive(struct up *up, struct err *err)
{
	struct arena a;
	int rc = 0;

	if (path_in(up->spawner_sock, up->site.run_dir, "spawner.sock", err) ||
	    path_in(up->hub_sock, up->site.run_dir, "hub.sock", err) ||
	    path_in(
		up->journal, up->site.proxy_state_dir, "routes.journal", err) ||
	    path_in(up->tls_dir, up->site.run_dir, "internal-tls", err))
		return -1;
	arena_init(&a);
	if (str_format(up->error_target, sizeof up->error_target,
		"http+unix://%s/hub/error",
		url_quote(&a, up->hub_sock, false)) ||
	    str_format(up->port_text, 8, "%u", (unsigned)up->opt.port) ||
	    str_format(
		up->api_port_text, 8, "%u", (unsigned)up->opt.api_port) ||
	    str_format(up->api_url, sizeof up->api_url, "http://127.0.0.1:%u",
		(unsigned)up->opt.api_port))
		rc = err_set(err, ERR_INVALID, "%s is too long", up->hub_sock);
	arena_fini(&a);
	return rc;
}

static int add_child(
    struct up *up, int i, const struct child_spec *spec, struct err *err)
{
	struct child *c = &up->child[i];
	if (child_init(c, up->loop, spec, up->site.bin_dir, err) < 0)
		return -1;
	c->exited = on_child_exit;
	c->arg = up;
	return str_copy(c->notify, sizeof c->notify, up->notify_name);
}

static int add_children(struct up *up, struct err *err)
{
	bool all = up->site.all_accounts;
	const struct up_options *o = &up->opt;
	struct child_spec spawner = { .name = "spawner",
		.program = "carrel-spawner",
		.config = o->spawner_config,
		.args = { "--config-fd", "3", "--socket", up->spawner_sock,
		    "--run-dir", up->site.run_dir,
		    o->pam_dir ? "--pam-dir" : NULL, o->pam_dir } };
	struct child_spec hub = { .name = "hub",
		.program = "carrel-hub",
		.account = all ? SITE_HUB_ACCOUNT : NULL,
		.config = o->config,
		.token_file = up->site.token_file,
		.args = { "--config-fd", "3", "--state-dir",
		    up->site.hub_state_dir, "--run-dir", up->site.run_dir,
		    "--spawner-socket", up->spawner_sock, "--hub-socket",
		    up->hub_sock, "--proxy-api-url", up->api_url,
		    all ? "--hub-socket-group" : NULL, SITE_PROXY_ACCOUNT } };
	struct child_spec proxy = { .name = "proxy",
		.program = "carrel-proxy",
		.account = all ? SITE_PROXY_ACCOUNT : NULL,
		.token_file = up->site.token_file,
		.args = { "--ip", o->ip, "--port", up->port_text, "--api-ip",
		    "127.0.0.1", "--api-port", up->api_port_text, "--journal",
		    up->journal, "--error-target", up->error_target,
		    "--client-ssl-dir", up->tls_dir, "--drain-timeout", "0",
		    hosts_are_used(o->config) ? "--host-routing" : NULL } };

	if (add_child(up, SPAWNER, &spawner, err) < 0 ||
	    add_child(up, HUB, &hub, err) < 0 ||
	    add_child(up, PROXY, &proxy, err) < 0)
		return -1;
	return 0;
}

/* The spawner first: it says at once what is wrong with root's policy. */
static void start_rest(struct up *up)
{
	struct err err;
	if (child_start(&up->child[PROXY], &err) < 0 ||
	    child_start(&up->child[HUB], &err) < 0) {
		cli_fail(&err);
		stop_all(up, 1);
	}
}

static int check_port(uint16_t port, const char *flag, struct err *err)
{
	char owner[128];
	int fd = sock_listen_tcp("127.0.0.1", port, false, err);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (err->code != ERR_EXISTS)
		return -1;
	sock_port_owner(port, owner, sizeof owner);
	return err_set(err, ERR_EXISTS,
	    "port %u is in use by %s; end that, or choose another port with "
	    "%s",
	    (unsigned)port, owner, flag);
}

static int up_begin(struct up *up, struct err *err)
{
	if (site_find(&up->site, up->opt.run_dir, up->opt.state_dir, err))
		return -1;
	printf("carrel: %s\n",
	    up->site.all_accounts
		? "started by root: serving all accounts of this machine"
		: "started by an ordinary account: serving that account only "
		  "(sudo make run serves all)");
	fflush(stdout);
	if (check_port(up->opt.port, "--port", err) < 0 ||
	    check_port(up->opt.api_port, "--api-port", err) < 0 ||
	    site_make(&up->site, err) < 0 || derive(up, err) < 0 ||
	    open_notify(up, err) < 0 ||
	    loop_signal(up->loop, SIGINT, on_signal, up, err) < 0 ||
	    loop_signal(up->loop, SIGTERM, on_signal, up, err) < 0 ||
	    add_children(up, err) < 0)
		return -1;
	timer_start(up->loop, &up->deadline, READY_TIMEOUT_MS, start_late, up);
	return child_start(&up->child[SPAWNER], err);
}

/* ---- arguments ----------------------------------------------------------- */

static int parse_port(const char *flag, const char *text, uint16_t *out)
{
	struct err err;
	if (num_u16(text, out, &err) == 0 && *out != 0)
		return 0;
	return cli_usage("up",
	    "--%s wants a number from 1 to 65535, not \"%s\"", flag, text);
}

static int parse(int argc, char **argv, struct up_options *o)
{
	static const struct option longs[] = {
		{ "config", 1, NULL, 'c' },
		{ "spawner-config", 1, NULL, 's' },
		{ "ip", 1, NULL, 'i' },
		{ "port", 1, NULL, 'p' },
		{ "api-port", 1, NULL, 'a' },
		{ "pam-dir", 1, NULL, 'm' },
		{ "run-dir", 1, NULL, 'r' },
		{ "state-dir", 1, NULL, 'd' },
		{ "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	*o = (struct up_options){ .config = "/etc/carrel/carrel.yaml",
		.spawner_config = "/etc/carrel/spawner.yaml",
		.ip = "127.0.0.1",
		.port = 8000,
		.api_port = 8001 };
	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		int rc = 0;
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 's':
			o->spawner_config = optarg;
			break;
		case 'i':
			o->ip = optarg;
			break;
		case 'p':
			rc = parse_port("port", optarg, &o->port);
			break;
		case 'a':
			rc = parse_port("api-port", optarg, &o->api_port);
			break;
		case 'm':
			o->pam_dir = optarg;
			break;
		case 'r':
			o->run_dir = optarg;
			break;
		case 'd':
			o->state_dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return -1;
		default:
			return cli_usage("up", "unknown or incomplete option");
		}
		if (rc != 0)
			return rc;
	}
	if (optind < argc)
		return cli_usage(
		    "up", "\"%s\" is not expected here", argv[optind]);
	return 0;
}

int cli_up(int argc, char **argv)
{
	static struct up up; /* large; there is one per process */
	struct err err = { 0 };

	int rc = parse(argc, argv, &up.opt);
	if (rc != 0)
		return rc < 0 ? 0 : rc;
	signal(SIGPIPE, SIG_IGN);
	up.loop = loop_new();
	up.fetcher = fetcher_new(up.loop, 2);
	if (up_begin(&up, &err) < 0) {
		up.exit_code = cli_fail(&err);
		for (int i = 0; i < N_CHILDREN; i++)
			child_kill(&up.child[i]);
	} else {
		loop_run(up.loop);
		say_goodbye(&up);
	}
	for (int i = 0; i < N_CHILDREN; i++)
		if (up.child[i].loop)
			child_fini(&up.child[i]);
	fetcher_free(&up.fetcher);
	watch_stop(&up.notify);
	loop_free(&up.loop);
	return up.exit_code;
}
