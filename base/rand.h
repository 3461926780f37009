/*
 * The door through which randomness enters: the kernel's generator, or a
 * seeded one in a simulation.
 */
#ifndef CARREL_BASE_RAND_H
#define CARREL_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
/* Uniform in 0..n-1; n > 0. */
uint64_t rand_below(uint64_t n);
/* n lower-case hex digits and NUL; out has room for n+1. */
void rand_hex(char *out, size_t n);
/* n of [A-Za-z0-9] and NUL. */
void rand_alnum(char *out, size_t n);
/* From here on a deterministic generator (never in production). */
void rand_seed_simulation(uint64_t seed);

#endif
