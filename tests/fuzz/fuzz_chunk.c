/*
 * Fuzz target for proxy/frame: a body decoded whole and decoded in pieces is
 * the same body; payload stays inside the bytes; what is done stays done. The
 * first byte chooses how the rest is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proxy/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum frame_result end;
	char *payload;
	size_t len, used;
	struct frame frame;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* seed 0: in one piece. */
static void decode(
    struct result *r, const uint8_t *data, size_t size, unsigned seed)
{
	frame_init(&r->frame, HTTP_BODY_CHUNKED, 0);
	r->payload = xmalloc(size + 1);
	r->len = r->used = 0;
	r->end = FRAME_MORE;
	while (r->used < size && r->end == FRAME_MORE) {
		size_t left = size - r->used, used;
		size_t n = seed == 0 ? left : 1 + seed % 7 * (seed % 3);
		struct slice payload;
		char *piece;

		if (n > left)
			n = left;
		seed = seed * 1103515245u + (seed != 0 ? 12345u : 0);
		piece = xmemdup(data + r->used, n);
		r->end = frame_decode(&r->frame, piece, n, &payload, &used);
		if (r->end != FRAME_BAD) {
			must(used <= n);
			must(r->end == FRAME_DONE || used == n);
			must(payload.p >= piece &&
			     payload.p + payload.len <= piece + used);
			memcpy(r->payload + r->len, payload.p, payload.len);
			r->len += payload.len;
			r->used += used;
		}
		free(piece);
	}
}

static void forget(struct result *r)
{
	frame_fini(&r->frame);
	free(r->payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, pieces;
	const struct buf *a, *b;

	if (size < 1)
		return 0;
	decode(&whole, data + 1, size - 1, 0);
	decode(&pieces, data + 1, size - 1, data[0] + 1u);
	must(whole.end == pieces.end);
	must(frame_is_complete(&whole.frame) == (whole.end == FRAME_DONE));
	if (whole.end != FRAME_BAD) {
		must(whole.used == pieces.used && whole.len == pieces.len);
		must(memcmp(whole.payload, pieces.payload, whole.len) == 0);
		a = whole.frame.trailers;
		b = pieces.frame.trailers;
		must((a == NULL) == (b == NULL));
		must(a == NULL || strcmp(buf_view(a), buf_view(b)) == 0);
	}
	forget(&whole);
	forget(&pieces);
	return 0;
}
