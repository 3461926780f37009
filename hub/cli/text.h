/*
 * Text that others wrote, made fit for a terminal: control characters, bytes
 * that are no UTF-8 and marks that turn the direction of writing become visible
 * ("\x1b", "\u202e"), so that no name can move the cursor or read otherwise
 * than it is. main() sets LC_CTYPE to C.UTF-8, whatever the account says.
 */
#ifndef CARREL_HUB_CLI_TEXT_H
#define CARREL_HUB_CLI_TEXT_H

#include <stddef.h>

#include "base/arena.h"

enum text_lines { TEXT_ONE_LINE, TEXT_KEEP_LINES };

const char *text_clean(struct arena *a, const char *s, enum text_lines lines);
/* Columns of a clean text. */
size_t text_width(const char *s);
/* At most `width` columns: cut with an ellipsis, if need be. */
const char *text_cut(struct arena *a, const char *s, size_t width);

#endif
