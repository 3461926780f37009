/*
 * The log of one server: what it wrote to stdout and stderr, in two files of
 * at most LOGRING_FILE_MAX bytes. `log` is written; when it is full it takes
 * the place of `log.1`.
 */
#ifndef CARREL_SPAWNER_LOGRING_H
#define CARREL_SPAWNER_LOGRING_H

#include <stddef.h>

#include "base/err.h"

#define LOGRING_FILE_MAX (256 * 1024)
/* As SPAWNER_TAIL_MAX of the wire. */
#define LOGRING_TAIL_MAX 8192

struct logring {
	int dir_fd; /* borrowed */
	int fd;
	size_t len;
};

/* Goes on where an earlier one ended. */
int logring_open(struct logring *r, int dir_fd, struct err *err) MUST_CHECK;
void logring_close(struct logring *r);
/* Never fails: a log that cannot be written is lost. */
void logring_write(struct logring *r, const void *p, size_t n);
/* A line of ours among the server's: "carrel: ...". */
void logring_note(struct logring *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * The last LOGRING_TAIL_MAX bytes, from the beginning of a line, fit to be
 * shown: valid UTF-8, no control bytes but line ends and tabs, no terminal
 * sequences. malloc'ed; "" when there is none.
 */
char *logring_tail(int dir_fd);
/* The same for bytes in memory; in place, returns the new length. */
size_t logring_clean(char *p, size_t n);

#endif
