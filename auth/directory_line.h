/*
 * A deadline for what libldap reads and writes on a connection, TLS handshakes
 * included, for which libldap 2.5 has none. Private to directory.c.
 */
#ifndef CARREL_AUTH_DIRECTORY_LINE_H
#define CARREL_AUTH_DIRECTORY_LINE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/time.h>

#include <ldap.h>

struct directory_line {
	struct ldap_conncb on_connect; /* for LDAP_OPT_CONNECT_CB */
	const atomic_bool *is_cancelled;
	int64_t until_ms; /* monotonic */
	int fd;           /* libldap's */
};

/* It must stay where it is, and outlive the connection. */
void directory_line_init(
    struct directory_line *line, const atomic_bool *is_cancelled);
/* A step begins, which may take so long. */
void directory_line_step(struct directory_line *line, int timeout_s);

#endif
