/*
 * Log lines to stderr (the journal takes them): one line per event, a constant
 * first text, then facts as key=value. Never a token, cookie, password, query
 * string or body. Every value is bounded and printable.
 *
 *   log_info(ctx, "server started", "pid=%d account=%s", pid, account);
 *   -> 2026-01-02T03:04:05.678Z info hub server started user=alice pid=12 ...
 */
#ifndef CARREL_BASE_LOG_H
#define CARREL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Who the line is about; every member may be NULL. Borrowed for the call. */
struct log_ctx {
	const char *request; /* request id */
	const char *user;
	const char *server;
};

/* `program` is copied: "hub", "proxy", "spawner". */
void log_open(const char *program, enum log_level level);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
/* "error" "warn" "info" "debug"; -1 for another word. */
int log_level_parse(const char *s, enum log_level *out) MUST_CHECK;
/* Lines go to this function instead of stderr (tests); NULL restores. */
void log_set_sink(void (*sink)(const char *line, void *arg), void *arg);
/* Lines go to this descriptor instead of stderr; -1 restores. */
void log_set_fd(int fd);

void log_write(enum log_level level, const struct log_ctx *ctx,
    const char *event, const char *fmt, ...) PRINTF_LIKE(4, 5);

#define log_error(ctx, event, ...) log_write(LOG_ERROR, ctx, event, __VA_ARGS__)
#define log_warn(ctx, event, ...)  log_write(LOG_WARN, ctx, event, __VA_ARGS__)
#define log_info(ctx, event, ...)  log_write(LOG_INFO, ctx, event, __VA_ARGS__)
#define log_debug(ctx, event, ...)                                             \
	do {                                                                   \
		if (log_wants(LOG_DEBUG))                                      \
			log_write(LOG_DEBUG, ctx, event, __VA_ARGS__);         \
	} while (0)

#endif
