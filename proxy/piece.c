/*
 * Pieces of messages: see piece.h.
 */
#include "proxy/piece.h"

#include <assert.h>

void piece_init(struct piece *p)
{
	p->n = p->len = 0;
}

void piece_add(struct piece *p, const void *bytes, size_t n)
{
	union {
		const void *from;
		void *to;
	} u = { .from = bytes };

	if (n == 0)
		return;
	assert(p->n < PIECE_PARTS);
	p->iov[p->n++] = (struct iovec){ .iov_base = u.to, .iov_len = n };
	p->len += n;
}

void piece_body(struct piece *p, struct slice payload, bool chunked,
    bool is_last, const struct frame *f)
{
	if (!chunked) {
		piece_add(p, payload.p, payload.len);
		return;
	}
	if (payload.len > 0) {
		piece_add(p, p->line, frame_size_line(p->line, payload.len));
		piece_add(p, payload.p, payload.len);
		piece_add(p, "\r\n", 2);
	}
	if (!is_last)
		return;
	piece_add(p, "0\r\n", 3);
	if (f->trailers != NULL)
		piece_add(p, f->trailers->data, f->trailers->len);
	piece_add(p, "\r\n", 2);
}

bool piece_trailers_are_sound(const struct frame *f, struct http_head *scratch)
{
	struct http_refusal why;

	return f->trailers == NULL || httphead_parse_trailers(f->trailers->data,
					  f->trailers->len, scratch, &why) == 0;
}
