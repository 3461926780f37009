/*
 * A list of people as a school's office has it: a CSV file (RFC 4180, read by
 * libcsv). One person a line, the name in the first column, or in the one whose
 * header says name, username or login; a header is optional. Other columns (an
 * e-mail address) are not read. Between columns stand commas, or semicolons
 * when the first line has no comma. Names are made normal as at a login.
 */
#ifndef CARREL_AUTH_ROSTER_FILE_H
#define CARREL_AUTH_ROSTER_FILE_H

#include "auth/rules.h"
#include "base/arena.h"

#define ROSTER_BYTES_MAX  (1024 * 1024)
#define ROSTER_PEOPLE_MAX 20000

struct roster_names {
	const char **items; /* normal, each once; in the arena */
	size_t n;
};

/* The text of an error names file and line: "class.csv:12: ...". */
int roster_file_read(struct arena *a, const char *path,
    const struct auth_rules *rules, struct roster_names *out,
    struct err *err) MUST_CHECK;
/* The same of what a file holds. */
int roster_file_parse(struct arena *a, const char *path, struct slice text,
    const struct auth_rules *rules, struct roster_names *out,
    struct err *err) MUST_CHECK;

#endif
