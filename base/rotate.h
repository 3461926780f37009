/*
 * A file that lines are appended to, bounded: when a line would make it longer
 * than allowed, it becomes NAME.1, what was NAME.1 becomes NAME.2, and so on;
 * the oldest goes. Each line is one write, so a line is whole or absent;
 * nothing is synced to the disk.
 */
#ifndef CARREL_BASE_ROTATE_H
#define CARREL_BASE_ROTATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rotate;

/* An absolute path; the file is made with mode 0600. What is there is kept, but
 * it must be a plain file. `keep` older ones stay: 0 to 99. */
struct rotate *rotate_open(
    const char *path, int64_t max_bytes, unsigned keep, struct err *err);
void rotate_close(struct rotate **r);
/* `text` ends in a newline. A longer line than max_bytes is INVALID. */
int rotate_write(
    struct rotate *r, const char *text, size_t len, struct err *err) MUST_CHECK;

#endif
