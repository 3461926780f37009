/*
 * A service account of Google that may act for an administrator of a domain
 * (domain-wide delegation): its key file, as the console gives it out, and the
 * signed request for a token (RFC 7523, section 2.1). Private to auth/.
 */
#ifndef CARREL_AUTH_GOOGLE_ACCOUNT_H
#define CARREL_AUTH_GOOGLE_ACCOUNT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct google_account;

/*
 * The file must be ours alone (0600). `administrator` is a name in `domain`, or
 * a whole address. NULL with err.
 */
struct google_account *google_account_open(const char *file, const char *domain,
    const char *administrator, struct err *err);
void google_account_close(struct google_account **g);

/* Where the request is posted to; lives as long as the account. */
const char *google_account_token_url(const struct google_account *g);
/* The form to post, in `a`; it may read groups of the directory, and no more.
 * NULL with err. */
const char *google_account_request(const struct google_account *g,
    struct arena *a, int64_t now_s, struct err *err);

#endif
