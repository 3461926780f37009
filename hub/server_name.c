/*
 * See server_name.h.
 */
#include "hub/server_name.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define NAME_MAX_NEW 30
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

int server_display_check(const char *text, struct err *err)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t c, last = ' ';
	size_t n = 0;

	if (!utf8_valid(text, strlen(text)))
		return err_set(
		    err, ERR_INVALID, "Invalid display_name: it is no UTF-8");
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
