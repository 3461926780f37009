/*
 * The words that the codes of client.h have on the wire.
 */
#ifndef CARREL_SPAWNER_WORDS_H
#define CARREL_SPAWNER_WORDS_H

#include "spawner/client.h"

const char *auth_word(enum spawner_auth_code code);
/* AUTH_UNAVAILABLE for an unknown word. */
enum spawner_auth_code auth_code_of(const char *word);
const char *fail_word(enum spawner_fail_code code);
/* FAIL_INTERNAL for an unknown word. */
enum spawner_fail_code fail_code_of(const char *word);

#endif
