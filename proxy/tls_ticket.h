/*
 * Keys of session tickets: one set for all workers and all contexts, so that a
 * session which began on one worker, or before a reload, is resumed on another.
 * They change by themselves; the one before still opens its tickets.
 */
#ifndef CARREL_PROXY_TLS_TICKET_H
#define CARREL_PROXY_TLS_TICKET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct ssl_ctx_st;
struct tls_tickets;

/* How long a session may be resumed, and how long a key is used. */
#define TLS_TICKET_S (12 * 3600)

struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets **t);
/* ctx uses these keys; t must outlive it and its connections. */
int tls_tickets_use(
    struct tls_tickets *t, struct ssl_ctx_st *ctx, struct err *err) MUST_CHECK;

/*
 * The keys as bytes, for the process that takes over: what was given out here
 * resumes there. Only our own account may see them.
 */
#define TLS_TICKETS_BYTES 192
void tls_tickets_save(struct tls_tickets *t, struct buf *out);
/* In the place of our own. ERR_PROTOCOL: they are none. */
int tls_tickets_load(
    struct tls_tickets *t, struct slice saved, struct err *err) MUST_CHECK;

#endif
