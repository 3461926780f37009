/*
 * See verb.h.
 */
#include "hub/cli/verb.h"

#include <string.h>

#include "base/str.h"
#include "hub/cli/cli.h"

static const struct option_spec option_specs[OPTION_N] = {
#define OPTION(id, name_, argument_, doc_)                                     \
	[OPTION_##id] = { name_, argument_, doc_ },
#include "hub/cli/options.def"
#undef OPTION
};

#define NOUN(name, doc)
#define RUN_API(run)   run, NULL, VERB_API
#define RUN_LOCAL(run) run, NULL, VERB_LOCAL
#define RUN_RAW(run)   NULL, run, VERB_RAW
#define NO_OPTIONS                                                             \
	{                                                                      \
		OPTION_NONE                                                    \
	}
#define O1(a)                                                                  \
	{                                                                      \
		OPTION_##a                                                     \
	}
#define O2(a, b)                                                               \
	{                                                                      \
		OPTION_##a, OPTION_##b                                         \
	}
#define O3(a, b, c)                                                            \
	{                                                                      \
		OPTION_##a, OPTION_##b, OPTION_##c                             \
	}
#define PICK(a, b, c, which, ...) which
#define OPTIONS(...)              PICK(__VA_ARGS__, O3, O2, O1, unused)(__VA_ARGS__)
static const struct verb verbs[] = {
#define VERB(noun, name, run, kind, args, min, max, options, doc, examples)    \
	{ noun, name, RUN_##kind(run), args, min, max, options, doc, examples },
#include "hub/cli/verbs.def"
#undef VERB
};
#undef NOUN

static const struct noun nouns[] = {
#define NOUN(name, doc) { name, doc },
#define VERB(noun, name, run, kind, args, min, max, options, doc, examples)
#include "hub/cli/verbs.def"
#undef VERB
#undef NOUN
};

const struct verb *verb_table(size_t *n_out)
{
	*n_out = sizeof verbs / sizeof verbs[0];
	return verbs;
}

const struct noun *noun_table(size_t *n_out)
{
	*n_out = sizeof nouns / sizeof nouns[0];
	return nouns;
}

const struct option_spec *option_spec(enum option_id id)
{
	return &option_specs[id];
}

enum option_id verb_option(const struct verb *v, size_t i)
{
	static const enum option_id api[] = { OPTION_JSON, OPTION_API_URL,
		OPTION_TOKEN_FILE, OPTION_RUN_DIR, OPTION_HELP, OPTION_NONE };
	static const enum option_id others[] = { OPTION_HELP, OPTION_NONE };
	size_t own = 0;

	while (own < VERB_OPTIONS_MAX && v->options[own] != OPTION_NONE)
		own++;
	if (i < own)
		return v->options[i];
	return v->kind == VERB_API ? api[i - own] : others[i - own];
}

const struct verb *verb_find(const char *noun, const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (str_eq(verbs[i].noun, noun) && str_eq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* ---- the command line ---------------------------------------------------- */

static enum option_id find_option(const struct verb *v, struct slice name)
{
	enum option_id id;

	for (size_t i = 0; (id = verb_option(v, i)) != OPTION_NONE; i++)
		if (slice_eq(name, option_specs[id].name))
			return id;
	return OPTION_NONE;
}

/* argv[*i] begins with "--". */
static int read_option(
    struct call *c, int argc, char **argv, int *i, struct err *err)
{
	const char *text = argv[*i] + 2, *value = strchr(text, '=');
	struct slice name =
	    slice_make(text, value ? (size_t)(value - text) : strlen(text));
	enum option_id id = find_option(c->verb, name);

	if (id == OPTION_NONE)
		return err_set(err, ERR_INVALID, "unknown option --%.*s",
		    (int)(name.len < 40 ? name.len : 40), name.p);
	if (value && !option_specs[id].argument)
		return err_set(err, ERR_INVALID, "--%s takes no value",
		    option_specs[id].name);
	if (value)
		value++;
	else if (option_specs[id].argument) {
		if (*i + 1 >= argc)
			return err_set(err, ERR_INVALID, "--%s wants %s",
			    option_specs[id].name, option_specs[id].argument);
		value = argv[++*i];
	}
	if (c->n_given == ARGS_MANY)
		return err_set(err, ERR_INVALID, "too many options");
	c->given[c->n_given].id = id;
	c->given[c->n_given++].value = value ? value : "";
	return 0;
}

static int check_count(const struct call *c, struct err *err)
{
	if (c->n_args < c->verb->min)
		return err_set(err, ERR_INVALID, "it wants %s", c->verb->args);
	if (c->n_args > c->verb->max)
		return err_set(err, ERR_INVALID, "unexpected \"%.40s\"",
		    c->args[c->verb->max]);
	return 0;
}

int call_read(struct call *c, const struct verb *v, int argc, char **argv,
    struct err *err)
{
	bool only_args = false;

	*c = (struct call){ .verb = v };
	for (int i = 0; i < argc; i++) {
		if (!only_args && str_eq(argv[i], "--")) {
			only_args = true;
		} else if (!only_args && str_starts(argv[i], "--")) {
			if (read_option(c, argc, argv, &i, err) != 0)
				return -1;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			return err_set(
			    err, ERR_INVALID, "unknown option %.40s", argv[i]);
		} else if (c->n_args == ARGS_MANY) {
			return err_set(err, ERR_INVALID, "at most %d at a time",
			    ARGS_MANY);
		} else {
			c->args[c->n_args++] = argv[i];
		}
	}
	return call_has(c, OPTION_HELP) ? 0 : check_count(c, err);
}

const char *call_next(const struct call *c, enum option_id id, size_t *pos)
{
	while (*pos < c->n_given) {
		size_t i = (*pos)++;
		if (c->given[i].id == id)
			return c->given[i].value;
	}
	return NULL;
}

const char *call_value(const struct call *c, enum option_id id)
{
	const char *last = NULL, *value;

	for (size_t pos = 0; (value = call_next(c, id, &pos));)
		last = value;
	return last;
}

bool call_has(const struct call *c, enum option_id id)
{
	return call_value(c, id) != NULL;
}
