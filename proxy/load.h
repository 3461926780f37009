/*
 * What the lines of the journal mean to the book of routes (proxy/journal.h has
 * the types): {"op":"set","at":MS,"route":{KEY:OBJECT}} and
 * {"op":"delete","path":KEY}.
 */
#ifndef CARREL_PROXY_LOAD_H
#define CARREL_PROXY_LOAD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* arg: the table, before workers run. */
int load_line(const json_t *line, void *arg, struct err *err) MUST_CHECK;
/* The whole table as lines; how many. */
size_t load_snapshot(struct buf *out, void *arg);

#endif
