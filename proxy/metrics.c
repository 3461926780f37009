/*
 * Counters as Prometheus text: see metrics.h.
 */
#include "proxy/metrics.h"

#include <time.h>

#include "base/prom.h"
#include "proxy/sockstat.h"

uint64_t metrics_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- durations ----------------------------------------------------------- */

static size_t bucket_of(uint64_t ns)
{
	unsigned exp = 63 - (unsigned)__builtin_clzll(ns | 4);
	size_t b = exp * 4 + ((ns >> (exp - 2)) & 3);

	return b < METRICS_BUCKETS ? b : METRICS_BUCKETS - 1;
}

/* The upper end of a bucket. */
static double bucket_seconds(size_t b)
{
	double quarter = (double)((uint64_t)1 << (b / 4)) / 4;

	return quarter * (double)(5 + b % 4) * 1e-9;
}

void metrics_note(struct metrics_summary *s, uint64_t ns)
{
	metric_add(&s->n, 1);
	metric_add(&s->sum_ns, ns);
	metric_add(&s->bucket[bucket_of(ns)], 1);
}

/* ---- text ---------------------------------------------------------------- */

/* All sets seen as one. */
struct sum {
	struct metrics *const *sets;
	size_t n;
};

static uint64_t total(const struct sum *s, size_t offset)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += metric_get(
		    (const metric *)(const void *)((const char *)s->sets[i] +
						   offset));
	return n;
}

#define TOTAL(s, member) total(s, offsetof(struct metrics, member))

static void write_summary(struct buf *b, const struct sum *s, const char *name,
    const char *help, size_t offset)
{
	static const double quantiles[] = { 0.01, 0.05, 0.5, 0.9, 0.95, 0.99,
		0.999 };
	uint64_t n = total(s, offset + offsetof(struct metrics_summary, n));
	uint64_t sum_ns =
	    total(s, offset + offsetof(struct metrics_summary, sum_ns));
	uint64_t seen = 0;
	size_t bucket = 0;

	prom_write_head(b, name, "summary", help);
	for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
		while (bucket < METRICS_BUCKETS &&
		       (double)seen < quantiles[i] * (double)n)
			seen += total(s,
			    offset + offsetof(struct metrics_summary, bucket) +
				bucket++ * sizeof(metric));
		buf_printf(b, "%s{quantile=\"%g\"} %.9g\n", name, quantiles[i],
		    bucket > 0 ? bucket_seconds(bucket - 1) : 0.0);
	}
	buf_printf(b, "%s_sum %.9g\n%s_count %llu\n", name,
	    (double)sum_ns * 1e-9, name, (unsigned long long)n);
}

static void write_statuses(struct buf *b, const struct sum *s, const char *name,
    const char *help, size_t offset)
{
	prom_write_head(b, name, "counter", help);
	for (size_t i = 0; i < METRICS_STATUSES; i++) {
		uint64_t n = total(s, offset + i * sizeof(metric));

		if (n > 0)
			buf_printf(b, "%s{status=\"%zu\"} %llu\n", name, i,
			    (unsigned long long)n);
	}
}

static void write_reasons(struct buf *b, const struct sum *s)
{
	static const char *const names[METRICS_N_REASONS] = {
		[METRICS_NO_ROUTE] = "no_route",
		[METRICS_REFUSED] = "refused",
		[METRICS_DEAD] = "dead",
		[METRICS_TIMEOUT] = "timeout",
		[METRICS_BAD_RESPONSE] = "bad_response",
		[METRICS_TRUNCATED] = "truncated",
		[METRICS_BAD_REQUEST] = "bad_request",
		[METRICS_RETRIED] = "retried",
		[METRICS_ACCEPT_FAILED] = "accept_failed",
		[METRICS_HANDSHAKE] = "handshake",
		[METRICS_STALLED] = "stalled",
		[METRICS_TUNNEL_IDLE] = "tunnel_idle",
		[METRICS_LIMITED] = "limited",
	};

	prom_write_head(b, "proxy_errors", "counter", "Errors by reason");
	for (size_t i = 0; i < METRICS_N_REASONS; i++)
		buf_printf(b, "proxy_errors{reason=\"%s\"} %llu\n", names[i],
		    (unsigned long long)total(s,
			offsetof(struct metrics, errors) + i * sizeof(metric)));
}

const char *metrics_flood_name(enum metrics_flood kind)
{
	static const char *const names[METRICS_N_FLOODS] = {
		[METRICS_FLOOD_RESETS] = "resets",
		[METRICS_FLOOD_SETTINGS] = "settings",
		[METRICS_FLOOD_PINGS] = "pings",
		[METRICS_FLOOD_WINDOWS] = "window_updates",
		[METRICS_FLOOD_PRIORITIES] = "priorities",
		[METRICS_FLOOD_EMPTY_DATA] = "empty_data",
		[METRICS_FLOOD_CONTINUATIONS] = "continuations",
		[METRICS_FLOOD_HEADS] = "heads",
	};

	return names[kind];
}

static void write_http2(struct buf *b, const struct sum *s)
{
	prom_write_value(b, "proxy_http2_connections", "gauge",
	    "Open connections of clients that speak HTTP/2",
	    (double)TOTAL(s, h2_connections));
	prom_write_value(b, "proxy_http2_tunnels", "gauge",
	    "Open tunnels that are streams of HTTP/2",
	    (double)TOTAL(s, h2_tunnels));
	prom_write_value(b, "proxy_http2_streams", "counter",
	    "Streams that clients opened", (double)TOTAL(s, h2_streams));
	prom_write_head(b, "proxy_http2_floods", "counter",
	    "Connections that were ended for too many frames of a kind");
	for (size_t i = 0; i < METRICS_N_FLOODS; i++)
		buf_printf(b, "proxy_http2_floods{kind=\"%s\"} %llu\n",
		    metrics_flood_name((enum metrics_flood)i),
		    (unsigned long long)total(
			s, offsetof(struct metrics, h2_floods) +
			       i * sizeof(metric)));
}

static void write_limits(struct buf *b, const struct sum *s)
{
	static const char *const names[METRICS_N_LIMITS] = {
		[METRICS_LIMIT_CONNECTIONS] = "connections",
		[METRICS_LIMIT_CLIENT] = "client",
		[METRICS_LIMIT_ROUTE] = "route",
		[METRICS_LIMIT_HEAD] = "head",
		[METRICS_LIMIT_RATE] = "rate",
	};

	prom_write_head(b, "proxy_refused", "counter", "Refused at a limit");
	for (size_t i = 0; i < METRICS_N_LIMITS; i++)
		buf_printf(b, "proxy_refused{limit=\"%s\"} %llu\n", names[i],
		    (unsigned long long)total(
			s, offsetof(struct metrics, refused) +
			       i * sizeof(metric)));
	prom_write_value(b, "proxy_gave_way", "counter",
	    "Idle connections that were closed to let others in",
	    (double)TOTAL(s, gave_way));
}

static void write_state(
    struct buf *b, const char *name, const char *state, uint64_t n)
{
	buf_printf(
	    b, "%s{state=\"%s\"} %llu\n", name, state, (unsigned long long)n);
}

/* The sets are written while they are read: no difference may be negative. */
static uint64_t less(uint64_t all, uint64_t part)
{
	return all > part ? all - part : 0;
}

static void write_states(struct buf *b, const struct sum *s)
{
	uint64_t shaking = TOTAL(s, shaking), busy = TOTAL(s, requests_open);
	uint64_t idle = TOTAL(s, targets_idle);

	prom_write_head(b, "proxy_connections", "gauge",
	    "Connections of clients by what they are at");
	write_state(b, "proxy_connections", "handshake", shaking);
	write_state(b, "proxy_connections", "request", busy);
	write_state(b, "proxy_connections", "waiting",
	    less(TOTAL(s, open_connections), shaking + busy));
	write_state(b, "proxy_connections", "tunnel", TOTAL(s, open_tunnels));
	prom_write_head(b, "proxy_target_connections", "gauge",
	    "Connections to targets without tunnels");
	write_state(b, "proxy_target_connections", "idle", idle);
	write_state(b, "proxy_target_connections", "used",
	    less(TOTAL(s, targets_open), idle));
}

static void write_access(struct buf *b, const struct sum *s)
{
	prom_write_value(b, "proxy_access_lines", "counter",
	    "Lines for the access log", (double)TOTAL(s, access_lines));
	prom_write_value(b, "proxy_access_dropped", "counter",
	    "Those of them that were lost because the log was slow",
	    (double)TOTAL(s, access_dropped));
}

/* ---- everything ---------------------------------------------------------- */

static void write_traffic(struct buf *b, const struct sum *s)
{
	prom_write_value(b, "proxy_open_connections", "gauge",
	    "Open connections of clients without tunnels",
	    (double)TOTAL(s, open_connections));
	prom_write_value(b, "proxy_open_tunnels", "gauge", "Open tunnels",
	    (double)TOTAL(s, open_tunnels));
	prom_write_value(b, "proxy_handshakes", "counter",
	    "TLS handshakes with clients", (double)TOTAL(s, handshakes));
	prom_write_value(b, "proxy_handshakes_resumed", "counter",
	    "Those of them that resumed a session",
	    (double)TOTAL(s, handshakes_resumed));
	prom_write_value(b, "proxy_target_bytes", "counter",
	    "Bytes of requests sent to targets", (double)TOTAL(s, bytes_in));
	prom_write_value(b, "proxy_client_bytes", "counter",
	    "Bytes of answers sent to clients", (double)TOTAL(s, bytes_out));
}

static void write_deaths(struct buf *b, const struct sum *s)
{
	prom_write_value(b, "proxy_engine_restarts", "counter",
	    "Times the engine died and was started again",
	    (double)TOTAL(s, restarts));
	prom_write_value(b, "proxy_tunnels_recovered", "counter",
	    "Tunnels that went on in another engine",
	    (double)TOTAL(s, recovered));
	prom_write_value(b, "proxy_tunnels_lost", "counter",
	    "Tunnels that were closed because a dead engine had bytes of them",
	    (double)TOTAL(s, lost));
}

static uint64_t longest_turn(const struct sum *s)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint64_t us = metric_get(&s->sets[i]->longest_turn_us);

		if (us > longest)
			longest = us;
	}
	return longest;
}

void metrics_write(struct buf *out, struct metrics *const *sets, size_t n_sets,
    size_t n_routes, int64_t started_s)
{
	const struct sum s = { .sets = sets, .n = n_sets };

	prom_write_value(out, "api_route_get", "counter",
	    "Listings of the routing table", (double)TOTAL(&s, route_get));
	prom_write_value(out, "api_route_add", "counter", "Routes added",
	    (double)TOTAL(&s, route_add));
	prom_write_value(out, "api_route_delete", "counter", "Routes deleted",
	    (double)TOTAL(&s, route_delete));
	write_summary(out, &s, "find_target_for_req",
	    "Seconds of a look-up of the route",
	    offsetof(struct metrics, find_target));
	write_summary(out, &s, "last_activity_updating",
	    "Seconds of an update of last_activity",
	    offsetof(struct metrics, activity));
	prom_write_value(out, "requests_ws", "counter", "Upgrade requests",
	    (double)TOTAL(&s, requests_ws));
	prom_write_value(out, "requests_web", "counter", "Other requests",
	    (double)TOTAL(&s, requests_web));
	write_statuses(out, &s, "requests_proxy", "Answers to clients",
	    offsetof(struct metrics, requests_proxy));
	write_statuses(out, &s, "requests_api", "Answers of the REST API",
	    offsetof(struct metrics, requests_api));
	write_reasons(out, &s);
	write_traffic(out, &s);
	write_deaths(out, &s);
	write_http2(out, &s);
	write_states(out, &s);
	write_limits(out, &s);
	write_access(out, &s);
	sockstat_write(out);
	prom_write_value(
	    out, "proxy_routes", "gauge", "Routes", (double)n_routes);
	prom_write_value(out, "proxy_longest_turn_seconds", "gauge",
	    "Longest turn of a loop in CPU time",
	    (double)longest_turn(&s) * 1e-6);
	prom_write_process(out, (double)started_s);
}
