/*
 * Allocation that ends the process when memory is exhausted: the programs
 * restart clean by design, and every input size is capped before it gets here.
 */
#ifndef CARREL_BASE_MEM_H
#define CARREL_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n)
    __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Overwrite memory that held a secret; never optimised away. */
void mem_wipe(void *p, size_t n);

#endif
