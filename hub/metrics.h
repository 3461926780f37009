/*
 * What the hub counts and measures, declared in metrics.def and told at
 * /hub/metrics. Everybody records by one line; what can be asked for (users,
 * servers, connections) is asked when somebody reads.
 */
#ifndef CARREL_HUB_METRICS_H
#define CARREL_HUB_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct app;
struct metrics;
struct req;

enum metric {
#define METRIC(id, kind, name, labels, buckets, help)     METRIC_##id,
#define OWN_METRIC(id, kind, name, labels, buckets, help) METRIC_##id,
#define SERIES(id, first, second)
#include "hub/metrics.def"
#undef METRIC
#undef OWN_METRIC
#undef SERIES
	METRIC_N
};

/* -1: a variable JUPYTERHUB_METRICS_PREFIX or
 * JUPYTERHUB_SERVER_..._DURATION_SECONDS_BUCKETS is not what it must be. */
struct metrics *metrics_new(struct app *app, struct err *err);
/* Count users now and hourly, watch the event loop. */
void metrics_begin(struct app *app);
void metrics_free(struct metrics **m);

/* Each of these does nothing when app->metrics is NULL. */
void metrics_count(struct app *app, enum metric id);
/* A histogram's observation; its labels, NULL when the family has none. */
void metrics_took(struct app *app, enum metric id, int64_t us,
    const char *status, const char *reason);
/* The request is over; status 0: its client left. */
void metrics_request(struct req *r, int status);
/* All of it as text; -1: the database could not be asked. */
int metrics_text(struct app *app, struct buf *out, struct err *err) MUST_CHECK;

/* The label "handler": the reference's class for a pattern of routes.def; NULL:
 * metrics_handler.def does not have it. */
const char *metrics_handler_of(const char *pattern);
/* The same for a request to no route. */
const char *metrics_not_found(const struct req *r);

#endif
