/*
 * How servers may be called: by URLs (names) and by people (display names).
 * Source: contract/hub.md 1.8, 4.5. Pure.
 */
#ifndef CARREL_HUB_SERVER_NAME_H
#define CARREL_HUB_SERVER_NAME_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* A name of a new server is a safe slug; older ones have anything but '/'. ""
 * is the default server's. ERR_INVALID "Invalid server_name: ...". */
int server_name_check(
    const char *name, bool is_new, struct err *err) MUST_CHECK;
/* In Unicode's normal form C, so that what looks alike is alike: 1 to 255
 * printable characters, single spaces between. ERR_INVALID "Invalid
 * display_name: ...". */
int server_display_normal(struct arena *a, const char *text, const char **out,
    struct err *err) MUST_CHECK;

#define SERVER_SLUG_MAX 30
/* A safe slug that reads like `text`: "Läb 1" is "lab-1". unlike: with the
 * beginning of its digest, where the plain one is taken. */
void server_name_slug(
    const char *text, bool unlike, char out[SERVER_SLUG_MAX + 1]);

#endif
