/*
 * carrel stop --all: ends every notebook server of this machine, whether
 * Carrel is up or not. The keepers are the spawner's, so its program does it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "hub/cli/cli.h"
#include "hub/cli/site.h"

static const char help[] =
    "usage: carrel stop --all [--run-dir DIR]\n"
    "\n"
    "End every notebook server that Carrel started here, with all its\n"
    "processes, and every managed service, whether Carrel is up or not. As\n"
    "root: those of all accounts. A hub that runs starts its services again.\n";

static int stop_all(const char *run_dir)
{
	struct site p;
	struct err err;
	char program[PATH_MAX + 32];

	if (site_find(&p, run_dir, NULL, &err) < 0)
		return cli_fail(&err);
	if (str_format(
		program, sizeof program, "%s/carrel-spawner", p.bin_dir) < 0)
		return 1;
	execl(program, "carrel-spawner", "--stop-all", "--run-dir", p.run_dir,
	    (char *)NULL);
	err_sys(&err, "run %s", program);
	return cli_fail(&err);
}

int cli_stop(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", 0, NULL, 'a' },
		{ "run-dir", 1, NULL, 'r' },
		{ "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *run_dir = NULL;
	bool all = false;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'r':
			run_dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return cli_usage(
			    "stop", "unknown or incomplete option");
		}
	}
	if (!all || optind < argc)
		return cli_usage("stop", "say --all to end every server");
	return stop_all(run_dir);
}
