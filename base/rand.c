/*
 * The door through which randomness enters: see rand.h. Each thread keeps a
 * small store of the kernel's bytes; a forked child throws it away, and what
 * was given out is wiped.
 */
#include "base/rand.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"

#define STORE_SIZE     256
#define FILL_AT_A_TIME 32

struct store {
	unsigned char bytes[STORE_SIZE];
	size_t n_left;
	pid_t pid;
};

static _Thread_local struct store store;

/* xoshiro256** by Blackman and Vigna; set before threads start. */
static struct {
	bool is_on;
	uint64_t s[4];
} sim;

static void kernel_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			fprintf(stderr, "no random bytes from the kernel: %s\n",
			    strerror(errno));
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

static void store_bytes(void *p, size_t n)
{
	pid_t pid = getpid();
	unsigned char *from;

	if (store.pid != pid || store.n_left < n) {
		kernel_bytes(store.bytes, sizeof store.bytes);
		store.n_left = sizeof store.bytes;
		store.pid = pid;
	}
	store.n_left -= n;
	from = store.bytes + store.n_left;
	memcpy(p, from, n);
	mem_wipe(from, n);
}

static uint64_t rotate_left(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t sim_next(void)
{
	uint64_t *s = sim.s;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

static void sim_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	for (uint64_t word = 0; n > 0; at++, n--, word >>= 8) {
		if ((size_t)(at - (unsigned char *)p) % 8 == 0)
			word = sim_next();
		*at = (unsigned char)(word & 255);
	}
}

void rand_bytes(void *p, size_t n)
{
	if (n == 0)
		return;
	if (sim.is_on)
		sim_bytes(p, n);
	else if (n > STORE_SIZE / 2)
		kernel_bytes(p, n);
	else
		store_bytes(p, n);
}

uint64_t rand_u64(void)
{
	uint64_t value;

	rand_bytes(&value, sizeof value);
	return value;
}

uint64_t rand_below(uint64_t n)
{
	uint64_t value, first_fair;

	assert(n > 0);
	/* 2^64 mod n values are too many to be shared out evenly. */
	first_fair = (0 - n) % n;
	do
		value = rand_u64();
	while (value < first_fair);
	return value % n;
}

static void fill(char *out, size_t n, const char *alphabet, unsigned size)
{
	unsigned limit = 256 / size * size;
	unsigned char drawn[FILL_AT_A_TIME];

	for (size_t i = 0; i < n;) {
		size_t n_drawn = n - i < sizeof drawn ? n - i : sizeof drawn;

		rand_bytes(drawn, n_drawn);
		for (size_t k = 0; k < n_drawn; k++)
			if (drawn[k] < limit)
				out[i++] = alphabet[drawn[k] % size];
	}
	mem_wipe(drawn, sizeof drawn);
	out[n] = '\0';
}

void rand_hex(char *out, size_t n)
{
	fill(out, n, "0123456789abcdef", 16);
}

void rand_alnum(char *out, size_t n)
{
	fill(out, n,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	    62);
}

void rand_seed_simulation(uint64_t seed)
{
	/* splitmix64 spreads the seed over the state. */
	for (size_t i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		sim.s[i] = z ^ z >> 31;
	}
	sim.is_on = true;
}
