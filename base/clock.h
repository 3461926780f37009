/*
 * The door through which time enters. Monotonic milliseconds inside loops, wall
 * clock for what is stored or shown; they are never mixed. A simulation puts
 * its own source in.
 */
#ifndef CARREL_BASE_CLOCK_H
#define CARREL_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_wall_s(void);  /* Unix seconds */
int64_t clock_wall_us(void); /* Unix microseconds */

struct clock_source {
	int64_t (*mono_us)(void *arg);
	int64_t (*wall_us)(void *arg);
	/* Moves both on; wanted by clock_sim_advance_us, else may be NULL. */
	void (*advance_us)(void *arg, int64_t us);
	void *arg;
};
/* Copied; NULL restores the kernel's. For tests and the simulation only. */
void clock_set_source(const struct clock_source *src);
bool clock_is_simulated(void);
/* The built-in source: stands still until clock_sim_advance_us. */
void clock_sim_start(int64_t wall_us);
/* Move the present source on (loop_advance does it from timer to timer). */
void clock_sim_advance_us(int64_t us);

#define CLOCK_ISO_MAX 28
/*
 * ISO 8601 UTC with Z; microseconds when they are not zero
 * (contract/hub.md 0.4): 2026-01-02T03:04:05.678901Z.
 */
void clock_format_iso(int64_t wall_us, char out[CLOCK_ISO_MAX]);
/* CHP's form: always milliseconds: 2026-01-02T03:04:05.678Z. */
void clock_format_iso_ms(int64_t wall_us, char out[CLOCK_ISO_MAX]);
/* Date and time with optional fraction, Z or +hh:mm offset; naive is UTC. A
 * fraction is cut to microseconds. */
int clock_parse_iso(
    const char *s, int64_t *wall_us, struct err *err) MUST_CHECK;
/* RFC 9110 date: "Sun, 06 Nov 1994 08:49:37 GMT" (30 bytes with NUL). */
void clock_format_http(int64_t wall_s, char out[30]);

#endif
