/*
 * See words.h.
 */
#include "spawner/words.h"

#include "base/str.h"

static const char *const auth_words[] = {
	[AUTH_SUCCESS] = "success",
	[AUTH_DENIED] = "denied",
	[AUTH_EXPIRED] = "expired",
	[AUTH_PASSWORD_EXPIRED] = "password_expired",
	[AUTH_UNAVAILABLE] = "unavailable",
	[AUTH_TIMEOUT] = "timeout",
	[AUTH_LIMIT] = "limit",
	[AUTH_CANCELLED] = "cancelled",
};

static const char *const fail_words[] = {
	[FAIL_PROFILE] = "profile",
	[FAIL_ACCOUNT] = "account",
	[FAIL_SESSION] = "session",
	[FAIL_EXEC] = "exec",
	[FAIL_LISTENER] = "listener",
	[FAIL_LIMIT] = "limit",
	[FAIL_EXISTS] = "exists",
	[FAIL_INTERNAL] = "internal",
};

static size_t find(
    const char *const *words, size_t n, size_t fallback, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(words[i], word))
			return i;
	}
	return fallback;
}

const char *auth_word(enum spawner_auth_code code)
{
	return auth_words[code];
}

enum spawner_auth_code auth_code_of(const char *word)
{
	return (enum spawner_auth_code)find(auth_words,
	    sizeof auth_words / sizeof auth_words[0], AUTH_UNAVAILABLE, word);
}

const char *fail_word(enum spawner_fail_code code)
{
	return fail_words[code];
}

enum spawner_fail_code fail_code_of(const char *word)
{
	return (enum spawner_fail_code)find(fail_words,
	    sizeof fail_words / sizeof fail_words[0], FAIL_INTERNAL, word);
}
