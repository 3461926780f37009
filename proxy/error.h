/*
 * Error pages (contract/proxy.md 8): from the error target, from files, or
 * built in. Whatever fails on the way, the built-in page is the answer, so an
 * error is always answered, and in bounded time.
 */
#ifndef CARREL_PROXY_ERROR_H
#define CARREL_PROXY_ERROR_H

#include <stdbool.h>

#include "base/err.h"

struct error_job;
struct errors;
struct exchange;
struct worker;

/* The sources of one worker; made on any thread before it runs. */
struct errors *errors_new(struct worker *w);
/* After all exchanges are gone. */
void errors_free(struct errors **e);

/*
 * Answer ex with the page for its status: exchange_answer is called now (ex is
 * gone then), or ex->page is set and it is called later, and then conn_run.
 */
void error_page(struct errors *e, struct exchange *ex);
/* The exchange ends before its page came. Sets NULL; accepts NULL inside. */
void error_cancel(struct error_job **job);

#endif
