/*
 * Frames that go: heads of frames and short ones are written into a text on the
 * stack, payloads stay where they are, and the transport gets it all as one
 * array. nghttp2 hands out one frame after the other (those with a payload of
 * ours by h2_out_data, and only that one can make it stop), so the order of the
 * array is theirs.
 */
#include <string.h>

#include "proxy/h2_priv.h"
#include "proxy/worker.h"

#define SENDS_AT_ONCE 8
/* What nghttp2 hands out at once: a frame of at most 16 KiB. */
#define FRAME_MAX     (H2_PIECE + 64)
#define FRAME_HEAD    9
#define PIECES_MAX    64
/* A payload that is as well copied as named. */
#define SHORT_MAX     1024
/* Enough for one call of the transport; what it does not take it keeps. */
#define BATCH_ENOUGH  ((size_t)WORKER_SCRATCH)

struct h2_batch {
	char text[2 * H2_PIECE + FRAME_MAX];
	size_t text_len;
	struct iovec iov[PIECES_MAX];
	size_t n, n_bytes;
};

static void name(struct h2_batch *b, void *p, size_t n)
{
	struct iovec *last = b->n > 0 ? &b->iov[b->n - 1] : NULL;

	b->n_bytes += n;
	if (last != NULL && (char *)last->iov_base + last->iov_len == p)
		last->iov_len += n;
	else
		b->iov[b->n++] = (struct iovec){ p, n };
}

static void copy(struct h2_batch *b, const void *p, size_t n)
{
	char *to = b->text + b->text_len;

	if (n == 0)
		return;
	memcpy(to, p, n);
	b->text_len += n;
	name(b, to, n);
}

/* Is there room for any frame? */
static bool has_room(const struct h2_batch *b)
{
	return b->n_bytes < BATCH_ENOUGH && b->n + 2 <= PIECES_MAX &&
	       sizeof b->text - b->text_len >= FRAME_MAX;
}

int h2_out_data(nghttp2_session *session, nghttp2_frame *frame,
    const uint8_t *head, size_t len, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s =
	    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct h2 *h = arg;
	struct slice payload;
	union {
		const char *from;
		void *to;
	} u;

	(void)source;
	if (s == NULL)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	copy(h->batch, head, FRAME_HEAD);
	payload = h2_stream_next(s, len);
	u.from = payload.p;
	if (len > SHORT_MAX)
		name(h->batch, u.to, len);
	else
		copy(h->batch, payload.p, len);
	return has_room(h->batch) ? 0 : NGHTTP2_ERR_PAUSE;
}

/* Frames, as many as there is room for; -1: the session is broken. */
static int gather(struct h2 *h, struct h2_batch *b)
{
	const uint8_t *p;
	ssize_t n = 1;

	while (n > 0 && has_room(b)) {
		n = nghttp2_session_mem_send(h->session, &p);
		if (n < 0 || n > FRAME_MAX)
			return -1;
		copy(b, p, (size_t)n);
	}
	return 0;
}

static int send_batch(struct h2 *h, bool *more)
{
	struct h2_batch b;
	int rc;

	b.text_len = b.n = b.n_bytes = 0;
	h->batch = &b;
	rc = gather(h, &b);
	h->batch = NULL;
	*more = !has_room(&b);
	if (rc < 0 || b.n == 0)
		return rc;
	return transport_send(&h->conn->io, b.iov, b.n);
}

bool h2_out_send(struct h2 *h)
{
	struct conn *c = h->conn;
	bool more = true;

	for (int i = 0; more && i < SENDS_AT_ONCE; i++) {
		if (transport_is_blocked(&c->io))
			return false;
		if (send_batch(h, &more) < 0) {
			c->state = CONN_CLOSED;
			h2_turn(h);
			return false;
		}
	}
	return more;
}
