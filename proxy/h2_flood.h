/*
 * How often a client may send what costs us work and brings it nothing: one
 * bucket of tokens for each kind, per connection. Pure; time is an argument.
 */
#ifndef CARREL_PROXY_H2_FLOOD_H
#define CARREL_PROXY_H2_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/metrics.h"

struct h2_bucket {
	int64_t at_ms;
	uint32_t left; /* thousandths */
};

struct h2_budget {
	struct h2_bucket buckets[METRICS_N_FLOODS];
};

void h2_budget_init(struct h2_budget *b, int64_t now_ms);
/* One of that kind came. false: there were too many. */
bool h2_budget_spend(
    struct h2_budget *b, enum metrics_flood kind, int64_t now_ms);
/* We did something that n of that kind may answer. */
void h2_budget_earn(struct h2_budget *b, enum metrics_flood kind, uint32_t n);

#endif
