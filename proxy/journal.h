/*
 * The routes' journal: JSON lines that are on disk before a change is
 * acknowledged, so that a proxy that was killed comes back with its routes.
 * Lines that come while one write runs are written together; writing and
 * fdatasync run in base/offload. When most lines are history the file is
 * replaced by a snapshot (compaction). A torn last line is cut off.
 */
#ifndef CARREL_PROXY_JOURNAL_H
#define CARREL_PROXY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

struct journal;

/* One line, in order; -1 refuses it: it is reported and skipped. */
typedef int journal_line_fn(const json_t *line, void *arg, struct err *err);
/* The present state as lines, for a snapshot. */
typedef size_t journal_snapshot_fn(struct buf *out, void *arg);
typedef void journal_done_fn(const struct err *err, void *arg);

/*
 * Reads what is there (blocking; before the loop runs) and locks the file
 * against a second proxy: ERR_BUSY. The directory must exist.
 */
struct journal *journal_open(struct loop *l, const char *path,
    journal_line_fn *line, void *arg, struct err *err);
/*
 * The same from a process that leaves: fd is its journal with the lock that
 * goes with it, taken in any case. ERR_INVALID when `path` is another file.
 */
struct journal *journal_adopt(
    struct loop *l, const char *path, int fd, size_t n_lines, struct err *err);
/* Nothing is being written or waits for it. */
bool journal_is_idle(const struct journal *j);
/* The descriptor and the lines, for journal_adopt elsewhere. */
int journal_fd(const struct journal *j);
size_t journal_lines(const struct journal *j);
/* Where snapshots come from. */
void journal_set_snapshot(
    struct journal *j, journal_snapshot_fn *snapshot, void *arg);
/*
 * Append a line (with its newline). `done` comes later, in the order of calls,
 * when it is on disk; with an error it is not in the file.
 */
void journal_append(struct journal *j, const char *line, size_t len,
    journal_done_fn *done, void *arg);
/*
 * At the end of the process: wait for what is being written, then replace the
 * file by a snapshot (blocking). No line is taken afterwards.
 */
int journal_finish(struct journal *j, struct err *err) MUST_CHECK;
/* Waits for what is being written; each append gets its `done`. */
void journal_close(struct journal **j);

#endif
