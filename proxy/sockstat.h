/*
 * The TCP sockets of the machine (of the network namespace) by state, for the
 * metrics: a proxy that runs out of ports shows it here before it fails.
 */
#ifndef CARREL_PROXY_SOCKSTAT_H
#define CARREL_PROXY_SOCKSTAT_H

#include <stddef.h>
#include <stdint.h>

struct buf;

struct sockstat {
	uint64_t in_use, orphans, time_wait;
};

/* The text of /proc/net/sockstat is added to *out (IPv4), that of sockstat6
 * too. */
void sockstat_parse(const char *text, struct sockstat *out);
/* Writes the family; nothing where the kernel does not tell. */
void sockstat_write(struct buf *out);

#endif
