/*
 * Counters of one thread and their Prometheus text (contract/proxy.md 12). Each
 * set has one writing thread; the API thread reads all sets at any time
 * (relaxed atomics without a lock prefix).
 */
#ifndef CARREL_PROXY_METRICS_H
#define CARREL_PROXY_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef _Atomic uint64_t metric;

/* Durations: bucket b holds those of 2^(b/4) to 2^((b+1)/4) nanoseconds. */
#define METRICS_BUCKETS  160
#define METRICS_STATUSES 1000

struct metrics_summary {
	metric n, sum_ns;
	metric bucket[METRICS_BUCKETS];
};

enum metrics_reason {
	METRICS_NO_ROUTE,
	METRICS_REFUSED,
	METRICS_DEAD, /* answered from memory */
	METRICS_TIMEOUT,
	METRICS_BAD_RESPONSE,
	METRICS_TRUNCATED,
	METRICS_BAD_REQUEST,
	METRICS_RETRIED,
	METRICS_ACCEPT_FAILED,
	METRICS_HANDSHAKE, /* of TLS with a client */
	METRICS_STALLED,   /* a client that reads nothing */
	METRICS_TUNNEL_IDLE,
	METRICS_LIMITED, /* see enum metrics_limit */
	METRICS_N_REASONS,
};

/* What a client of HTTP/2 sent too much of. */
enum metrics_flood {
	METRICS_FLOOD_RESETS,
	METRICS_FLOOD_SETTINGS,
	METRICS_FLOOD_PINGS,
	METRICS_FLOOD_WINDOWS,
	METRICS_FLOOD_PRIORITIES,
	METRICS_FLOOD_EMPTY_DATA,
	METRICS_FLOOD_CONTINUATIONS,
	METRICS_FLOOD_HEADS,
	METRICS_N_FLOODS,
};

/* Which limit something was refused at. */
enum metrics_limit {
	METRICS_LIMIT_CONNECTIONS,
	METRICS_LIMIT_CLIENT,
	METRICS_LIMIT_ROUTE,
	METRICS_LIMIT_HEAD, /* its size or its number of fields */
	METRICS_LIMIT_RATE,
	METRICS_N_LIMITS,
};

struct metrics {
	metric requests_ws, requests_web;
	metric requests_proxy[METRICS_STATUSES]; /* by status */
	metric requests_api[METRICS_STATUSES];
	metric route_get, route_add, route_delete;
	metric open_connections, open_tunnels;
	metric handshakes, handshakes_resumed;
	metric bytes_in, bytes_out; /* to targets, to clients */
	metric longest_turn_us;
	/* The parent's, of engines that died (proxy/page.h) */
	metric restarts, recovered, lost;
	metric h2_connections, h2_tunnels; /* open ones */
	metric h2_streams, h2_floods[METRICS_N_FLOODS];
	metric shaking, requests_open;     /* of open_connections */
	metric targets_open, targets_idle; /* connections to targets */
	metric refused[METRICS_N_LIMITS];
	metric gave_way; /* idle connections closed for new ones */
	metric access_lines, access_dropped;
	metric errors[METRICS_N_REASONS];
	struct metrics_summary find_target, activity;
};

static inline void metric_add(metric *m, uint64_t n)
{
	atomic_store_explicit(m,
	    atomic_load_explicit(m, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

static inline void metric_sub(metric *m, uint64_t n)
{
	metric_add(m, (uint64_t)0 - n);
}

static inline void metric_set(metric *m, uint64_t n)
{
	atomic_store_explicit(m, n, memory_order_relaxed);
}

static inline uint64_t metric_get(const metric *m)
{
	return atomic_load_explicit(m, memory_order_relaxed);
}

void metrics_note(struct metrics_summary *s, uint64_t ns);
/* Nanoseconds of the monotonic clock, for metrics_note. */
uint64_t metrics_now_ns(void);
/*
 * For a takeover: the sets' sum as items of a message (proxy/parcel.h), and
 * such an item into a set, which has it from then on; an item that this
 * version does not know is left out.
 */
void metrics_carry(struct buf *out, struct metrics *const *sets, size_t n_sets);
void metrics_take(
    struct metrics *m, uint16_t family, uint16_t index, uint64_t value);
/* What the other process has open is gone; its counters stay. */
void metrics_forget_open(struct metrics *m);
/* As the metrics call it: "resets". */
const char *metrics_flood_name(enum metrics_flood kind);
/* Sums the sets. */
void metrics_write(struct buf *out, struct metrics *const *sets, size_t n_sets,
    size_t n_routes, int64_t started_s);

#endif
