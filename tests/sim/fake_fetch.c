/*
 * See fake_fetch.h.
 */
#include "tests/sim/fake_fetch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct fake_fetches fake_fetches;

struct fetcher {
	int unused;
};

void fake_fetch_init(void)
{
	fake_fetches = (struct fake_fetches){ .last_id = 0 };
	list_init(&fake_fetches.waiting);
}

struct fetcher *fetcher_new(struct loop *l, unsigned max_connections)
{
	(void)l;
	(void)max_connections;
	return xcalloc(1, sizeof(struct fetcher));
}

static void free_one(struct fake_fetch *f)
{
	list_del(&f->link);
	free(f->url);
	free(f);
}

void fetcher_free(struct fetcher **f)
{
	while (fake_fetch_first())
		free_one(fake_fetch_first());
	free(*f);
	*f = NULL;
}

uint64_t fetch_start(struct fetcher *f, const struct fetch_req *req,
    fetch_done_fn *done, void *arg)
{
	struct fake_fetch *one = xcalloc(1, sizeof *one);

	(void)f;
	one->id = ++fake_fetches.last_id;
	one->url = xstrdup(req->url);
	one->done = done;
	one->arg = arg;
	list_add_tail(&fake_fetches.waiting, &one->link);
	if (fake_fetches.queued)
		fake_fetches.queued(one);
	return one->id;
}

void fetch_cancel(struct fetcher *f, uint64_t id)
{
	struct fake_fetch *one = fake_fetch_find(id);

	(void)f;
	if (one)
		free_one(one);
}

const char *fetch_header(const struct fetch_result *res, const char *name)
{
	for (size_t i = 0; i < res->n_headers; i++) {
		if (strcasecmp(res->headers[i].name, name) == 0)
			return res->headers[i].value;
	}
	return NULL;
}

void fake_fetch_answer(struct fake_fetch *f, int status)
{
	const struct fetch_header version = {
		.name = "X-JupyterHub-Version",
		.value = "3.0.0",
	};
	struct fetch_result res = { .status = status };
	fetch_done_fn *done = f->done;
	void *arg = f->arg;

	if (status > 0) {
		res.headers = &version;
		res.n_headers = 1;
	} else {
		err_set(&res.err, ERR_UNAVAILABLE, "connection refused");
	}
	free_one(f);
	done(&res, arg);
}

struct fake_fetch *fake_fetch_first(void)
{
	if (list_empty(&fake_fetches.waiting))
		return NULL;
	return LIST_ITEM(fake_fetches.waiting.next, struct fake_fetch, link);
}

struct fake_fetch *fake_fetch_find(uint64_t id)
{
	list_for_each (it, &fake_fetches.waiting) {
		struct fake_fetch *f = LIST_ITEM(it, struct fake_fetch, link);

		if (f->id == id)
			return f;
	}
	return NULL;
}
