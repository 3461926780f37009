/*
 * What is made from the table of verbs for people: help, docs/carrel.md.
 */
#include <string.h>

#include "base/str.h"
#include "hub/cli/verb.h"

static const char exit_codes[] =
    "| code | meaning |\n"
    "|---|---|\n"
    "| 0 | done |\n"
    "| 1 | refused, or failed; the reason is on standard error |\n"
    "| 2 | the command line is wrong |\n"
    "| 3 | the hub cannot be reached |\n"
    "| 4 | the token is missing, not valid, or may not do this |\n"
    "| 5 | there is no such user, group, token, server, service or role |\n";

static void print_usage(FILE *f, const struct verb *v)
{
	fprintf(f, "carrel %s%s%s%s%s", v->noun, *v->noun ? " " : "", v->name,
	    *v->args ? " " : "", v->args);
	if (v->kind == VERB_RAW || v->options[0] != OPTION_NONE ||
	    v->kind == VERB_API)
		fputs(" [options]", f);
}

/* Words of `text` in lines of at most 78 columns behind `indent` blanks. */
static void print_wrapped(FILE *f, int indent, int column, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");
		if (column > indent && column + (int)n + 1 > 78) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(
		    f, "%s%.*s", column > indent ? " " : "", (int)n, text);
		text += n + (text[n] == ' ');
	}
	fputc('\n', f);
}

static void print_options(FILE *f, const struct verb *v)
{
	enum option_id id;

	for (size_t i = 0; (id = verb_option(v, i)) != OPTION_NONE; i++) {
		const struct option_spec *o = option_spec(id);
		int n = fprintf(f, "  --%s%s%s", o->name,
		    o->argument ? " " : "", o->argument ? o->argument : "");
		fprintf(f, "%*s", n < 22 ? 22 - n : 2, "");
		print_wrapped(f, 22, 22, o->doc);
	}
}

static void print_examples(FILE *f, const struct verb *v, const char *indent)
{
	struct slice rest = slice_of(v->examples), line;

	while (slice_split(&rest, '\n', &line))
		fprintf(f, "%s%.*s\n", indent, (int)line.len, line.p);
}

void verb_help(FILE *f, const struct verb *v)
{
	fputs("usage: ", f);
	print_usage(f, v);
	fputs("\n\n", f);
	print_wrapped(f, 0, 0, v->doc);
	fputs("\noptions:\n", f);
	print_options(f, v);
	fputs("\nexamples:\n", f);
	print_examples(f, v, "  ");
	fputs("\nexit codes: 0 done, 1 refused, 2 wrong use, 3 no hub, "
	      "4 forbidden, 5 not found\n",
	    f);
}

static void print_verbs(FILE *f, const char *noun)
{
	size_t n;
	const struct verb *v = verb_table(&n);

	for (size_t i = 0; i < n; i++, v++) {
		if (!str_eq(v->noun, noun))
			continue;
		int column = fprintf(f, "  %s %s", v->name, v->args);
		fprintf(f, "%*s", column < 30 ? 30 - column : 1, "");
		print_wrapped(f, 30, 30, v->doc);
	}
}

void noun_help(FILE *f, const struct noun *n)
{
	fprintf(f, "usage: carrel %s VERB ...\n\n%s: %s\n\n", n->name, n->name,
	    n->doc);
	print_verbs(f, n->name);
	fprintf(f, "\n`carrel %s VERB --help` tells options and examples.%s\n",
	    n->name,
	    verb_find(n->name, "list") ? " Without a verb: list." : "");
}

void cli_help(FILE *f)
{
	size_t n;
	const struct noun *noun = noun_table(&n);

	fputs("usage: carrel VERB ...\n       carrel NOUN VERB ...\n\n", f);
	print_verbs(f, "");
	fputc('\n', f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "  %-28s%s\n", noun[i].name, noun[i].doc);
	fputs("\n`carrel VERB --help` and `carrel NOUN --help` tell more; "
	      "`carrel --version` the\nversion; docs/carrel.md everything.\n",
	    f);
}

/* ---- docs/carrel.md ------------------------------------------------------ */

static const char intro[] =
    "# carrel, the administrator's command\n"
    "\n"
    "Generated from hub/cli/verbs.def and hub/cli/options.def by "
    "`make docs`.\n"
    "\n"
    "`carrel` does over the hub's REST API what an administrator needs, and "
    "tells why\n"
    "something is as it is. `carrel VERB --help` shows what stands here.\n"
    "\n"
    "## Who asks\n"
    "\n"
    "* **root, and the hub's own account, on the hub's machine** need "
    "nothing: the hub\n"
    "  listens at `admin.sock` in its run directory, asks the kernel who is "
    "at the other\n"
    "  end, and takes them for an administrator ([trust](trust.md)).\n"
    "* **Everybody else** needs a token and the API's address: "
    "`CARREL_API_URL` or\n"
    "  `JUPYTERHUB_API_URL` (`--api-url`), and `CARREL_TOKEN`, "
    "`JUPYTERHUB_API_TOKEN` or a\n"
    "  file that only its owner can read (`CARREL_TOKEN_FILE`, "
    "`--token-file`). A token is\n"
    "  never taken from the command line, where others could read it. With "
    "a token and\n"
    "  no address, `http://127.0.0.1:8081/hub/api` is asked. `carrel tokens "
    "add` makes one.\n"
    "\n"
    "Tables are for people: what a name or a log line has of control "
    "characters is made\n"
    "visible, and on a terminal long cells are cut. `--json` is for scripts: "
    "the API's own\n"
    "answer, all pages joined. Before something is lost `carrel` asks, if it "
    "runs at a\n"
    "terminal and without `--yes`.\n";

static void write_verb(FILE *f, const struct verb *v)
{
	enum option_id id;

	fputs("\n### `", f);
	print_usage(f, v);
	fprintf(f, "`\n\n%s\n\n", v->doc);
	if (v->kind == VERB_RAW)
		fprintf(
		    f, "`carrel %s --help` shows the options.\n\n", v->name);
	for (size_t i = 0;
	     i < VERB_OPTIONS_MAX && (id = v->options[i]) != OPTION_NONE; i++) {
		const struct option_spec *o = option_spec(id);
		fprintf(f, "* `--%s%s%s`: %s\n", o->name,
		    o->argument ? " " : "", o->argument ? o->argument : "",
		    o->doc);
	}
	if (v->options[0] != OPTION_NONE)
		fputc('\n', f);
	print_examples(f, v, "    ");
}

static void write_noun(FILE *f, const char *noun)
{
	size_t n;
	const struct verb *v = verb_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].noun, noun))
			write_verb(f, &v[i]);
}

/* Those of every verb that calls the hub. */
static void write_common(FILE *f)
{
	static const enum option_id ids[] = { OPTION_JSON, OPTION_API_URL,
		OPTION_TOKEN_FILE, OPTION_RUN_DIR };

	fputs("\n## Options of every verb that asks the hub\n\n", f);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		const struct option_spec *o = option_spec(ids[i]);
		fprintf(f, "* `--%s%s%s`: %s\n", o->name,
		    o->argument ? " " : "", o->argument ? o->argument : "",
		    o->doc);
	}
}

void cli_manual(FILE *f)
{
	size_t n;
	const struct noun *noun = noun_table(&n);

	fputs(intro, f);
	fprintf(f, "\n## Exit codes\n\n%s", exit_codes);
	write_common(f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "\n## %s: %s\n", noun[i].name, noun[i].doc);
		write_noun(f, noun[i].name);
	}
	fputs("\n## Others\n", f);
	write_noun(f, "");
}
