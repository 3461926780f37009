/*
 * carrel-hub: the command line, the signals, the exit code. Everything else is
 * made in app.c.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sysd.h"
#include "hub/app.h"
#include "hub/audit.h"
#include "hub/openapi.h"
#include "hub/places.h"
#include "hub/providers.h"
#include "hub/reference_manual.h"
#include "hub/rest_manual.h"
#include "hub/review.h"
#include "hub/roster.h"
#include "hub/web.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* could not start, or could not go on */
	EXIT_USAGE = 2,  /* the command line is wrong */
	EXIT_CONFIG = 78 /* the configuration is wrong (sysexits.h) */
};

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_SAMPLE,
	ACTION_MANUAL,
	ACTION_REST,
	ACTION_OPENAPI,
	ACTION_REFERENCE,
	ACTION_ROUTES,
	ACTION_VERSION,
	ACTION_HELP,
};

struct args {
	enum action action;
	struct places_args places;
	int config_fd; /* -1: by name */
	const char *proxy_api_url;
	const char *socket_group;
	const char *proxy_token_file;
	uint16_t port; /* 0: as configured */
};

/* What a signal's handler needs. */
struct run {
	const struct args *args;
	struct app *app;
};

static const char usage[] =
    "carrel-hub: the part of Carrel that decides and keeps the database.\n"
    "\n"
    "  --config FILE           carrel.yaml (default /etc/carrel/carrel.yaml)\n"
    "  --config-fd N           read it from this open descriptor\n"
    "  --check                 check the configuration and end\n"
    "  --state-dir DIR         database and keys (/var/lib/carrel)\n"
    "  --run-dir DIR           sockets (/run/carrel)\n"
    "  --hub-socket PATH       our socket for the proxy\n"
    "  --hub-socket-group NAME the group that may connect to it\n"
    "  --spawner-socket PATH   the spawner's socket\n"
    "  --port N                our port for notebook servers (8081)\n"
    "  --proxy-api-url URL     the proxy's REST API (http://127.0.0.1:8001)\n"
    "  --proxy-token-file FILE its token; $CONFIGPROXY_AUTH_TOKEN wins\n"
    "  --print-sample-config   carrel.yaml with every option, commented\n"
    "  --print-config-manual   the same as a manual in Markdown\n"
    "  --print-rest            the REST API as a manual in Markdown\n"
    "  --print-openapi         the same as an OpenAPI document\n"
    "  --print-reference       JupyterHub's options and what they are here\n"
    "  --print-routes          every route, for tests\n"
    "  --version, --help\n"
    "\n"
    "Exit codes: 0 ended in order, 1 failed, 2 wrong command line,\n"
    "78 wrong configuration. SIGHUP reads the configuration again. The hub\n"
    "refuses to run as root.\n";

enum {
	OPT_CONFIG = 256,
	OPT_CONFIG_FD,
	OPT_CHECK,
	OPT_STATE_DIR,
	OPT_RUN_DIR,
	OPT_HUB_SOCKET,
	OPT_HUB_SOCKET_GROUP,
	OPT_SPAWNER_SOCKET,
	OPT_PORT,
	OPT_PROXY_API_URL,
	OPT_PROXY_TOKEN_FILE,
	OPT_SAMPLE,
	OPT_MANUAL,
	OPT_REST,
	OPT_OPENAPI,
	OPT_REFERENCE,
	OPT_ROUTES,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "config-fd", required_argument, NULL, OPT_CONFIG_FD },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "hub-socket", required_argument, NULL, OPT_HUB_SOCKET },
	{ "hub-socket-group", required_argument, NULL, OPT_HUB_SOCKET_GROUP },
	{ "spawner-socket", required_argument, NULL, OPT_SPAWNER_SOCKET },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "proxy-api-url", required_argument, NULL, OPT_PROXY_API_URL },
	{ "proxy-token-file", required_argument, NULL, OPT_PROXY_TOKEN_FILE },
	{ "print-sample-config", no_argument, NULL, OPT_SAMPLE },
	{ "print-config-manual", no_argument, NULL, OPT_MANUAL },
	{ "print-rest", no_argument, NULL, OPT_REST },
	{ "print-openapi", no_argument, NULL, OPT_OPENAPI },
	{ "print-reference", no_argument, NULL, OPT_REFERENCE },
	{ "print-routes", no_argument, NULL, OPT_ROUTES },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int take_number(struct args *a, int option, struct err *err)
{
	int64_t fd;

	if (option == OPT_PORT) {
		if (num_u16(optarg, &a->port, err) != 0 || a->port == 0)
			return err_set(err, ERR_INVALID,
			    "--port wants a number from 1 to 65535");
		return 0;
	}
	if (num_range(optarg, 0, 1023, &fd, err) != 0)
		return err_wrap(err, "--config-fd");
	a->config_fd = (int)fd;
	return 0;
}

static int take_option(struct args *a, int option, struct err *err)
{
	switch (option) {
	case OPT_CONFIG:
		a->places.config = optarg;
		return 0;
	case OPT_STATE_DIR:
		a->places.state_dir = optarg;
		return 0;
	case OPT_RUN_DIR:
		a->places.run_dir = optarg;
		return 0;
	case OPT_HUB_SOCKET:
		a->places.hub_socket = optarg;
		return 0;
	case OPT_HUB_SOCKET_GROUP:
		a->socket_group = optarg;
		return 0;
	case OPT_SPAWNER_SOCKET:
		a->places.spawner_socket = optarg;
		return 0;
	case OPT_PROXY_API_URL:
		a->proxy_api_url = optarg;
		return 0;
	case OPT_PROXY_TOKEN_FILE:
		a->proxy_token_file = optarg;
		return 0;
	case OPT_CONFIG_FD:
	case OPT_PORT:
		return take_number(a, option, err);
	case OPT_CHECK:
		a->action = ACTION_CHECK;
		return 0;
	case OPT_SAMPLE:
		a->action = ACTION_SAMPLE;
		return 0;
	case OPT_MANUAL:
		a->action = ACTION_MANUAL;
		return 0;
	case OPT_REST:
		a->action = ACTION_REST;
		return 0;
	case OPT_OPENAPI:
		a->action = ACTION_OPENAPI;
		return 0;
	case OPT_REFERENCE:
		a->action = ACTION_REFERENCE;
		return 0;
	case OPT_ROUTES:
		a->action = ACTION_ROUTES;
		return 0;
	case OPT_VERSION:
		a->action = ACTION_VERSION;
		return 0;
	case OPT_HELP:
		a->action = ACTION_HELP;
		return 0;
	}
	/* getopt has said what is wrong. */
	return err_set(err, ERR_INVALID, "see carrel-hub --help");
}

static int parse_args(int argc, char **argv, struct args *a, struct err *err)
{
	int option;

	*a = (struct args){ .config_fd = -1 };
	while (
	    (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (take_option(a, option, err) != 0)
			return -1;
	}
	if (optind < argc)
		return err_set(err, ERR_INVALID,
		    "unexpected \"%s\"; see carrel-hub --help", argv[optind]);
	if (a->config_fd >= 0 && a->places.config)
		return err_set(err, ERR_INVALID,
		    "--config and --config-fd exclude each other");
	return 0;
}

/* ---- configuration ------------------------------------------------------- */

static int read_config(const struct args *a, struct arena *arena,
    const char **file, char **text, size_t *len, struct err *err)
{
	if (a->config_fd >= 0) {
		*file = "carrel.yaml";
		if (fd_read_all(
			a->config_fd, CONFIG_FILE_MAX, text, len, err) != 0)
			return err_wrap(err, "--config-fd %d", a->config_fd);
		return 0;
	}
	*file = a->places.config ? a->places.config : places_config(arena);
	if (file_read_all(*file, CONFIG_FILE_MAX, text, len, err) != 0)
		return err_wrap(err, "the configuration (see --config)");
	return 0;
}

#define HINT_NOBODY                                                            \
	"hint=\"set auth.allow_all or auth.allowed_users, or another list of " \
	"section auth\""

/* What the table cannot know: the kind exists, the rules can be compiled. */
static int check_auth(
    const struct config *cfg, const char *file, struct err *err)
{
	struct auth_rules *rules;
	int rc;

	if (!authenticator_find(cfg->auth_type))
		return err_set(err, ERR_INVALID,
		    "\"auth.type\" must be one of %s; found \"%.32s\"",
		    authenticator_names(), cfg->auth_type);
	if (str_eq(cfg->account_names, "escaped") &&
	    str_eq(cfg->auth_type, "pam"))
		return err_set(err, ERR_INVALID,
		    "\"auth.account_names: escaped\" is for logins elsewhere: "
		    "with \"auth.type: pam\" people have accounts, under their "
		    "own names");
	if (providers_check(cfg, file, err) != 0)
		return -1;
	rules = rules_open(&cfg->rules, err);
	if (!rules)
		return -1;
	if (rules_admit_nobody(rules))
		log_warn(NULL, "nobody may log in", HINT_NOBODY);
	rc = roster_check(cfg, rules, file, err);
	rules_close(&rules);
	return rc;
}

/* What the command line says wins over the file. */
static void take_overrides(const struct args *a, struct config *cfg)
{
	if (a->proxy_api_url)
		cfg->proxy_api_url = a->proxy_api_url;
	if (a->socket_group)
		cfg->socket_group = a->socket_group;
	if (a->proxy_token_file)
		cfg->proxy_token_file = a->proxy_token_file;
	if (a->port)
		cfg->hub_port = a->port;
}

static int load_config(const struct args *a, struct arena *arena,
    struct config *cfg, const char **file, struct buf *problems)
{
	struct err err = { .code = ERR_NONE };
	char *text = NULL;
	size_t len = 0;
	int rc;

	*file = "carrel.yaml";
	rc = read_config(a, arena, file, &text, &len, &err);
	if (rc != 0)
		buf_printf(problems, "%s\n", err.text);
	else
		rc = config_load(arena, text, len, *file, cfg, problems, &err);
	free(text);
	if (rc == 0 && check_auth(cfg, *file, &err) != 0) {
		buf_printf(problems, "%s: %s\n", *file, err.text);
		rc = -1;
	}
	take_overrides(a, cfg);
	return rc;
}

static int check_only(struct app *app, struct buf *problems, int rc)
{
	struct err err = { .code = ERR_NONE };

	if (rc == 0 && (app_check_auth(app, &err) != 0 ||
			   web_check(&app->cfg, &err) != 0)) {
		buf_printf(
		    problems, "%s: %s\n", app->places.config_file, err.text);
		rc = -1;
	}
	if (rc != 0) {
		fputs(buf_view(problems), stderr);
		return EXIT_CONFIG;
	}
	printf("%s: the configuration is right\n", app->places.config_file);
	return EXIT_OK;
}

/* ---- running ------------------------------------------------------------- */

static int fail(const char *doing, const struct err *err)
{
	log_error(NULL, doing, "why=\"%s\"", err->text);
	return EXIT_FAILED;
}

static void on_end_signal(int signo, void *arg)
{
	struct app *app = arg;

	log_info(NULL, "asked to end", "signal=%d", signo);
	sysd_notify("STOPPING=1");
	if (app->cfg.cleanup_servers && !app_is_ending(app))
		app_stop_soon(app, true);
	else
		app_stop(app);
}

static void set_log_level(const struct config *cfg)
{
	enum log_level level;

	if (log_level_parse(cfg->log_level, &level) == 0)
		log_set_level(level);
}

static void show_change(
    const struct conf_option *o, const char *from, const char *to, void *arg)
{
	(void)arg;
	log_info(NULL, "option changed",
	    "option=%s from=\"%s\" to=\"%s\" in_force=\"%s\"", o->path, from,
	    to, o->restart ? "after a restart" : "now");
}

static void apply(struct app *app, const struct config *fresh)
{
	struct buf applied, waiting;
	struct err err = { 0 };

	config_changes(&app->cfg, fresh, show_change, NULL);

	buf_init(&applied, 8192);
	buf_init(&waiting, 8192);
	config_apply(&app->cfg, fresh, &applied, &waiting);
	set_log_level(&app->cfg);
	log_info(NULL, "the configuration was read again",
	    "changed=\"%s\" waits_for_restart=\"%s\"", buf_view(&applied),
	    buf_view(&waiting));
	audit_hub(app, AUDIT_CONFIG_CHANGED, buf_view(&applied));
	if (rules_block_anew(app->rules, &err) != 0)
		log_error(NULL, "auth.blocked_users is the old list",
		    "why=\"%s\"", err.text);
	if (roster_load(app, &err) != 0)
		log_error(NULL, "the rosters are as they were", "why=\"%s\"",
		    err.text);
	if (review_blocked(app, &err) != 0)
		log_error(NULL, "auth.blocked_users is not in force",
		    "why=\"%s\"", err.text);
	buf_fini(&applied);
	buf_fini(&waiting);
}

/*
 * The strings of each reading stay in the app's arena, because somebody may
 * hold one: a few KiB each time an administrator says "reload".
 */
static void on_hangup(int signo, void *arg)
{
	struct run *r = arg;
	struct config fresh;
	struct buf problems;
	const char *file;

	(void)signo;
	if (r->args->config_fd >= 0) {
		log_warn(NULL, "the configuration came by descriptor",
		    "hint=\"restart to read it again: servers run on\"");
		return;
	}
	buf_init(&problems, 64 * 1024);
	if (load_config(
		r->args, &r->app->config_arena, &fresh, &file, &problems) == 0)
		apply(r->app, &fresh);
	else
		log_error(NULL, "the configuration is wrong: nothing changed",
		    "problems=\"%s\"", buf_view(&problems));
	buf_fini(&problems);
}

static int take_signals(struct run *r, struct err *err)
{
	struct app *app = r->app;

	signal(SIGPIPE, SIG_IGN);
	if (loop_signal(app->loop, SIGTERM, on_end_signal, app, err) != 0 ||
	    loop_signal(app->loop, SIGINT, on_end_signal, app, err) != 0)
		return -1;
	return loop_signal(app->loop, SIGHUP, on_hangup, r, err);
}

static int set_places(const struct args *a, struct app *app, struct err *err)
{
	struct places p;

	if (places_find(&app->config_arena, &a->places, app->cfg.spawner_socket,
		app->cfg.socket, &p, err) != 0)
		return -1;
	app->places.state_dir = p.state_dir;
	app->places.keys_dir = p.keys_dir;
	app->places.hub_socket = p.hub_socket;
	app->places.admin_socket = p.admin_socket;
	app->places.spawner_socket = p.spawner_socket;
	app->places.database = p.database;
	return 0;
}

static int open_all(struct run *r, struct err *err)
{
	const struct args *a = r->args;
	struct app *app = r->app;
	const char *token;

	app->loop = loop_new();
	if (!app->loop)
		return err_set(err, ERR_IO, "no event loop could be made");
	if (take_signals(r, err) != 0 || set_places(a, app, err) != 0)
		return -1;
	if (places_proxy_token(&app->config_arena, app->cfg.proxy_token_file,
		&token, err) != 0)
		return -1;
	return app_open(app, token, err);
}

/* Where it is seen: last in the log, in systemctl status, by carrel up. */
static void say_ready(const struct app *app)
{
	log_info(NULL, "ready", "version=%s port=%d socket=%s", CARREL_VERSION,
	    (int)app->cfg.hub_port, app->places.hub_socket);
	if (!rules_admit_nobody(app->rules)) {
		sysd_notify("READY=1");
		return;
	}
	log_error(NULL, "nobody may log in", HINT_NOBODY);
	sysd_notify("STATUS=Nobody may log in: set auth.allow_all, or a list "
		    "of people or groups, in section auth of carrel.yaml, and "
		    "restart the hub.\nREADY=1");
}

static int run(const struct args *a, struct app *app)
{
	struct run r = { .args = a, .app = app };
	struct err err = { .code = ERR_NONE };
	int code;

	if (open_all(&r, &err) != 0) {
		code = fail("the hub cannot start", &err);
	} else {
		say_ready(app);
		loop_run(app->loop);
		code = app->exit_code;
		log_info(NULL, "ended", "code=%d", code);
	}
	app_close(app);
	loop_free(&app->loop);
	return code;
}

static int load_and_run(const struct args *a)
{
	struct app app = { .started_us = clock_wall_us() };
	struct buf problems;
	int code, rc;

	arena_init(&app.config_arena);
	buf_init(&problems, 64 * 1024);
	rc = load_config(
	    a, &app.config_arena, &app.cfg, &app.places.config_file, &problems);
	if (a->action == ACTION_CHECK || rc != 0) {
		code = check_only(&app, &problems, rc);
	} else {
		set_log_level(&app.cfg);
		code = run(a, &app);
	}
	buf_fini(&problems);
	arena_fini(&app.config_arena);
	return code;
}

static int print_generated(void (*write)(struct buf *b))
{
	struct buf b;
	int code;

	buf_init(&b, 1024 * 1024);
	write(&b);
	code = !b.overflow && fputs(buf_view(&b), stdout) >= 0 &&
		       fflush(stdout) == 0
		   ? EXIT_OK
		   : EXIT_FAILED;
	buf_fini(&b);
	return code;
}

int main(int argc, char **argv)
{
	struct args args;
	struct err err;

	/* `carrel up` starts programs by descriptor: they would be called "3".
	 */
	(void)prctl(PR_SET_NAME, "carrel-hub");
	log_open("hub", LOG_INFO);
	if (parse_args(argc, argv, &args, &err) != 0) {
		fprintf(stderr, "carrel-hub: %s\n", err.text);
		return EXIT_USAGE;
	}
	switch (args.action) {
	case ACTION_HELP:
		fputs(usage, stdout);
		return EXIT_OK;
	case ACTION_VERSION:
		printf("carrel-hub %s (speaks JupyterHub %s)\n", CARREL_VERSION,
		    COMPAT_VERSION);
		return EXIT_OK;
	case ACTION_SAMPLE:
		return print_generated(config_write_sample);
	case ACTION_MANUAL:
		return print_generated(config_write_manual);
	case ACTION_REST:
		return print_generated(rest_write_manual);
	case ACTION_OPENAPI:
		return print_generated(openapi_write);
	case ACTION_REFERENCE:
		return print_generated(reference_write_manual);
	case ACTION_ROUTES:
		return print_generated(openapi_write_routes);
	case ACTION_CHECK:
	case ACTION_RUN:
		break;
	}
	if (args.action == ACTION_RUN && geteuid() == 0) {
		fprintf(stderr,
		    "carrel-hub: refuses to run as root. Run it as the account "
		    "\"" PLACES_ACCOUNT "\" (carrel up and the systemd unit do "
		    "that) or as yourself\n");
		return EXIT_USAGE;
	}
	return load_and_run(&args);
}
