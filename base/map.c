/*
 * Hash map from string to pointer: see map.h. The items stand in an array in
 * the order in which they came, and an open-addressing index of their numbers
 * points into it: a walk is a walk over the array, its order depends on no
 * hash, and deleting moves nothing. Holes are closed when the array is full.
 */
#include "base/map.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

#define FIRST_CAP    8
#define SLOT_FREE    0u
#define SLOT_DELETED UINT32_MAX
#define NOT_FOUND    SIZE_MAX

struct item {
	/* NULL: deleted. */
	char *key;
	size_t key_len;
	uint64_t hash;
	void *value;
};

struct map {
	uint64_t seed[2];
	struct item *items;
	/* The first n_used of cap items are live or deleted. */
	size_t n_used, n_live, cap;
	/* Number of an item plus one; 2 * cap slots, a power of two. */
	uint32_t *slots;
};

/* ---- SipHash-1-3 by Aumasson and Bernstein ------------------------------- */

static uint64_t rotate_left(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] = rotate_left(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] = rotate_left(v[2], 32);
}

static uint64_t load_word(const char *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return word;
}

static uint64_t hash_of(const struct map *m, struct slice key)
{
	uint64_t v[4] = {
		m->seed[0] ^ 0x736f6d6570736575u,
		m->seed[1] ^ 0x646f72616e646f6du,
		m->seed[0] ^ 0x6c7967656e657261u,
		m->seed[1] ^ 0x7465646279746573u,
	};
	size_t whole = key.len / 8 * 8;
	uint64_t word;

	for (size_t i = 0; i < whole; i += 8) {
		word = load_word(key.p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)key.len << 56;
	if (key.len > whole)
		word |= load_word(key.p + whole, key.len - whole);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the map ------------------------------------------------------------- */

struct map *map_new(void)
{
	struct map *m = xcalloc(1, sizeof *m);

	rand_bytes(m->seed, sizeof m->seed);
	return m;
}

static void release(struct map *m)
{
	free(m->items);
	free(m->slots);
	m->items = NULL;
	m->slots = NULL;
	m->n_used = m->n_live = m->cap = 0;
}

void map_free(struct map **mp)
{
	struct map *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_used; i++)
		free(m->items[i].key);
	release(m);
	free(m);
	*mp = NULL;
}

size_t map_count(const struct map *m)
{
	return m->n_live;
}

static void index_item(struct map *m, size_t number)
{
	size_t mask = 2 * m->cap - 1;
	size_t at = (size_t)m->items[number].hash & mask;

	/* At least half of the slots are free, so this ends. */
	while (m->slots[at] != SLOT_FREE && m->slots[at] != SLOT_DELETED)
		at = (at + 1) & mask;
	m->slots[at] = (uint32_t)number + 1;
}

/* Close the holes and choose a size in which half of the items are free. */
static void rebuild(struct map *m)
{
	size_t cap = FIRST_CAP, n = 0;
	struct item *items;

	while (cap < m->n_live * 2)
		cap *= 2;
	assert(cap < SLOT_DELETED / 2);
	items = xcalloc(cap, sizeof *items);
	for (size_t i = 0; i < m->n_used; i++)
		if (m->items[i].key != NULL)
			items[n++] = m->items[i];
	release(m);
	m->items = items;
	m->n_used = m->n_live = n;
	m->cap = cap;
	m->slots = xcalloc(2 * cap, sizeof *m->slots);
	for (size_t i = 0; i < n; i++)
		index_item(m, i);
}

/* The slot of the key, or NOT_FOUND. */
static size_t find_slot(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = 2 * m->cap - 1;

	if (m->cap == 0)
		return NOT_FOUND;
	for (size_t at = (size_t)hash & mask; m->slots[at] != SLOT_FREE;
	     at = (at + 1) & mask) {
		const struct item *it;

		if (m->slots[at] == SLOT_DELETED)
			continue;
		it = &m->items[m->slots[at] - 1];
		if (it->hash == hash &&
		    slice_same(slice_make(it->key, it->key_len), key))
			return at;
	}
	return NOT_FOUND;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	uint64_t hash = hash_of(m, key);
	size_t at = find_slot(m, key, hash);
	struct item *it;
	void *before;

	if (at != NOT_FOUND) {
		it = &m->items[m->slots[at] - 1];
		before = it->value;
		it->value = value;
		return before;
	}
	if (m->n_used == m->cap)
		rebuild(m);
	it = &m->items[m->n_used];
	it->key = xmalloc(key.len + 1);
	if (key.len > 0)
		memcpy(it->key, key.p, key.len);
	it->key[key.len] = '\0';
	it->key_len = key.len;
	it->hash = hash;
	it->value = value;
	index_item(m, m->n_used);
	m->n_used++;
	m->n_live++;
	return NULL;
}

void *map_get(const struct map *m, struct slice key)
{
	size_t at = find_slot(m, key, hash_of(m, key));

	return at != NOT_FOUND ? m->items[m->slots[at] - 1].value : NULL;
}

void *map_del(struct map *m, struct slice key)
{
	size_t at = find_slot(m, key, hash_of(m, key));
	struct item *it;
	void *value;

	if (at == NOT_FOUND)
		return NULL;
	it = &m->items[m->slots[at] - 1];
	value = it->value;
	free(it->key);
	*it = (struct item){ .key = NULL };
	m->slots[at] = SLOT_DELETED;
	if (--m->n_live == 0)
		release(m);
	return value;
}

bool map_next(
    const struct map *m, size_t *pos, const char **key_out, void **value_out)
{
	while (*pos < m->n_used) {
		const struct item *it = &m->items[(*pos)++];

		if (it->key == NULL)
			continue;
		*key_out = it->key;
		*value_out = it->value;
		return true;
	}
	return false;
}
