/*
 * Which Unix account a person's servers run as, where names come from
 * elsewhere ("ana@example.org") and accounts are made for them. Two people
 * never get one account: an escaped name says which name it was made of.
 */
#ifndef CARREL_AUTH_ACCOUNT_NAME_H
#define CARREL_AUTH_ACCOUNT_NAME_H

#include "base/err.h"

#define ACCOUNT_NAME_MAX 32 /* bytes, as useradd takes them */

/*
 * Letters, digits and '-' stay; each other byte is '_' and two hex digits, and
 * so is a first one that is no letter: "ana@x.org" is "ana_40x_2eorg". What is
 * longer than an account may be is cut, with "__" and 60 bits of its SHA-256 at
 * the end. `name` is a normal one (auth/rules.h).
 */
void account_name_escape(const char *name, char out[ACCOUNT_NAME_MAX + 1]);

#endif
