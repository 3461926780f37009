/*
 * A proxy for tests: implements proxy/client.h over a table in memory. Requests
 * wait until the test applies and answers them, in any order and with any
 * result; the table outlives the hub.
 */
#ifndef CARREL_TESTS_SIM_FAKE_PROXY_H
#define CARREL_TESTS_SIM_FAKE_PROXY_H

#include "base/list.h"
#include "proxy/client.h"

enum fake_request_kind { FAKE_ADD, FAKE_DELETE, FAKE_ROUTES };

struct fake_request {
	struct list link;
	uint64_t id;
	enum fake_request_kind kind;
	char *path, *target;
	json_t *data;
	proxy_done_fn *done;
	proxy_list_fn *listed;
	void *arg;
	bool is_cancelled; /* nobody waits for the answer any more */
	bool is_applied;
	json_t *snapshot; /* FAKE_ROUTES, when applied */
};

struct fake_proxy {
	json_t *routes; /* unescaped path -> route */
	struct list requests;
	uint64_t last_id;
	void (*queued)(struct fake_request *r);
};
extern struct fake_proxy fake_proxy;

void fake_proxy_init(void);
void fake_proxy_fini(void);
/* The proxy does it. */
void fake_proxy_apply(struct fake_request *r);
/* The hub hears of it (code ERR_NONE: done); r is freed. */
void fake_proxy_answer(struct fake_request *r, enum err_code code);
/* All that wait, in order: applied and answered. */
void fake_proxy_serve(void);
/* Restarted without a memory. */
void fake_proxy_forget(void);
/* The target of a path, or NULL. */
const char *fake_proxy_target(const char *path);

#endif
