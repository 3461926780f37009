/*
 * A certificate authority of one's own: keys (ECDSA P-256), authorities,
 * certificates that they sign. Everything is PEM text in memory; where it is
 * kept, and how secret, is the caller's affair. Knows no product word.
 *
 * A certificate made here serves both ends of a connection: its holder may be
 * the server or the client of a mutual TLS.
 */
#ifndef CARREL_BASE_PKI_H
#define CARREL_BASE_PKI_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Both malloc'ed; pki_pair_fini wipes the key. */
struct pki_pair {
	char *key, *cert;
};

struct pki_request {
	const char *name; /* who it is, at most 64 bytes */
	/* Names or numeric addresses under which it is reached; may be none. */
	const char *const *alt_names;
	size_t n_alt_names;
	/* Valid from a moment before `now_s` (clocks differ) to this long
	 * after, but never beyond its authority. */
	int64_t now_s, valid_s;
};

/* Self-signed; signs nothing but ends of chains. alt_names are not for it. */
int pki_authority(const struct pki_request *req, struct pki_pair *out,
    struct err *err) MUST_CHECK;
/* A fresh key and its certificate, signed by `authority`. ERR_INVALID: a name
 * that cannot stand in a certificate, or the authority's PEM is none. */
int pki_issue(const struct pki_pair *authority, const struct pki_request *req,
    struct pki_pair *out, struct err *err) MUST_CHECK;
/* Until when the first certificate of the text is valid. */
int pki_valid_until(
    const char *cert, int64_t *unix_s_out, struct err *err) MUST_CHECK;
/* Do key and certificate belong together, and has `authority` (a certificate;
 * NULL: itself) signed it? 1 yes, 0 no. What is no PEM is a no. */
int pki_fits(const struct pki_pair *pair, const char *authority);
/* Accepts a zeroed one. */
void pki_pair_fini(struct pki_pair *pair);

#endif
