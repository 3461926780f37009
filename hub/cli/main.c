/*
 * The administrator's command: finds the verb.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "hub/cli/cli.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *doc;
};

static const struct verb verbs[] = {
	{ "up", cli_up, "run spawner, hub and proxy here, in the foreground" },
	{ "stop", cli_stop, "end notebook servers that run here" },
};

#define N_VERBS (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *f)
{
	fputs("usage: carrel VERB [options]\n\n", f);
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].doc);
	fputs("\n`carrel VERB --help` tells more; `carrel --version` the "
	      "version.\n",
	    f);
}

int cli_fail(const struct err *err)
{
	fprintf(stderr, "carrel: %s\n", err->text);
	return 1;
}

int cli_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "carrel %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see `carrel %s --help`\n", verb);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "-V")) {
		printf("carrel %s\n", CARREL_VERSION);
		return 0;
	}
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "help")) {
		print_help(stdout);
		return 0;
	}
	for (size_t i = 0; i < N_VERBS; i++)
		if (str_eq(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "carrel: there is no verb \"%.40s\"\n\n", argv[1]);
	print_help(stderr);
	return 2;
}
