/*
 * Log lines: see log.h. A line is built on the stack and goes out in one
 * write(2), so that lines of several threads or programs never mix.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define LINE_MAX_BYTES 2048
#define VALUE_MAX      128

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};
#define N_LEVELS (sizeof level_names / sizeof level_names[0])

/* Set before threads start; the level may change while they run. */
static char program[32] = "carrel";
static atomic_int wanted = LOG_INFO;
static void (*sink)(const char *line, void *arg);
static void *sink_arg;
static int log_fd = STDERR_FILENO;

void log_open(const char *name, enum log_level level)
{
	str_printable(program, sizeof program, name, strlen(name));
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&wanted, (int)level, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
	return (int)level <=
	       atomic_load_explicit(&wanted, memory_order_relaxed);
}

int log_level_parse(const char *s, enum log_level *out)
{
	for (size_t i = 0; i < N_LEVELS; i++) {
		if (!str_eq(s, level_names[i]))
			continue;
		*out = (enum log_level)i;
		return 0;
	}
	return -1;
}

void log_set_sink(void (*fn)(const char *line, void *arg), void *arg)
{
	sink = fn;
	sink_arg = arg;
}

void log_set_fd(int fd)
{
	log_fd = fd >= 0 ? fd : STDERR_FILENO;
}

/* The line under construction; text has room for NUL or a newline after len. */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

/* Appends what fits, made printable; the last byte is kept for the newline. */
static void add(struct line *l, const char *s, size_t len)
{
	char *at = l->text + l->len;

	str_printable(at, sizeof l->text - l->len - 1, s, len);
	l->len += strlen(at);
}

static void add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

/* " key=value"; a value that could be read as two facts is quoted. */
static void add_fact(struct line *l, const char *key, const char *value)
{
	char shown[VALUE_MAX];
	bool is_plain;

	if (value == NULL)
		return;
	str_printable(shown, sizeof shown, value, strlen(value));
	for (char *c = shown; *c != '\0'; c++)
		if (*c == '"')
			*c = '\'';
	is_plain = shown[0] != '\0' && strpbrk(shown, " ='") == NULL;
	add_str(l, " ");
	add_str(l, key);
	add_str(l, is_plain ? "=" : "=\"");
	add_str(l, shown);
	add_str(l, is_plain ? "" : "\"");
}

static void add_head(struct line *l, enum log_level level, const char *event)
{
	char now[CLOCK_ISO_MAX];

	clock_format_iso_ms(clock_wall_us(), now);
	add_str(l, now);
	add_str(l, " ");
	add_str(l, level_names[level]);
	add_str(l, " ");
	add_str(l, program);
	add_str(l, " ");
	add_str(l, event);
}

/* A log that cannot be written must not stop the work: give up silently. */
static void put(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void emit(struct line *l)
{
	int saved = errno;

	if (sink != NULL) {
		sink(l->text, sink_arg);
	} else {
		l->text[l->len++] = '\n';
		put(log_fd, l->text, l->len);
	}
	errno = saved;
}

/* The line's memory is touched only when somebody wants it. */
static void write_line(enum log_level level, const struct log_ctx *ctx,
    const char *event, const char *fmt, va_list ap)
{
	struct line l;
	char facts[LINE_MAX_BYTES];
	int n;

	l.len = 0;
	add_head(&l, level, event);
	if (ctx != NULL) {
		add_fact(&l, "request", ctx->request);
		add_fact(&l, "user", ctx->user);
		add_fact(&l, "server", ctx->server);
	}
	n = vsnprintf(facts, sizeof facts, fmt, ap);
	if (n > 0) {
		add_str(&l, " ");
		add_str(&l, facts);
	}
	emit(&l);
}

void log_write(enum log_level level, const struct log_ctx *ctx,
    const char *event, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	write_line(level, ctx, event, fmt, ap);
	va_end(ap);
}
