/*
 * Buckets of tokens: see h2_flood.h.
 */
#include "proxy/h2_flood.h"

#include <stddef.h>

/* By then every bucket is full again. */
#define FULL_MS 600000

struct rule {
	uint32_t burst, per_second;
};

/* Far above what browsers, curl and nghttp2's own tools do. */
static const struct rule rules[METRICS_N_FLOODS] = {
	/* A page that is left ends up to 100 streams at once. */
	[METRICS_FLOOD_RESETS] = { 300, 50 },
	[METRICS_FLOOD_SETTINGS] = { 50, 5 },
	[METRICS_FLOOD_PINGS] = { 100, 10 },
	/* And some for each frame of data that we send. */
	[METRICS_FLOOD_WINDOWS] = { 1000, 100 },
	[METRICS_FLOOD_PRIORITIES] = { 500, 50 },
	[METRICS_FLOOD_EMPTY_DATA] = { 100, 10 },
	/* nghttp2 counts these; one is too many. */
	[METRICS_FLOOD_CONTINUATIONS] = { 0, 0 },
	/* Heads that go far over what we offer: each is work for HPACK. */
	[METRICS_FLOOD_HEADS] = { 20, 2 },
};

void h2_budget_init(struct h2_budget *b, int64_t now_ms)
{
	for (size_t i = 0; i < METRICS_N_FLOODS; i++)
		b->buckets[i] =
		    (struct h2_bucket){ now_ms, rules[i].burst * 1000 };
}

static void add(struct h2_bucket *k, const struct rule *rule, uint64_t more)
{
	uint64_t all = k->left + more, most = (uint64_t)rule->burst * 1000;

	k->left = (uint32_t)(all < most ? all : most);
}

bool h2_budget_spend(
    struct h2_budget *b, enum metrics_flood kind, int64_t now_ms)
{
	struct h2_bucket *k = &b->buckets[kind];
	int64_t passed_ms = now_ms - k->at_ms;

	if (passed_ms > 0) {
		k->at_ms = now_ms;
		if (passed_ms > FULL_MS)
			passed_ms = FULL_MS;
		add(k, &rules[kind],
		    (uint64_t)passed_ms * rules[kind].per_second);
	}
	if (k->left < 1000)
		return false;
	k->left -= 1000;
	return true;
}

void h2_budget_earn(struct h2_budget *b, enum metrics_flood kind, uint32_t n)
{
	add(&b->buckets[kind], &rules[kind], (uint64_t)n * 1000);
}
