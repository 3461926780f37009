/*
 * The administrator's command: finds the verb.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "hub/cli/cli.h"
#include "hub/cli/verb.h"

static int run_verb(const struct verb *v, int argc, char **argv)
{
	struct call *c = &(struct call){ 0 };
	struct err err = { 0 };
	char name[64];

	if (str_format(name, sizeof name, "%s%s%s", v->noun,
		*v->noun ? " " : "", v->name) < 0)
		return EXIT_REFUSED;
	if (call_read(c, v, argc, argv, &err) != 0)
		return cli_usage(name, "%s", err.text);
	if (!call_has(c, OPTION_HELP))
		return v->run(c);
	verb_help(stdout, v);
	return EXIT_DONE;
}

/* The name of a verb or noun that is nearly this one; NULL. */
static const char *nearly(const char *noun, const char *word)
{
	size_t n;
	const struct verb *v = verb_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].noun, noun) &&
		    str_distance(v[i].name, word, 2) <= 2)
			return v[i].name;
	const struct noun *nouns = noun_table(&n);
	for (size_t i = 0; i < n && !*noun; i++)
		if (str_distance(nouns[i].name, word, 2) <= 2)
			return nouns[i].name;
	return NULL;
}

static int unknown(const char *noun, const char *word)
{
	const char *other = nearly(noun, word);

	fprintf(stderr, "carrel: there is no \"%s%s%.40s\"", noun,
	    *noun ? " " : "", word);
	if (other)
		fprintf(stderr, "; did you mean \"%s%s%s\"?", noun,
		    *noun ? " " : "", other);
	fprintf(stderr, "\n`carrel %s%s--help` shows what there is.\n", noun,
	    *noun ? " " : "");
	return EXIT_WRONG_USE;
}

static const struct noun *find_noun(const char *name)
{
	size_t n;
	const struct noun *nouns = noun_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(nouns[i].name, name))
			return &nouns[i];
	return NULL;
}

/* argv[0] is the noun. Without a verb: list, if there is one. */
static int run_noun(const struct noun *n, int argc, char **argv)
{
	const struct verb *v = NULL, *list = verb_find(n->name, "list");

	if (argc > 1)
		v = verb_find(n->name, argv[1]);
	if (v)
		return run_verb(v, argc - 2, argv + 2);
	if (argc > 1 &&
	    (str_eq(argv[1], "--help") || str_eq(argv[1], "help"))) {
		noun_help(stdout, n);
		return EXIT_DONE;
	}
	if (list && (argc == 1 || argv[1][0] == '-'))
		return run_verb(list, argc - 1, argv + 1);
	if (argc > 1)
		return unknown(n->name, argv[1]);
	noun_help(stderr, n);
	return EXIT_WRONG_USE;
}

/* --help, --version and the like; -1: it is none of them. */
static int run_option(const char *option)
{
	if (str_eq(option, "--version") || str_eq(option, "-V"))
		printf("carrel %s\n", CARREL_VERSION);
	else if (str_eq(option, "--help") || str_eq(option, "help"))
		cli_help(stdout);
	else if (str_eq(option, "--print-manual"))
		cli_manual(stdout);
	else
		return -1;
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	const struct verb *v;
	const struct noun *noun;
	int rc;

	if (argc < 2) {
		cli_help(stderr);
		return EXIT_WRONG_USE;
	}
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	rc = run_option(argv[1]);
	if (rc >= 0)
		return rc;
	v = verb_find("", argv[1]);
	if (v && v->kind == VERB_RAW)
		return v->run_raw(argc - 1, argv + 1);
	if (v)
		return run_verb(v, argc - 2, argv + 2);
	noun = find_noun(argv[1]);
	return noun ? run_noun(noun, argc - 1, argv + 1) : unknown("", argv[1]);
}
