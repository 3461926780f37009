/*
 * Strings and views. A C string from outside is validated once at the edge.
 */
#ifndef CARREL_BASE_STR_H
#define CARREL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct slice {
	const char *p;
	size_t len;
};

struct slice slice_of(const char *s);
struct slice slice_make(const char *p, size_t len);
bool slice_eq(struct slice a, const char *b);
bool slice_ieq(struct slice a, const char *b); /* ASCII case folded */
bool slice_same(struct slice a, struct slice b);
bool slice_starts(struct slice a, const char *prefix);
struct slice slice_trim(struct slice s); /* spaces and tabs on both sides */
/* Take the part before the first `sep` off `*rest`; false when nothing is left.
 */
bool slice_split(struct slice *rest, char sep, struct slice *out);

/* Copy with termination; -1 (dst holds "") when it does not fit. */
int str_copy(char *dst, size_t cap, const char *src) MUST_CHECK;
int str_copy_slice(char *dst, size_t cap, struct slice s) MUST_CHECK;
/* snprintf whose truncation is an error: -1 and dst "". */
int str_format(char *dst, size_t cap, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
void str_lower_ascii(char *s);
/* Well-formed UTF-8 without NUL (RFC 3629). */
bool utf8_valid(const char *p, size_t len);
/* Has a byte below 0x20 or 0x7f. */
bool str_has_control(const char *p, size_t len);
/*
 * For log lines and messages: at most cap-1 bytes, control bytes and bytes that
 * are no UTF-8 become '?', a cut text ends in "...". Always terminates.
 */
void str_printable(char *dst, size_t cap, const char *src, size_t len);
/* Edit distance up to `limit` (returns limit+1 beyond): "did you mean ...". */
size_t str_distance(const char *a, const char *b, size_t limit);

/* out has room for 2n+1. */
void hex_encode(const unsigned char *p, size_t n, char *out);
int hex_decode(
    const char *s, unsigned char *out, size_t cap, size_t *n_out) MUST_CHECK;
/* base64url without padding (RFC 4648 section 5); cap includes the NUL. */
int b64url_encode(const void *p, size_t n, char *out, size_t cap) MUST_CHECK;
int b64url_decode(
    struct slice s, unsigned char *out, size_t cap, size_t *n_out) MUST_CHECK;

#endif
