/*
 * A few threads for what may block (fdatasync, name look-up, password hashing).
 * `work` runs on one of them and touches only what its argument owns; `done`
 * runs on the loop's thread afterwards. The queue is bounded.
 */
#ifndef CARREL_BASE_OFFLOAD_H
#define CARREL_BASE_OFFLOAD_H

#include <stddef.h>

#include "base/err.h"
#include "base/loop.h"

struct offload;
typedef void offload_fn(void *arg);

struct offload *offload_new(struct loop *l, size_t n_threads, size_t max_queue);
/* Waits for what runs; what was queued is done too, and each `done` is called
 * before this returns. Not from a `done`. */
void offload_free(struct offload **o);
/* ERR_LIMIT when max_queue jobs wait for a thread. `done` may be NULL. */
int offload_submit(struct offload *o, offload_fn *work, offload_fn *done,
    void *arg, struct err *err) MUST_CHECK;

#endif
