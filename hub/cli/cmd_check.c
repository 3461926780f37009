/*
 * carrel check: what carrel-hub --check and carrel-spawner --check say.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "hub/cli/cli.h"
#include "hub/cli/site.h"
#include "hub/cli/verb.h"

extern char **environ;

/* Its exit code, or -1. */
static int run(const struct site *site, const char *program, const char *file,
    struct err *err)
{
	char path[PATH_MAX + 32];
	char *argv[] = { (char *)program, (char *)"--check",
		file ? (char *)"--config" : NULL, (char *)file, NULL };
	pid_t pid;
	int status, rc;

	if (str_format(path, sizeof path, "%s/%s", site->bin_dir, program) < 0)
		return err_set(err, ERR_INVALID, "%s: too long", program);
	fflush(stdout);
	rc = posix_spawn(&pid, path, NULL, NULL, argv, environ);
	if (rc != 0) {
		errno = rc;
		return err_sys(err, "run %s", path);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "wait for %s", program);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int check_cmd(struct call *c)
{
	struct site *site = xcalloc(1, sizeof *site);
	struct err err = { 0 };
	int hub = -1, spawner = -1;

	if (site_find(site, "/", "/", &err) == 0)
		hub =
		    run(site, "carrel-hub", call_value(c, OPTION_CONFIG), &err);
	if (hub >= 0)
		spawner = run(site, "carrel-spawner",
		    call_value(c, OPTION_SPAWNER_CONFIG), &err);
	free(site);
	if (hub < 0 || spawner < 0)
		return cli_fail(&err);
	return hub == 0 && spawner == 0 ? EXIT_DONE : EXIT_REFUSED;
}
