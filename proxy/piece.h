/*
 * One piece of a message on its way out: a head, payload, and the framing
 * around it, as an array for one write. Borrows all it points to.
 */
#ifndef CARREL_PROXY_PIECE_H
#define CARREL_PROXY_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/str.h"
#include "proxy/frame.h"

#define PIECE_PARTS 8

struct piece {
	char line[FRAME_SIZE_LINE_MAX];
	struct iovec iov[PIECE_PARTS];
	size_t n;
	size_t len; /* bytes in all */
};

void piece_init(struct piece *p);
void piece_add(struct piece *p, const void *bytes, size_t n);
/*
 * Payload, as chunk if asked for, and what ends the body if it is the last:
 * the trailers that `f` read are sent too.
 */
void piece_body(struct piece *p, struct slice payload, bool chunked,
    bool is_last, const struct frame *f);
/* May the trailers that were read be passed on? */
bool piece_trailers_are_sound(const struct frame *f, struct http_head *scratch);

#endif
