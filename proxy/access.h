/*
 * The access log: lines from the workers to a file, FIFO or standard output.
 * Each worker puts whole lines into a ring of its own; one thread writes them
 * out. Nobody else ever waits for the log: when it is slow and a ring is full,
 * lines are dropped and counted. Knows no request; proxy/access_note.h does.
 */
#ifndef CARREL_PROXY_ACCESS_H
#define CARREL_PROXY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* With its newline; a longer one is cut by who makes it. Fits PIPE_BUF. */
#define ACCESS_LINE_MAX 4000

struct access;
struct access_ring;

/*
 * path "-" is standard output. A file is made 0640; it must be a plain file of
 * ours or of root with one name that not everybody may write, a FIFO (that is
 * read) or a character device; the last part of its path is no symbolic link.
 */
struct access *access_open(const char *path, size_t n_rings, struct err *err);
/* Starts the thread. */
int access_run(struct access *a, struct err *err) MUST_CHECK;
/* Open the file by its name again (it was rotated). Any thread. On failure the
 * old one stays and the log says so. */
void access_reopen(struct access *a);
/* After the workers. What is in the rings is written, but not waited for long.
 */
void access_close(struct access **a);

/* ---- one worker's -------------------------------------------------------- */

struct access_ring *access_ring(struct access *a, size_t i);
/* false: there is no room. Never waits. */
bool access_put(struct access_ring *r, const char *line, size_t n);

#endif
