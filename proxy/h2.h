/*
 * HTTP/2 to clients (RFC 9113, RFC 8441), by nghttp2: a connection with many
 * streams, each of which is a client of its own for an exchange, so that
 * everything behind conn.h is the same for both protocols. This header is for
 * conn.c and answer.c alone: a `conn` with `h2` set is a connection of this
 * kind, one with `stream` set is a stream.
 *
 * Memory of a connection is bounded: what comes in by the windows that we
 * offer (2 MiB of bodies that targets have not taken, at most 256 KiB a
 * stream), what goes out by one read from the target a stream, small ones as
 * soon as 1 MiB waits in all.
 */
#ifndef CARREL_PROXY_H2_H
#define CARREL_PROXY_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/str.h"
#include "proxy/conn.h"

struct buf;
struct cell;
struct h2;
struct h2_stream;
struct http_head;

/* ---- a connection -------------------------------------------------------- */

/* TLS agreed on it: c is one from now on. -1: it cannot begin. */
int h2_begin(struct conn *c) MUST_CHECK;
/* With all its streams; accepts NULL inside. */
void h2_free(struct h2 **h);
/* Read, run the streams, write; true: something moved. */
bool h2_step(struct conn *c);
int64_t h2_deadline(const struct conn *c);
/* No stream is open. */
bool h2_is_idle(const struct conn *c);
/* The deadline passed. */
void h2_expire(struct conn *c);
/* Say that it ends; streams that run, and what crosses with it, finish. */
void h2_drain(struct conn *c);

/* ---- a stream, behind the doors of conn.h -------------------------------- */

void h2_stream_run(struct h2_stream *s);
enum conn_read h2_stream_read_body(
    struct h2_stream *s, struct frame *f, struct slice *payload);
bool h2_stream_has_input(const struct h2_stream *s);
/* Bytes of the body that are here already. */
size_t h2_stream_held(const struct h2_stream *s);
int h2_stream_send(
    struct h2_stream *s, const struct iovec *iov, size_t n) MUST_CHECK;
bool h2_stream_is_blocked(const struct h2_stream *s);
/* How much of an answer may be read at once. */
size_t h2_stream_room(const struct h2_stream *s);
void h2_stream_finish(struct h2_stream *s);
/* The next piece is the last one, if there is any; behind it these trailers,
 * lines with CRLF, or NULL. */
void h2_stream_last(struct h2_stream *s, const struct buf *lines);

/* ---- a stream that becomes a tunnel -------------------------------------- */

/* NULL when the target's answer belongs to the handshake that we made for this
 * stream, else what is wrong with it. */
const char *h2_stream_check_answer(
    const struct h2_stream *s, const struct http_head *h);
/* The 101 was sent. Takes the target's socket with its queue, and the cell's
 * reference; -1: it cannot be watched, all is closed. */
int h2_tunnel_begin(struct h2_stream *s, struct transport *target,
    struct cell *cell, struct err *err) MUST_CHECK;

#endif
