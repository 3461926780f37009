/*
 * Lengths and chunks: see frame.h.
 */
#include "proxy/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* States of the chunk decoder: what the next byte has to be. */
enum chunk_state {
	CHUNK_SIZE,       /* a hex digit, or ';' or CR after one */
	CHUNK_EXT,        /* extension, until CR */
	CHUNK_SIZE_LF,    /* LF after the size line */
	CHUNK_DATA,       /* `left` bytes of payload */
	CHUNK_DATA_CR,    /* CR after the payload */
	CHUNK_DATA_LF,    /* LF after the payload */
	CHUNK_TRAILER,    /* a trailer line; an empty one ends the body */
	CHUNK_TRAILER_LF, /* LF after it */
	CHUNK_END,
};

void frame_init(struct frame *f, enum http_body kind, uint64_t length)
{
	*f = (struct frame){
		.kind = kind,
		.left = kind == HTTP_BODY_LENGTH ? length : 0,
		.state = CHUNK_SIZE,
	};
}

void frame_fini(struct frame *f)
{
	if (f->trailers != NULL)
		buf_fini(f->trailers);
	free(f->trailers);
	f->trailers = NULL;
}

bool frame_is_complete(const struct frame *f)
{
	switch (f->kind) {
	case HTTP_BODY_NONE:
		return true;
	case HTTP_BODY_LENGTH:
		return f->left == 0;
	case HTTP_BODY_CHUNKED:
		return f->state == CHUNK_END;
	case HTTP_BODY_UNTIL_CLOSE:
		return false;
	}
	return false;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* ---- chunks -------------------------------------------------------------- */

static int size_byte(struct frame *f, char c)
{
	int digit = hex_value(c);

	if (digit >= 0) {
		/* 15 digits cannot overflow 63 bits */
		if (++f->n_digits > 15)
			return -1;
		f->left = f->left * 16 + (uint64_t)digit;
		return 0;
	}
	if (f->n_digits == 0)
		return -1;
	if (c == '\r')
		f->state = CHUNK_SIZE_LF;
	else if (c == ';')
		f->state = CHUNK_EXT;
	else
		return -1;
	return 0;
}

static int ext_byte(struct frame *f, char c)
{
	if (c == '\r')
		f->state = CHUNK_SIZE_LF;
	else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
		return -1;
	else if (++f->line_len > FRAME_CHUNK_EXT_MAX)
		return -1;
	return 0;
}

static void size_line_ends(struct frame *f)
{
	f->state = f->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	f->n_digits = 0;
	f->line_len = 0;
}

static int keep_trailer(struct frame *f, char c)
{
	if (f->trailers == NULL) {
		f->trailers = xmalloc(sizeof *f->trailers);
		buf_init(f->trailers, FRAME_TRAILERS_MAX);
	}
	buf_char(f->trailers, c);
	return f->trailers->overflow ? -1 : 0;
}

static int trailer_byte(struct frame *f, char c)
{
	if (c == '\n')
		return -1;
	if (c == '\r') {
		f->state = CHUNK_TRAILER_LF;
		return 0;
	}
	f->line_len++;
	return keep_trailer(f, c);
}

static int trailer_line_ends(struct frame *f)
{
	if (f->line_len == 0) {
		f->state = CHUNK_END;
		return 0;
	}
	f->line_len = 0;
	f->state = CHUNK_TRAILER;
	return keep_trailer(f, '\r') < 0 ? -1 : keep_trailer(f, '\n');
}

/* One byte that is not payload. */
static int chunk_byte(struct frame *f, char c)
{
	switch ((enum chunk_state)f->state) {
	case CHUNK_SIZE:
		return size_byte(f, c);
	case CHUNK_EXT:
		return ext_byte(f, c);
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return -1;
		size_line_ends(f);
		return 0;
	case CHUNK_DATA_CR:
		f->state = CHUNK_DATA_LF;
		return c == '\r' ? 0 : -1;
	case CHUNK_DATA_LF:
		f->state = CHUNK_SIZE;
		return c == '\n' ? 0 : -1;
	case CHUNK_TRAILER:
		return trailer_byte(f, c);
	case CHUNK_TRAILER_LF:
		return c == '\n' ? trailer_line_ends(f) : -1;
	case CHUNK_DATA:
	case CHUNK_END:
		break;
	}
	return -1;
}

/* Payload of one chunk; moved to the end of what was found before. */
static size_t chunk_data(
    struct frame *f, char *p, size_t n, struct slice *payload)
{
	size_t take = f->left < n ? (size_t)f->left : n;

	if (payload->len == 0)
		payload->p = p;
	else
		memmove(p - (p - payload->p) + payload->len, p, take);
	payload->len += take;
	f->left -= take;
	if (f->left == 0)
		f->state = CHUNK_DATA_CR;
	return take;
}

static enum frame_result decode_chunks(
    struct frame *f, char *p, size_t len, struct slice *payload, size_t *used)
{
	size_t i = 0;

	while (i < len && f->state != CHUNK_END) {
		if (f->state == CHUNK_DATA)
			i += chunk_data(f, p + i, len - i, payload);
		else if (chunk_byte(f, p[i++]) < 0)
			return FRAME_BAD;
	}
	*used = i;
	return f->state == CHUNK_END ? FRAME_DONE : FRAME_MORE;
}

/* ---- all kinds ----------------------------------------------------------- */

enum frame_result frame_decode(
    struct frame *f, char *p, size_t len, struct slice *payload, size_t *used)
{
	*payload = slice_make(p, 0);
	*used = 0;
	switch (f->kind) {
	case HTTP_BODY_NONE:
		return FRAME_DONE;
	case HTTP_BODY_CHUNKED:
		return decode_chunks(f, p, len, payload, used);
	case HTTP_BODY_UNTIL_CLOSE:
		*used = payload->len = len;
		return FRAME_MORE;
	case HTTP_BODY_LENGTH:
		*used = f->left < len ? (size_t)f->left : len;
		payload->len = *used;
		f->left -= *used;
		return f->left == 0 ? FRAME_DONE : FRAME_MORE;
	}
	return FRAME_BAD;
}

size_t frame_size_line(char *out, size_t payload_len)
{
	static const char digits[] = "0123456789abcdef";
	char turned[16];
	size_t n = 0, at = 0;

	do {
		turned[n++] = digits[payload_len & 15];
		payload_len >>= 4;
	} while (payload_len > 0);
	while (n > 0)
		out[at++] = turned[--n];
	out[at++] = '\r';
	out[at++] = '\n';
	assert(at <= FRAME_SIZE_LINE_MAX);
	return at;
}
