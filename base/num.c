/*
 * The strict number parsers: see num.h.
 */
#include "base/num.h"

#include <stddef.h>
#include <string.h>

/* A quotation of what was given, for the text of an error. */
struct quote {
	char text[48];
};

static struct quote quote(struct slice s)
{
	struct quote q;

	str_printable(q.text, sizeof q.text, s.p, s.len);
	return q;
}

static int not_a_number(struct slice s, struct err *err)
{
	if (s.len == 0)
		return err_set(
		    err, ERR_INVALID, "a number is missing: nothing was given");
	return err_set(err, ERR_INVALID, "\"%s\" is not a whole decimal number",
	    quote(s).text);
}

static int too_large(struct slice s, struct err *err)
{
	return err_set(
	    err, ERR_INVALID, "\"%s\" is too large a number", quote(s).text);
}

int num_slice_u64(struct slice s, uint64_t *out, struct err *err)
{
	uint64_t value = 0;

	if (s.len == 0 || (s.len > 1 && s.p[0] == '0'))
		return not_a_number(s, err);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return not_a_number(s, err);
	for (size_t i = 0; i < s.len; i++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(
			value, (uint64_t)(s.p[i] - '0'), &value))
			return too_large(s, err);
	*out = value;
	return 0;
}

int num_u64(const char *s, uint64_t *out, struct err *err)
{
	return num_slice_u64(slice_of(s), out, err);
}

static int unsigned_upto(
    const char *s, uint64_t max, uint64_t *out, struct err *err)
{
	uint64_t value;

	if (num_u64(s, &value, err) < 0)
		return -1;
	if (value > max)
		return err_set(err, ERR_INVALID,
		    "\"%s\" is out of range: 0 to %llu",
		    quote(slice_of(s)).text, (unsigned long long)max);
	*out = value;
	return 0;
}

int num_u16(const char *s, uint16_t *out, struct err *err)
{
	uint64_t value;

	if (unsigned_upto(s, UINT16_MAX, &value, err) < 0)
		return -1;
	*out = (uint16_t)value;
	return 0;
}

int num_u32(const char *s, uint32_t *out, struct err *err)
{
	uint64_t value;

	if (unsigned_upto(s, UINT32_MAX, &value, err) < 0)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

static int slice_i64(struct slice s, int64_t *out, struct err *err)
{
	bool is_negative = s.len > 0 && s.p[0] == '-';
	uint64_t value, max = (uint64_t)INT64_MAX + is_negative;
	struct slice digits = s;

	if (is_negative)
		digits = slice_make(s.p + 1, s.len - 1);
	if (slice_eq(s, "-") || slice_eq(s, "-0"))
		return not_a_number(s, err);
	if (num_slice_u64(digits, &value, err) < 0)
		return -1;
	if (value > max)
		return too_large(s, err);
	/* The least value has no positive twin: negate in unsigned. */
	*out = is_negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int num_i64(const char *s, int64_t *out, struct err *err)
{
	return slice_i64(slice_of(s), out, err);
}

int num_range(
    const char *s, int64_t lo, int64_t hi, int64_t *out, struct err *err)
{
	int64_t value;

	if (num_i64(s, &value, NULL) < 0 || value < lo || value > hi)
		return err_set(err, ERR_INVALID,
		    "\"%s\" is no whole number from %lld to %lld",
		    quote(slice_of(s)).text, (long long)lo, (long long)hi);
	*out = value;
	return 0;
}

struct unit {
	char letter;
	int64_t factor;
};

/* Digits and at most one unit letter; `units` ends with letter 0. */
static int with_unit(
    struct slice s, const struct unit *units, int64_t *out, struct err *err)
{
	struct slice digits = s;
	int64_t value, factor = 1;

	for (; s.len > 0 && units->letter != '\0'; units++) {
		if (s.p[s.len - 1] != units->letter)
			continue;
		factor = units->factor;
		digits.len--;
		break;
	}
	if (digits.len == 0 || digits.p[0] == '-')
		return not_a_number(s, err);
	if (slice_i64(digits, &value, err) < 0)
		return -1;
	if (__builtin_mul_overflow(value, factor, &value))
		return too_large(s, err);
	*out = value;
	return 0;
}

int num_bytes(const char *s, int64_t *out, struct err *err)
{
	static const struct unit units[] = {
		{ 'K', (int64_t)1 << 10 },
		{ 'M', (int64_t)1 << 20 },
		{ 'G', (int64_t)1 << 30 },
		{ 'T', (int64_t)1 << 40 },
		{ '\0', 0 },
	};

	if (with_unit(slice_of(s), units, out, err) < 0)
		return err_wrap(err, "a size such as 512M or 2G is expected");
	return 0;
}

int num_seconds(const char *s, int64_t *out, struct err *err)
{
	static const struct unit units[] = {
		{ 's', 1 },
		{ 'm', 60 },
		{ 'h', 3600 },
		{ 'd', 86400 },
		{ '\0', 0 },
	};

	if (with_unit(slice_of(s), units, out, err) < 0)
		return err_wrap(err, "a time such as 30s or 5m is expected");
	return 0;
}
