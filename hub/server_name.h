/*
 * How servers may be called: by URLs (names) and by people (display names).
 * Source: contract/hub.md 1.8, 4.5. Pure.
 */
#ifndef CARREL_HUB_SERVER_NAME_H
#define CARREL_HUB_SERVER_NAME_H

#include <stdbool.h>

#include "base/err.h"

/* A name of a new server is a safe slug; older ones have anything but '/'. ""
 * is the default server's. ERR_INVALID "Invalid server_name: ...". */
int server_name_check(
    const char *name, bool is_new, struct err *err) MUST_CHECK;
/* 1 to 255 printable characters, single spaces between. ERR_INVALID "Invalid
 * display_name: ...". */
int server_display_check(const char *text, struct err *err) MUST_CHECK;

#endif
