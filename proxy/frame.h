/*
 * Body framing of HTTP/1.1: how many of the bytes that come in belong to the
 * message, and what of them is payload. A strict decoder (RFC 9112 7.1): chunk
 * sizes are at most 15 hex digits, every line ends in CRLF, extensions are read
 * and dropped. The encoder is the owner's: it sends exactly what it announced.
 */
#ifndef CARREL_PROXY_FRAME_H
#define CARREL_PROXY_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/httphead.h"

#define FRAME_TRAILERS_MAX  16384
#define FRAME_CHUNK_EXT_MAX 4096

enum frame_result {
	FRAME_MORE, /* all bytes were used, the body goes on */
	FRAME_DONE, /* the body is complete */
	FRAME_BAD,  /* this is no proper framing */
};

struct frame {
	enum http_body kind;
	uint8_t state; /* of the chunk decoder */
	uint8_t n_digits;
	uint32_t line_len;    /* of the size line or the trailer line */
	uint64_t left;        /* payload bytes of the body or the chunk */
	struct buf *trailers; /* lines with CRLF; NULL until one comes */
};

void frame_init(struct frame *f, enum http_body kind, uint64_t length);
/* Frees the trailers. */
void frame_fini(struct frame *f);
/* A body of no bytes is complete at once. */
bool frame_is_complete(const struct frame *f);

/*
 * Take bytes p[0..len). Payload ends up at *payload (inside p; moved together
 * when chunks lie between), *used bytes belong to this message. p is changed
 * up to *used. DONE may leave bytes of the next message behind *used.
 */
enum frame_result frame_decode(
    struct frame *f, char *p, size_t len, struct slice *payload, size_t *used);

/* "1f\r\n"; out has room for FRAME_SIZE_LINE_MAX. Returns its length. */
#define FRAME_SIZE_LINE_MAX 20
size_t frame_size_line(char *out, size_t payload_len);

#endif
