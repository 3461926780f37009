/*
 * What every verb says when it cannot go on: see cli.h.
 */
#include "hub/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "hub/cli/verb.h"

int cli_fail(const struct err *err)
{
	fprintf(stderr, "carrel: %s\n", err->text);
	return EXIT_REFUSED;
}

int cli_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "carrel %s: ", verb);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; see `carrel %s --help`\n", verb);
	return EXIT_WRONG_USE;
}
