/*
 * One strict number parser family: the whole string, decimal digits, in range;
 * no sign unless the type has one, no blanks, no leading '+', no leading
 * zeros beyond a single "0".
 */
#ifndef CARREL_BASE_NUM_H
#define CARREL_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

int num_u16(const char *s, uint16_t *out, struct err *err) MUST_CHECK;
int num_u32(const char *s, uint32_t *out, struct err *err) MUST_CHECK;
int num_i64(const char *s, int64_t *out, struct err *err) MUST_CHECK;
int num_u64(const char *s, uint64_t *out, struct err *err) MUST_CHECK;
int num_slice_u64(struct slice s, uint64_t *out, struct err *err) MUST_CHECK;
/* Between lo and hi, both included; the text of an error names the range. */
int num_range(const char *s, int64_t lo, int64_t hi, int64_t *out,
    struct err *err) MUST_CHECK;
/* "512M", "2G", "1048576": bytes, binary K M G T. */
int num_bytes(const char *s, int64_t *out, struct err *err) MUST_CHECK;
/* "30", "30s", "5m", "2h", "14d": seconds. */
int num_seconds(const char *s, int64_t *out, struct err *err) MUST_CHECK;

#endif
