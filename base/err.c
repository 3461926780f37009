/*
 * Errors as values: see err.h.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#undef err_set
#undef err_sys
#undef err_wrap

/* Longer texts are cut with "..." when they are stored. */
#define SCRATCH 1024

static const char *const names[] = {
	[ERR_NONE] = "none",
	[ERR_INVALID] = "invalid",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_EXISTS] = "exists",
	[ERR_DENIED] = "denied",
	[ERR_BUSY] = "busy",
	[ERR_LIMIT] = "limit",
	[ERR_TIMEOUT] = "timeout",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_PROTOCOL] = "protocol",
	[ERR_IO] = "io",
	[ERR_CANCELLED] = "cancelled",
	[ERR_INTERNAL] = "internal",
};
#define N_NAMES (sizeof names / sizeof names[0])

/* One printable line, whatever a peer put into the arguments. */
static void store(struct err *err, const char *text)
{
	str_printable(err->text, sizeof err->text, text, strlen(text));
}

static void format(char out[SCRATCH], const char *fmt, va_list ap)
{
	if (vsnprintf(out, SCRATCH, fmt, ap) < 0)
		out[0] = '\0';
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char text[SCRATCH];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	err->code = code;
	err->sys_errno = 0;
	store(err, text);
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char text[SCRATCH], reason[128], whole[SCRATCH + 256];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof whole, "%s: %s", text,
	    strerror_r(saved, reason, sizeof reason));
	err->code = ERR_IO;
	err->sys_errno = saved;
	store(err, whole);
	errno = saved;
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char text[SCRATCH], whole[SCRATCH + sizeof err->text + 2];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof whole, "%s: %s", text, err->text);
	store(err, whole);
	return -1;
}

void err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->sys_errno = 0;
	err->text[0] = '\0';
}

const char *err_code_name(enum err_code code)
{
	if ((size_t)code >= N_NAMES)
		return names[ERR_INTERNAL];
	return names[code];
}

enum err_code err_code_parse(const char *name)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (str_eq(name, names[i]))
			return (enum err_code)i;
	return ERR_INTERNAL;
}
