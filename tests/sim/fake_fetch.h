/*
 * HTTP answers for tests: implements base/fetch.h without a network. A request
 * waits until the test answers it.
 */
#ifndef CARREL_TESTS_SIM_FAKE_FETCH_H
#define CARREL_TESTS_SIM_FAKE_FETCH_H

#include "base/fetch.h"
#include "base/list.h"

struct fake_fetch {
	struct list link;
	uint64_t id;
	char *url;
	fetch_done_fn *done;
	void *arg;
};

struct fake_fetches {
	struct list waiting;
	uint64_t last_id;
	void (*queued)(struct fake_fetch *f);
};
extern struct fake_fetches fake_fetches;

void fake_fetch_init(void);
/* status 0: nobody answers. f is freed. */
void fake_fetch_answer(struct fake_fetch *f, int status);
/* The first that waits, or NULL. */
struct fake_fetch *fake_fetch_first(void);
struct fake_fetch *fake_fetch_find(uint64_t id);

#endif
