/*
 * Counts of clients: see limit.h.
 */
#include "proxy/limit.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

#define ROW_SIZE  16384u /* a power of two that fits slot[] */
#define SECOND_US 1000000

struct limits {
	int64_t max_connections, max_per_client;
	uint64_t seed[2];
	_Atomic int64_t n_connections;
	_Atomic uint32_t rows[2][ROW_SIZE];
	int64_t interval_us;              /* between requests; 0: no limit */
	_Atomic int64_t (*due)[ROW_SIZE]; /* two rows; NULL without a limit */
};

#define LOAD(x)   atomic_load_explicit(&(x), memory_order_relaxed)
#define ADD(x, n) atomic_fetch_add_explicit(&(x), (n), memory_order_relaxed)
#define SUB(x, n) atomic_fetch_sub_explicit(&(x), (n), memory_order_relaxed)

struct limits *limits_new(int64_t max_connections, int64_t max_per_client)
{
	struct limits *l = xcalloc(1, sizeof *l);

	l->max_connections = max_connections > 0 ? max_connections : INT64_MAX;
	l->max_per_client = max_per_client > 0 ? max_per_client : INT64_MAX;
	rand_bytes(l->seed, sizeof l->seed);
	return l;
}

void limits_set_rate(struct limits *l, int64_t per_second)
{
	if (per_second == 0)
		return;
	l->interval_us = SECOND_US / per_second;
	l->due = xcalloc(2, sizeof *l->due);
}

void limits_free(struct limits **l)
{
	if (*l != NULL)
		free((*l)->due);
	free(*l);
	*l = NULL;
}

/* The end of MurmurHash3, by Appleby: every bit in reaches every bit out. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

static void find_slots(
    const struct limits *l, const struct in6_addr *client, uint16_t slot[2])
{
	uint64_t half[2], hash;

	memcpy(half, client->s6_addr, sizeof half);
	if (!IN6_IS_ADDR_V4MAPPED(client))
		half[1] = 0;
	hash = mix(mix(half[0] ^ l->seed[0]) ^ half[1] ^ l->seed[1]);
	slot[0] = (uint16_t)(hash % ROW_SIZE);
	slot[1] = (uint16_t)((hash >> 32) % ROW_SIZE);
}

enum limit_answer limit_take_place(struct limits *l, struct limit_ticket *t)
{
	assert(!t->has_place);
	if (ADD(l->n_connections, 1) >= l->max_connections) {
		SUB(l->n_connections, 1);
		return LIMIT_FULL;
	}
	t->has_place = true;
	return LIMIT_OK;
}

/* How many of this client there were before, at most. */
static uint32_t count_client(
    struct limits *l, const struct in6_addr *client, struct limit_ticket *t)
{
	uint32_t a, b;

	assert(!t->has_client);
	find_slots(l, client, t->slot);
	a = ADD(l->rows[0][t->slot[0]], 1);
	b = ADD(l->rows[1][t->slot[1]], 1);
	t->has_client = true;
	return a < b ? a : b;
}

static void forget_client(struct limits *l, struct limit_ticket *t)
{
	SUB(l->rows[0][t->slot[0]], 1);
	SUB(l->rows[1][t->slot[1]], 1);
	t->has_client = false;
}

enum limit_answer limit_take_client(
    struct limits *l, const struct in6_addr *client, struct limit_ticket *t)
{
	if (l->max_per_client == INT64_MAX)
		return LIMIT_OK;
	if (count_client(l, client, t) < l->max_per_client)
		return LIMIT_OK;
	forget_client(l, t);
	return LIMIT_CLIENT;
}

/* The next request of whoever is counted here is in time one interval later. */
static void push(_Atomic int64_t *due, int64_t now_us, int64_t interval_us)
{
	int64_t old = LOAD(*due), next;

	do {
		next = (old > now_us ? old : now_us) + interval_us;
	} while (!atomic_compare_exchange_weak_explicit(
	    due, &old, next, memory_order_relaxed, memory_order_relaxed));
}

enum limit_answer limit_take_request(
    struct limits *l, const struct in6_addr *client, int64_t now_ms)
{
	int64_t now_us = now_ms * 1000, a, b;
	uint16_t slot[2];

	if (l->due == NULL)
		return LIMIT_OK;
	find_slots(l, client, slot);
	a = LOAD(l->due[0][slot[0]]);
	b = LOAD(l->due[1][slot[1]]);
	if ((a < b ? a : b) > now_us + SECOND_US - l->interval_us)
		return LIMIT_CLIENT;
	push(&l->due[0][slot[0]], now_us, l->interval_us);
	push(&l->due[1][slot[1]], now_us, l->interval_us);
	return LIMIT_OK;
}

void limit_must_take(
    struct limits *l, const struct in6_addr *client, struct limit_ticket *t)
{
	assert(!t->has_place);
	ADD(l->n_connections, 1);
	t->has_place = true;
	if (client != NULL && l->max_per_client != INT64_MAX)
		(void)count_client(l, client, t);
}

void limit_join(
    struct limits *l, struct limit_ticket *to, struct limit_ticket *from)
{
	assert(!from->has_place);
	if (!from->has_client)
		return;
	if (to->has_client)
		forget_client(l, to);
	memcpy(to->slot, from->slot, sizeof to->slot);
	to->has_client = true;
	from->has_client = false;
}

void limit_give_back(struct limits *l, struct limit_ticket *t)
{
	if (t->has_client)
		forget_client(l, t);
	if (t->has_place)
		SUB(l->n_connections, 1);
	t->has_place = false;
}

int64_t limits_connections(const struct limits *l)
{
	return LOAD(l->n_connections);
}

int64_t limits_max_connections(const struct limits *l)
{
	return l->max_connections;
}
