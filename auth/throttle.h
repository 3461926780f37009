/*
 * Against guessing: after some failures in a row the next try must wait, a
 * little longer each time; the wait fades when nothing happens. Three things
 * are counted:
 *
 *   a name at an address   what a person who mistypes, or one who guesses,
 *                          meets first
 *   a name                 four times the failures, a tenth of the wait: many
 *                          addresses that guess one name are slowed, and its
 *                          owner, elsewhere, is not shut out for long
 *   an address             how many different names failed there (IPv6: in its
 *                          /64), with a much higher limit: one pupil never
 *                          locks out a class behind one address
 *
 * Newcomers of an address (sign-ups, visits) are counted apart, by the same
 * limit: a class that signs up keeps nobody from logging in, nor the reverse.
 *
 * Memory is bounded: the faintest penalties are forgotten first. Penalties
 * survive a restart; they are written in batches.
 */
#ifndef CARREL_AUTH_THROTTLE_H
#define CARREL_AUTH_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "db/db.h"

struct throttle_config {
	int64_t name_free;    /* failures of a name without a wait (5) */
	int64_t address_free; /* names that fail at an address (50) */
	int64_t first_s;      /* first wait (2), doubled each time */
	int64_t max_s;        /* longest wait (300) */
	int64_t fade_s;       /* one failure is forgotten after it (600) */
};
extern const struct throttle_config throttle_defaults;

struct throttle;

/* db and l may be NULL: nothing is kept (tests). cfg NULL: the defaults. */
struct throttle *throttle_open(struct db *db, struct loop *l,
    const struct throttle_config *cfg, struct err *err);
/* Writes what is not written yet. */
void throttle_close(struct throttle **t);

/*
 * May this be tried now? 0: yes; else seconds to wait, rounded up. Any bytes
 * are allowed in `name` (it is what somebody typed) and in `address`.
 */
int64_t throttle_wait_s(
    const struct throttle *t, const char *name, const char *address);
/* "Too many failed logins. Try again in 12 seconds." */
void throttle_text(int64_t wait_s, char *out, size_t cap);
/* How a try that was let through ended. */
void throttle_failed(struct throttle *t, const char *name, const char *address);
void throttle_succeeded(
    struct throttle *t, const char *name, const char *address);
/* May one more newcomer of this sort ("signup") come from there now? As
 * throttle_wait_s. */
int64_t throttle_newcomer_wait_s(
    const struct throttle *t, const char *sort, const char *address);
/* One came. */
void throttle_newcomer(
    struct throttle *t, const char *sort, const char *address);
/* Write to the database now (a timer does it too). */
int throttle_flush(struct throttle *t, struct err *err) MUST_CHECK;
size_t throttle_count(const struct throttle *t);

#endif
