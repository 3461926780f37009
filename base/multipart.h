/*
 * Forms as multipart/form-data (RFC 7578): fields of text, as the pairs of an
 * urlencoded one. Files are not taken. Strict: what could be read in two ways
 * is an error.
 */
#ifndef CARREL_BASE_MULTIPART_H
#define CARREL_BASE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/url.h"

/* Does this Content-Type (NULL: none) say that the body is one? */
bool multipart_is_meant(const char *content_type);
/*
 * ERR_INVALID: malformed, no UTF-8, or with a file in it (a file field in which
 * nobody chose one is left out). ERR_LIMIT: more than max_pairs.
 */
int multipart_parse(struct arena *a, const char *content_type,
    struct slice body, size_t max_pairs, struct url_pairs *out,
    struct err *err) MUST_CHECK;

#endif
