/*
 * Counters as Prometheus text: see metrics.h.
 */
#include "proxy/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

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

static void write_kind(
    struct buf *b, const char *name, const char *kind, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void write_value(struct buf *b, const char *name, const char *kind,
    const char *help, uint64_t value)
{
	write_kind(b, name, kind, help);
	buf_printf(b, "%s %llu\n", name, (unsigned long long)value);
}

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

	write_kind(b, name, "summary", help);
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
	write_kind(b, name, "counter", help);
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
	};

	write_kind(b, "proxy_errors", "counter", "Errors by reason");
	for (size_t i = 0; i < METRICS_N_REASONS; i++)
		buf_printf(b, "proxy_errors{reason=\"%s\"} %llu\n", names[i],
		    (unsigned long long)total(s,
			offsetof(struct metrics, errors) + i * sizeof(metric)));
}

/* ---- the process (names of prom-client) ---------------------------------- */

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	/* ".", ".." and the directory itself */
	return n > 3 ? n - 3 : 0;
}

/* Pages: whole size, resident, and data of the process. */
static void read_statm(uint64_t out[3])
{
	unsigned long long size = 0, resident = 0, data = 0;
	char *text = NULL;
	size_t len;

	if (file_read_all("/proc/self/statm", 4096, &text, &len, NULL) == 0)
		(void)sscanf(text, "%llu %llu %*u %*u %*u %llu", &size,
		    &resident, &data);
	free(text);
	out[0] = size;
	out[1] = resident;
	out[2] = data;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec * 1e-6;
}

static void write_real(struct buf *b, const char *name, const char *kind,
    const char *help, double value)
{
	write_kind(b, name, kind, help);
	buf_printf(b, "%s %.6f\n", name, value);
}

static void write_process(struct buf *b)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages[3];
	struct rusage used = { .ru_utime = { 0 } };
	struct rlimit files = { .rlim_cur = 0 };
	double user, system;

	(void)getrusage(RUSAGE_SELF, &used);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	read_statm(pages);
	user = seconds(used.ru_utime);
	system = seconds(used.ru_stime);
	write_real(b, "process_cpu_user_seconds_total", "counter",
	    "User CPU time in seconds", user);
	write_real(b, "process_cpu_system_seconds_total", "counter",
	    "System CPU time in seconds", system);
	write_real(b, "process_cpu_seconds_total", "counter",
	    "CPU time in seconds", user + system);
	write_value(b, "process_resident_memory_bytes", "gauge",
	    "Resident memory", pages[1] * page);
	write_value(b, "process_virtual_memory_bytes", "gauge",
	    "Virtual memory", pages[0] * page);
	write_value(
	    b, "process_heap_bytes", "gauge", "Data memory", pages[2] * page);
	write_value(
	    b, "process_open_fds", "gauge", "Open descriptors", count_fds());
	write_value(b, "process_max_fds", "gauge", "Limit of descriptors",
	    (uint64_t)files.rlim_cur);
}

/* ---- everything ---------------------------------------------------------- */

static void write_traffic(struct buf *b, const struct sum *s)
{
	write_value(b, "proxy_open_connections", "gauge",
	    "Open connections of clients without tunnels",
	    TOTAL(s, open_connections));
	write_value(b, "proxy_open_tunnels", "gauge", "Open tunnels",
	    TOTAL(s, open_tunnels));
	write_value(b, "proxy_handshakes", "counter",
	    "TLS handshakes with clients", TOTAL(s, handshakes));
	write_value(b, "proxy_handshakes_resumed", "counter",
	    "Those of them that resumed a session",
	    TOTAL(s, handshakes_resumed));
	write_value(b, "proxy_target_bytes", "counter",
	    "Bytes of requests sent to targets", TOTAL(s, bytes_in));
	write_value(b, "proxy_client_bytes", "counter",
	    "Bytes of answers sent to clients", TOTAL(s, bytes_out));
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

	write_value(out, "api_route_get", "counter",
	    "Listings of the routing table", TOTAL(&s, route_get));
	write_value(out, "api_route_add", "counter", "Routes added",
	    TOTAL(&s, route_add));
	write_value(out, "api_route_delete", "counter", "Routes deleted",
	    TOTAL(&s, route_delete));
	write_summary(out, &s, "find_target_for_req",
	    "Seconds of a look-up of the route",
	    offsetof(struct metrics, find_target));
	write_summary(out, &s, "last_activity_updating",
	    "Seconds of an update of last_activity",
	    offsetof(struct metrics, activity));
	write_value(out, "requests_ws", "counter", "Upgrade requests",
	    TOTAL(&s, requests_ws));
	write_value(out, "requests_web", "counter", "Other requests",
	    TOTAL(&s, requests_web));
	write_statuses(out, &s, "requests_proxy", "Answers to clients",
	    offsetof(struct metrics, requests_proxy));
	write_statuses(out, &s, "requests_api", "Answers of the REST API",
	    offsetof(struct metrics, requests_api));
	write_reasons(out, &s);
	write_traffic(out, &s);
	write_value(out, "proxy_routes", "gauge", "Routes", (uint64_t)n_routes);
	write_real(out, "proxy_longest_turn_seconds", "gauge",
	    "Longest turn of a loop in CPU time",
	    (double)longest_turn(&s) * 1e-6);
	write_value(out, "process_start_time_seconds", "gauge",
	    "Start of the process, Unix time", (uint64_t)started_s);
	write_process(out);
}
