/*
 * See account_name.h.
 */
#include "auth/account_name.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mac.h"
#include "base/str.h"

/* 12 characters of 5 bits, none of which can be taken for another. */
#define PRINT_CHARS  12
#define PRINT_DIGITS "0123456789abcdefghjkmnpqrstvwxyz"

static bool stays(char c, bool is_first)
{
	if (c >= 'a' && c <= 'z')
		return true;
	return !is_first && ((c >= '0' && c <= '9') || c == '-');
}

/* Bytes written: 1 or 3. */
static size_t put(char *out, char c, bool is_first)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char b = (unsigned char)c;

	if (stays(c, is_first)) {
		*out = c;
		return 1;
	}
	out[0] = '_';
	out[1] = hex[b >> 4];
	out[2] = hex[b & 15];
	return 3;
}

/* "__" and the fingerprint: no escaped byte begins with two '_'. */
static void put_print(char *out, const char *name)
{
	unsigned char digest[MAC_SHA256_LEN];
	uint64_t bits = 0;

	mac_sha256(name, strlen(name), digest);
	for (size_t i = 0; i < sizeof bits; i++)
		bits = bits << 8 | digest[i];
	*out++ = '_';
	*out++ = '_';
	for (int i = 0; i < PRINT_CHARS; i++, bits >>= 5)
		*out++ = PRINT_DIGITS[bits & 31];
	*out = '\0';
}

void account_name_escape(const char *name, char out[ACCOUNT_NAME_MAX + 1])
{
	const size_t room = ACCOUNT_NAME_MAX - 2 - PRINT_CHARS;
	size_t len = 0, cut = 0;

	assert(*name);
	for (const char *c = name; *c; c++) {
		char piece[3];
		size_t n = put(piece, *c, c == name);

		if (len + n > ACCOUNT_NAME_MAX) {
			put_print(out + cut, name);
			return;
		}
		memcpy(out + len, piece, n);
		len += n;
		if (len <= room)
			cut = len;
	}
	out[len] = '\0';
}
