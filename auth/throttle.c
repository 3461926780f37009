/*
 * Penalties for failed logins: see throttle.h.
 */
#include "auth/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/throttle.h"

#define ENTRIES_MAX     8192
#define FLUSH_MS        5000
#define BATCH           256
/* What counts beyond the free failures: the wait has its longest long before,
 * and what is not counted need not fade. */
#define FAILURES_BEYOND 16
#define KEEP_S          (24 * 3600)
/* A name anywhere, against a name at one address. */
#define NAME_FREE_TIMES 4
#define NAME_WAIT_PART  10
#define US              INT64_C(1000000)

const struct throttle_config throttle_defaults = {
	.name_free = 5,
	.address_free = 50,
	.first_s = 2,
	.max_s = 300,
	.fade_s = 600,
};

enum kind { KIND_NAME = 1, KIND_PAIR, KIND_ADDRESS };

struct key {
	unsigned char kind;
	unsigned char digest[THROTTLE_KEY_LEN];
};

struct entry {
	struct list link; /* in faint or heavy, the latest failure last */
	struct key key;
	int64_t failures, last_us;
	bool is_dirty;
};

struct throttle {
	struct db *db;
	struct loop *loop;
	struct throttle_config cfg;
	struct map *entries;
	struct list faint, heavy; /* no wait yet; a wait */
	struct timer flush;
};

/* ---- keys ---- */

/* IPv4 whole (also inside IPv6), IPv6 by its /64, else the text itself. */
static size_t address_bytes(const char *address, unsigned char out[16])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, out) == 1)
		return 4;
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return 0;
	if (memcmp(v6.s6_addr, mapped, sizeof mapped) == 0) {
		memcpy(out, v6.s6_addr + 12, 4);
		return 4;
	}
	memcpy(out, v6.s6_addr, 8);
	return 8;
}

static void digest_address(
    const char *address, unsigned char out[MAC_SHA256_LEN])
{
	unsigned char bytes[16];
	size_t len = address_bytes(address, bytes);

	if (len > 0)
		mac_sha256(bytes, len, out);
	else
		mac_sha256(address, strlen(address), out);
}

static void digest_name(const char *name, unsigned char out[MAC_SHA256_LEN])
{
	char *lower = xstrdup(name);

	str_lower_ascii(lower);
	mac_sha256(lower, strlen(lower), out);
	mem_wipe(lower, strlen(lower));
	free(lower);
}

struct keys_of_try {
	struct key name, pair, address;
};

static void make_keys(
    const char *name, const char *address, struct keys_of_try *out)
{
	unsigned char both[2 * MAC_SHA256_LEN], pair[MAC_SHA256_LEN];

	digest_name(name, both);
	digest_address(address, both + MAC_SHA256_LEN);
	mac_sha256(both, sizeof both, pair);
	out->name.kind = KIND_NAME;
	memcpy(out->name.digest, both, THROTTLE_KEY_LEN);
	out->pair.kind = KIND_PAIR;
	memcpy(out->pair.digest, pair, THROTTLE_KEY_LEN);
	out->address.kind = KIND_ADDRESS;
	memcpy(out->address.digest, both + MAC_SHA256_LEN, THROTTLE_KEY_LEN);
}

static struct slice key_slice(const struct key *k)
{
	return slice_make((const char *)k, sizeof *k);
}

/* ---- how heavy a penalty is ---- */

static int64_t free_of(const struct throttle *t, unsigned char kind)
{
	switch ((enum kind)kind) {
	case KIND_NAME:
		return NAME_FREE_TIMES * t->cfg.name_free;
	case KIND_PAIR:
		return t->cfg.name_free;
	case KIND_ADDRESS:
		return t->cfg.address_free;
	}
	return 0;
}

static int64_t longest_of(const struct throttle *t, unsigned char kind)
{
	int64_t part = t->cfg.max_s / NAME_WAIT_PART;

	if (kind != KIND_NAME)
		return t->cfg.max_s;
	return part > t->cfg.first_s ? part : t->cfg.first_s;
}

/* Failures that have not faded; a clock that went back makes none older. */
static int64_t failures_at(
    const struct throttle *t, const struct entry *e, int64_t now_us)
{
	int64_t faded = (now_us - e->last_us) / US / t->cfg.fade_s;

	if (faded <= 0)
		return e->failures;
	return faded < e->failures ? e->failures - faded : 0;
}

static int64_t whole_wait_s(
    const struct throttle *t, unsigned char kind, int64_t failures)
{
	int64_t beyond = failures - free_of(t, kind);
	int64_t longest = longest_of(t, kind), wait = t->cfg.first_s;

	if (beyond < 0)
		return 0;
	while (beyond-- > 0 && wait < longest)
		wait *= 2;
	return wait < longest ? wait : longest;
}

static int64_t wait_us(
    const struct throttle *t, const struct key *key, int64_t now_us)
{
	const struct entry *e = map_get(t->entries, key_slice(key));
	int64_t whole, passed;

	if (e == NULL)
		return 0;
	whole = US * whole_wait_s(t, key->kind, failures_at(t, e, now_us));
	passed = now_us - e->last_us;
	if (passed < 0)
		passed = 0;
	return passed < whole ? whole - passed : 0;
}

/* ---- entries ---- */

static void entry_free(struct throttle *t, struct entry *e)
{
	(void)map_del(t->entries, key_slice(&e->key));
	list_del(&e->link);
	free(e);
}

static void place(struct throttle *t, struct entry *e)
{
	bool is_heavy = e->failures >= free_of(t, e->key.kind);

	list_del(&e->link);
	list_add_tail(is_heavy ? &t->heavy : &t->faint, &e->link);
}

/* Its row, if any, is left to the purge. */
static void make_room(struct throttle *t)
{
	struct list *from = list_empty(&t->faint) ? &t->heavy : &t->faint;

	if (map_count(t->entries) >= ENTRIES_MAX)
		entry_free(t, LIST_ITEM(from->next, struct entry, link));
}

static struct entry *entry_get(struct throttle *t, const struct key *key)
{
	struct entry *e = map_get(t->entries, key_slice(key));

	if (e != NULL)
		return e;
	make_room(t);
	e = xcalloc(1, sizeof *e);
	list_init(&e->link);
	e->key = *key;
	(void)map_put(t->entries, key_slice(key), e);
	return e;
}

static void on_flush(struct timer *timer, void *arg);

static void mark_dirty(struct throttle *t, struct entry *e)
{
	e->is_dirty = true;
	if (t->db != NULL && t->loop != NULL && !timer_running(&t->flush))
		timer_start(t->loop, &t->flush, FLUSH_MS, on_flush, t);
}

/* Was there a failure of this before that has not faded? */
static bool add_failure(
    struct throttle *t, const struct key *key, int64_t now_us)
{
	struct entry *e = entry_get(t, key);
	int64_t before = failures_at(t, e, now_us);

	e->failures = before + 1;
	if (e->failures > free_of(t, key->kind) + FAILURES_BEYOND)
		e->failures = free_of(t, key->kind) + FAILURES_BEYOND;
	e->last_us = now_us;
	place(t, e);
	mark_dirty(t, e);
	return before > 0;
}

static void forgive(struct throttle *t, const struct key *key)
{
	struct entry *e = map_get(t->entries, key_slice(key));

	if (e == NULL || e->failures == 0)
		return;
	if (t->db == NULL) {
		entry_free(t, e);
		return;
	}
	e->failures = 0;
	place(t, e);
	mark_dirty(t, e);
}

/* ---- for the login ---- */

int64_t throttle_wait_s(
    const struct throttle *t, const char *name, const char *address)
{
	int64_t now = clock_wall_us(), longest = 0;
	struct keys_of_try k;
	const struct key *const all[] = { &k.name, &k.pair, &k.address };

	if (map_count(t->entries) == 0)
		return 0;
	make_keys(name, address, &k);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		int64_t wait = wait_us(t, all[i], now);

		if (wait > longest)
			longest = wait;
	}
	return (longest + US - 1) / US;
}

void throttle_text(int64_t wait_s, char *out, size_t cap)
{
	bool minutes = wait_s > 90;
	int64_t n = minutes ? (wait_s + 59) / 60 : wait_s;

	snprintf(out, cap, "Too many failed logins. Try again in %lld %s%s.",
	    (long long)n, minutes ? "minute" : "second", n == 1 ? "" : "s");
}

/* An address counts names, not tries: a name that failed there before adds
 * nothing. */
void throttle_failed(struct throttle *t, const char *name, const char *address)
{
	int64_t now = clock_wall_us();
	struct keys_of_try k;

	make_keys(name, address, &k);
	(void)add_failure(t, &k.name, now);
	if (!add_failure(t, &k.pair, now) && address[0] != 0)
		(void)add_failure(t, &k.address, now);
}

/* The address is not forgiven: who guesses has an account too. */
void throttle_succeeded(
    struct throttle *t, const char *name, const char *address)
{
	struct keys_of_try k;

	if (map_count(t->entries) == 0)
		return;
	make_keys(name, address, &k);
	forgive(t, &k.name);
	forgive(t, &k.pair);
}

/* A count of an address, under a digest that no address has. */
static void make_newcomer_key(
    const char *sort, const char *address, struct key *out)
{
	unsigned char both[2 * MAC_SHA256_LEN], digest[MAC_SHA256_LEN];

	mac_sha256(sort, strlen(sort), both);
	digest_address(address, both + MAC_SHA256_LEN);
	mac_sha256(both, sizeof both, digest);
	out->kind = KIND_ADDRESS;
	memcpy(out->digest, digest, THROTTLE_KEY_LEN);
}

int64_t throttle_newcomer_wait_s(
    const struct throttle *t, const char *sort, const char *address)
{
	struct key key;

	make_newcomer_key(sort, address, &key);
	return (wait_us(t, &key, clock_wall_us()) + US - 1) / US;
}

void throttle_newcomer(
    struct throttle *t, const char *sort, const char *address)
{
	struct key key;

	make_newcomer_key(sort, address, &key);
	if (address[0] != 0)
		(void)add_failure(t, &key, clock_wall_us());
}

size_t throttle_count(const struct throttle *t)
{
	return map_count(t->entries);
}

/* ---- the database ---- */

static void to_row(const struct entry *e, struct throttle_row *out)
{
	out->kind = e->key.kind;
	memcpy(out->key, e->key.digest, sizeof out->key);
	out->failures = e->failures;
	out->last_us = e->last_us;
}

static size_t collect(struct list *from, struct entry **dirty,
    struct throttle_row *rows, size_t n)
{
	list_for_each (it, from) {
		struct entry *e = LIST_ITEM(it, struct entry, link);

		if (n == BATCH)
			break;
		if (!e->is_dirty)
			continue;
		dirty[n] = e;
		to_row(e, &rows[n++]);
	}
	return n;
}

/* Up to BATCH of them; *n_out of them were written. */
static int flush_batch(struct throttle *t, size_t *n_out, struct err *err)
{
	struct entry *dirty[BATCH];
	struct throttle_row rows[BATCH];
	size_t n = collect(&t->heavy, dirty, rows, 0);

	n = collect(&t->faint, dirty, rows, n);
	*n_out = n;
	if (throttle_rows_put(t->db, rows, n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		dirty[i]->is_dirty = false;
		if (dirty[i]->failures == 0)
			entry_free(t, dirty[i]);
	}
	return 0;
}

int throttle_flush(struct throttle *t, struct err *err)
{
	size_t n;

	timer_stop(&t->flush);
	if (t->db == NULL)
		return 0;
	do {
		if (flush_batch(t, &n, err) < 0)
			return -1;
	} while (n == BATCH);
	return 0;
}

/* A turn of the loop writes one batch. */
static void on_flush(struct timer *timer, void *arg)
{
	struct throttle *t = arg;
	struct err err = { 0 };
	size_t n = 0;
	int rc = flush_batch(t, &n, &err);

	if (rc < 0)
		log_warn(NULL, "penalties of logins not kept", "%s", err.text);
	if (rc < 0 || n == BATCH)
		timer_start(t->loop, timer, rc < 0 ? FLUSH_MS : 0, on_flush, t);
}

/* The latest come first: put in front, so that the lists end with them. */
static void load_row(const struct throttle_row *row, void *arg)
{
	struct throttle *t = arg;
	struct key key = { .kind = (unsigned char)row->kind };
	struct entry *e;

	if (map_count(t->entries) >= ENTRIES_MAX)
		return;
	memcpy(key.digest, row->key, sizeof key.digest);
	e = entry_get(t, &key);
	e->failures = row->failures;
	e->last_us = row->last_us;
	list_add_head(
	    e->failures >= free_of(t, key.kind) ? &t->heavy : &t->faint,
	    &e->link);
}

static int load(struct throttle *t, struct err *err)
{
	int64_t since = clock_wall_us() - KEEP_S * US;
	int rc;

	if (t->db == NULL)
		return 0;
	do {
		rc = throttle_rows_purge(t->db, since, err);
	} while (rc == 1);
	if (rc < 0)
		return -1;
	return throttle_rows_each(t->db, since, ENTRIES_MAX, load_row, t, err);
}

struct throttle *throttle_open(struct db *db, struct loop *l,
    const struct throttle_config *cfg, struct err *err)
{
	struct throttle *t = xcalloc(1, sizeof *t);

	t->db = db;
	t->loop = l;
	t->cfg = cfg != NULL ? *cfg : throttle_defaults;
	t->entries = map_new();
	list_init(&t->faint);
	list_init(&t->heavy);
	if (load(t, err) < 0) {
		t->db = NULL;
		throttle_close(&t);
	}
	return t;
}

static void free_all(struct throttle *t, struct list *l)
{
	list_for_each (it, l)
		entry_free(t, LIST_ITEM(it, struct entry, link));
}

void throttle_close(struct throttle **tp)
{
	struct throttle *t = *tp;
	struct err err = { 0 };

	if (t == NULL)
		return;
	*tp = NULL;
	if (throttle_flush(t, &err) < 0)
		log_warn(NULL, "penalties of logins not kept", "%s", err.text);
	free_all(t, &t->faint);
	free_all(t, &t->heavy);
	map_free(&t->entries);
	free(t);
}
