/*
 * See totp.h.
 */
#include "auth/totp.h"

#include <liboath/oath.h>
#include <stdlib.h>
#include <string.h>

#include "base/mac.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/url.h"

#define SECRET_BYTES 20

void totp_secret_new(char out[TOTP_SECRET_LEN + 1])
{
	char raw[SECRET_BYTES];
	char *text = NULL;
	size_t len = 0;

	rand_bytes(raw, sizeof raw);
	if (oath_init() != OATH_OK ||
	    oath_base32_encode(raw, sizeof raw, &text, &len) != OATH_OK ||
	    str_copy(out, TOTP_SECRET_LEN + 1, text) != 0)
		abort();
	mem_wipe(raw, sizeof raw);
	mem_wipe(text, len);
	free(text);
}

/* Six digits, and nothing else but spaces. */
static bool read_code(const char *typed, char out[TOTP_DIGITS + 1])
{
	size_t n = 0;

	for (const char *p = typed; *p; p++) {
		if (*p == ' ')
			continue;
		if (*p < '0' || *p > '9' || n == TOTP_DIGITS)
			return false;
		out[n++] = *p;
	}
	out[n] = '\0';
	return n == TOTP_DIGITS;
}

static int is_of_step(const char *raw, size_t len, int64_t step,
    const char *code, struct err *err)
{
	char right[TOTP_DIGITS + 1];

	if (oath_totp_generate(raw, len, (time_t)(step * TOTP_STEP_S),
		TOTP_STEP_S, OATH_TOTP_DEFAULT_START_TIME, TOTP_DIGITS,
		right) != OATH_OK)
		return err_set(err, ERR_INTERNAL, "liboath cannot make a code");
	return mac_equal_str(right, code);
}

int totp_check(const char *secret, const char *typed, int64_t now_s,
    int64_t last_step, int64_t *step_out, struct err *err)
{
	char code[TOTP_DIGITS + 1];
	int64_t now = now_s / TOTP_STEP_S;
	char *raw = NULL;
	size_t len = 0;
	int rc = 0;

	if (!read_code(typed, code))
		return 0;
	if (oath_init() != OATH_OK ||
	    oath_base32_decode(secret, strlen(secret), &raw, &len) != OATH_OK)
		return err_set(
		    err, ERR_INVALID, "the secret of a second step is none");
	for (int64_t step = now - 1; rc == 0 && step <= now + 1; step++) {
		if (step <= last_step)
			continue;
		rc = is_of_step(raw, len, step, code, err);
		*step_out = step;
	}
	mem_wipe(raw, len);
	free(raw);
	return rc;
}

const char *totp_spaced(struct arena *a, const char *secret)
{
	size_t len = strlen(secret);
	char *out = arena_alloc(a, len + len / 4 + 1), *p = out;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && i % 4 == 0)
			*p++ = ' ';
		*p++ = secret[i];
	}
	*p = '\0';
	return out;
}

const char *totp_uri(
    struct arena *a, const char *secret, const char *issuer, const char *name)
{
	const char *who = url_escape_segment(a, issuer);

	return arena_printf(a, "otpauth://totp/%s:%s?secret=%s&issuer=%s", who,
	    url_escape_segment(a, name), secret, who);
}
