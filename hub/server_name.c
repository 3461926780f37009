/*
 * See server_name.h.
 */
#include "hub/server_name.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mac.h"
#include "base/str.h"

#define NAME_MAX_NEW SERVER_SLUG_MAX
#define NAME_MAX_OLD 255
#define DISPLAY_MAX  255 /* characters */

/* ^[a-z0-9]+(-[a-z0-9]+)*$, a letter in front. */
static bool is_slug(const char *s)
{
	char last = '-';

	if (*s < 'a' || *s > 'z' || strlen(s) > NAME_MAX_NEW)
		return false;
	for (; *s; last = *s++) {
		bool is_plain =
		    (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9');

		if (!is_plain && (*s != '-' || last == '-'))
			return false;
	}
	return last != '-';
}

int server_name_check(const char *name, bool is_new, struct err *err)
{
	char shown[48];

	if (!*name || (is_new && is_slug(name)))
		return 0;
	str_printable(shown, sizeof shown, name, strlen(name));
	if (is_new)
		return err_set(err, ERR_INVALID,
		    "Invalid server_name: \"%s\": 1 to %d of a-z, 0-9 and "
		    "single hyphens, a letter in front",
		    shown, NAME_MAX_NEW);
	if (strlen(name) > NAME_MAX_OLD || strchr(name, '/'))
		return err_set(
		    err, ERR_INVALID, "Invalid server_name: \"%s\"", shown);
	return 0;
}

/* ---- display names ------------------------------------------------ */

/* The next character of valid UTF-8. */
static uint32_t next_char(const unsigned char **at)
{
	const unsigned char *s = *at;
	size_t more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? *s : *s & (0x3fU >> more);

	for (size_t i = 1; i <= more; i++)
		c = (c << 6) | (s[i] & 0x3fU);
	*at = s + more + 1;
	return c;
}

/* Control and format characters, spaces that are not the space, and what is for
 * private use or no character. */
static bool is_printable(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x00, 0x1f },
		{ 0x7f, 0xa0 },
		{ 0xad, 0xad },
		{ 0x600, 0x605 },
		{ 0x61c, 0x61c },
		{ 0x6dd, 0x6dd },
		{ 0x70f, 0x70f },
		{ 0x1680, 0x1680 },
		{ 0x180e, 0x180e },
		{ 0x2000, 0x200f },
		{ 0x2028, 0x202f },
		{ 0x205f, 0x206f },
		{ 0x3000, 0x3000 },
		{ 0xd800, 0xf8ff },
		{ 0xfdd0, 0xfdef },
		{ 0xfeff, 0xfeff },
		{ 0xfff0, 0xfffb },
		{ 0xfffe, 0xffff },
		{ 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return true;
}

static int check_display(const char *text, struct err *err)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t c, last = ' ';
	size_t n = 0;

	for (; *at; last = c, n++) {
		c = next_char(&at);
		if (!is_printable(c) || (c == ' ' && last == ' '))
			return err_set(err, ERR_INVALID,
			    "Invalid display_name: only printable characters "
			    "with single spaces between them");
	}
	if (n < 1 || n > DISPLAY_MAX || last == ' ')
		return err_set(err, ERR_INVALID,
		    "Invalid display_name: 1 to %d characters, no space at the "
		    "end",
		    DISPLAY_MAX);
	return 0;
}

int server_display_normal(
    struct arena *a, const char *text, const char **out, struct err *err)
{
	utf8proc_uint8_t *normal;

	if (!utf8_valid(text, strlen(text)) ||
	    (normal = utf8proc_NFC((const utf8proc_uint8_t *)text)) == NULL)
		return err_set(
		    err, ERR_INVALID, "Invalid display_name: it is no UTF-8");
	*out = arena_strdup(a, (const char *)normal);
	free(normal);
	return check_display(*out, err);
}

/* ---- slugs -------------------------------------------------------- */

/* Runs of what a slug cannot have become one hyphen, none in front. */
static size_t put_slug(
    const unsigned char *s, size_t max, char out[SERVER_SLUG_MAX + 1])
{
	size_t n = 0;

	for (; *s && n < max; s++) {
		char c = (char)(*s >= 'A' && *s <= 'Z' ? *s + 'a' - 'A' : *s);
		bool is_plain =
		    (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		/* a letter in front */
		if (n == 0 && c >= '0' && c <= '9') {
			out[n++] = 'x';
			out[n++] = '-';
		}
		if (is_plain)
			out[n++] = c;
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	if (n == 0)
		out[n++] = 'x';
	out[n] = '\0';
	return n;
}

void server_name_slug(
    const char *text, bool unlike, char out[SERVER_SLUG_MAX + 1])
{
	static const utf8proc_option_t plain =
	    UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
	    UTF8PROC_COMPAT | UTF8PROC_STRIPMARK;
	const unsigned char *from = (const unsigned char *)text;
	utf8proc_uint8_t *letters = NULL;
	char digest[65];
	size_t n;

	if (utf8proc_map(from, 0, &letters, plain) < 0)
		letters = NULL;
	/* hyphen and eight digits */
	n = put_slug(letters ? letters : from,
	    unlike ? SERVER_SLUG_MAX - 9 : SERVER_SLUG_MAX, out);
	free(letters);
	if (!unlike)
		return;
	mac_sha256_hex(text, strlen(text), digest);
	out[n++] = '-';
	memcpy(out + n, digest, 8);
	out[n + 8] = '\0';
}
