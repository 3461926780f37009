/*
 * Counters from one process to the next: see metrics.h. The numbers of the
 * families are what two versions agree on: they are never used anew.
 */
#include <stddef.h>

#include "proxy/metrics.h"
#include "proxy/parcel.h"

struct family {
	uint16_t number;
	size_t offset, n;
	enum { SUM, OPEN, GREATEST } kind;
};

#define MEMBER(m)       offsetof(struct metrics, m), 1
#define ARRAY(m, count) offsetof(struct metrics, m), count

static const struct family families[] = {
	{ 1, MEMBER(requests_ws), SUM },
	{ 2, MEMBER(requests_web), SUM },
	{ 3, ARRAY(requests_proxy, METRICS_STATUSES), SUM },
	{ 4, ARRAY(requests_api, METRICS_STATUSES), SUM },
	{ 5, MEMBER(route_get), SUM },
	{ 6, MEMBER(route_add), SUM },
	{ 7, MEMBER(route_delete), SUM },
	{ 8, MEMBER(open_connections), OPEN },
	{ 9, MEMBER(open_tunnels), OPEN },
	{ 10, MEMBER(bytes_in), SUM },
	{ 11, MEMBER(bytes_out), SUM },
	{ 12, MEMBER(longest_turn_us), GREATEST },
	{ 13, ARRAY(errors, METRICS_N_REASONS), SUM },
	{ 14, MEMBER(find_target.n), SUM },
	{ 15, MEMBER(find_target.sum_ns), SUM },
	{ 16, ARRAY(find_target.bucket, METRICS_BUCKETS), SUM },
	{ 17, MEMBER(activity.n), SUM },
	{ 18, MEMBER(activity.sum_ns), SUM },
	{ 19, ARRAY(activity.bucket, METRICS_BUCKETS), SUM },
	{ 60, MEMBER(h2_connections), OPEN },
	{ 61, MEMBER(h2_tunnels), OPEN },
	{ 62, MEMBER(h2_streams), SUM },
	{ 63, ARRAY(h2_floods, METRICS_N_FLOODS), SUM },
	{ 40, MEMBER(shaking), OPEN },
	{ 41, MEMBER(requests_open), OPEN },
	{ 42, MEMBER(targets_open), OPEN },
	{ 43, MEMBER(targets_idle), OPEN },
	{ 44, ARRAY(refused, METRICS_N_LIMITS), SUM },
	{ 45, MEMBER(gave_way), SUM },
	{ 46, MEMBER(access_lines), SUM },
	{ 47, MEMBER(access_dropped), SUM },
	{ 50, MEMBER(restarts), SUM },
	{ 51, MEMBER(recovered), SUM },
	{ 52, MEMBER(lost), SUM },
};
#define N_FAMILIES (sizeof families / sizeof families[0])

static metric *at(struct metrics *m, const struct family *f, size_t i)
{
	return (metric *)(void *)((char *)m + f->offset) + i;
}

static uint64_t value_of(
    struct metrics *const *sets, size_t n, const struct family *f, size_t i)
{
	uint64_t all = 0;

	for (size_t k = 0; k < n; k++) {
		uint64_t one = metric_get(at(sets[k], f, i));

		if (f->kind != GREATEST)
			all += one;
		else if (one > all)
			all = one;
	}
	return all;
}

void metrics_carry(struct buf *out, struct metrics *const *sets, size_t n_sets)
{
	for (size_t k = 0; k < N_FAMILIES; k++) {
		const struct family *f = &families[k];

		for (size_t i = 0; i < f->n; i++) {
			uint64_t value = value_of(sets, n_sets, f, i);

			/* Only a gauge can come back to nothing. */
			if (value > 0 || f->kind == OPEN)
				parcel_put_counter(
				    out, (struct parcel_counter){
					     f->number, (uint16_t)i, value });
		}
	}
}

void metrics_take(
    struct metrics *m, uint16_t family, uint16_t index, uint64_t value)
{
	for (size_t k = 0; k < N_FAMILIES; k++)
		if (families[k].number == family && index < families[k].n)
			metric_set(at(m, &families[k], index), value);
}

void metrics_forget_open(struct metrics *m)
{
	for (size_t k = 0; k < N_FAMILIES; k++)
		if (families[k].kind == OPEN)
			metric_set(at(m, &families[k], 0), 0);
}
