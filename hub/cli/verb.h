/*
 * The verbs of `carrel` (verbs.def): their table, the reading of a command
 * line, and what is made from the table: help, completion, docs/carrel.md.
 */
#ifndef CARREL_HUB_CLI_VERB_H
#define CARREL_HUB_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/* docs/carrel.md, "Exit codes". */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* or failed in another way */
	EXIT_WRONG_USE = 2,
	EXIT_NO_HUB = 3,    /* it cannot be reached */
	EXIT_FORBIDDEN = 4, /* token missing, or not enough */
	EXIT_NOT_FOUND = 5, /* no such user, group, server ... */
};

enum option_id {
	OPTION_NONE,
#define OPTION(id, name, argument, doc) OPTION_##id,
#include "hub/cli/options.def"
#undef OPTION
	OPTION_N
};

struct option_spec {
	const char *name, *argument, *doc;
};

enum verb_kind { VERB_API, VERB_LOCAL, VERB_RAW };

#define ARGS_MANY        100
#define VERB_OPTIONS_MAX 8

struct call;

struct verb {
	const char *noun, *name;
	int (*run)(struct call *c);            /* exit code */
	int (*run_raw)(int argc, char **argv); /* VERB_RAW */
	enum verb_kind kind;
	const char *args;
	size_t min, max;
	enum option_id options[VERB_OPTIONS_MAX]; /* ended by OPTION_NONE */
	const char *doc, *examples;
};

struct noun {
	const char *name, *doc;
};

/* One command line, read. */
struct call {
	const struct verb *verb;
	const char *args[ARGS_MANY];
	size_t n_args;
	struct {
		enum option_id id;
		const char *value; /* "" if it takes none */
	} given[ARGS_MANY];
	size_t n_given;
};

const struct verb *verb_table(size_t *n_out);
const struct noun *noun_table(size_t *n_out);
const struct option_spec *option_spec(enum option_id id);
/* Does the verb know it, by itself or by its kind? Walks in the order of help:
 * the i-th option; OPTION_NONE at the end. */
enum option_id verb_option(const struct verb *v, size_t i);
/* NULL: there is none. */
const struct verb *verb_find(const char *noun, const char *name);

/* argv after the verb's words. ERR_INVALID says what is wrong. */
int call_read(struct call *c, const struct verb *v, int argc, char **argv,
    struct err *err) MUST_CHECK;
/* The last value; NULL: not given. */
const char *call_value(const struct call *c, enum option_id id);
bool call_has(const struct call *c, enum option_id id);
/* Values of a repeated option: *pos = 0 at first; NULL at the end. */
const char *call_next(const struct call *c, enum option_id id, size_t *pos);

/* verb_help.c */
void verb_help(FILE *f, const struct verb *v);
void noun_help(FILE *f, const struct noun *n);
void cli_help(FILE *f);
/* docs/carrel.md */
void cli_manual(FILE *f);

/* The verbs of verbs.def. */
#define NOUN(name, doc)
#define VERB_PROTO_API(run)   int run(struct call *c);
#define VERB_PROTO_LOCAL(run) int run(struct call *c);
#define VERB_PROTO_RAW(run)
#define VERB(noun, name, run, kind, args, min, max, options, doc, examples)    \
	VERB_PROTO_##kind(run)
#include "hub/cli/verbs.def"
#undef VERB
#undef VERB_PROTO_API
#undef VERB_PROTO_LOCAL
#undef VERB_PROTO_RAW
#undef NOUN

#endif
