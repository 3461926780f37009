/*
 * See reference_manual.h.
 */
#include "hub/reference_manual.h"

#include <string.h>

#include "base/str.h"

static const struct reference {
	const char *class, *option, *where, *note;
} table[] = {
#define REFERENCE(class, option, where, note) { class, option, where, note },
#include "hub/reference.def"
#undef REFERENCE
};

static const char preface[] =
    "# JupyterHub's options\n"
    "\n"
    "Made from hub/reference.def by `make docs`; do not edit. Where each "
    "option "
    "of\n"
    "JupyterHub went, or why it did not. Paths with dots are options of "
    "carrel.yaml\n"
    "([config.md](config.md)); \"spawner.yaml\" is root's file, where "
    "`profile.` "
    "stands for\n"
    "a profile of any name; flags are those of the program that is named.\n"
    "Options that are Python code have no counterpart: what is executed as "
    "root "
    "stands\n"
    "in root's file, and services do the rest over REST.\n";

/* What is in front of a place. */
static const struct prefix {
	const char *text, *said;
} prefixes[] = {
	{ "carrel:", "" },
	{ "spawner:", "spawner.yaml " },
	{ "proxy:", "carrel-proxy " },
	{ "hub:", "carrel-hub " },
	{ "up:", "carrel up " },
};

static void write_place(struct buf *b, struct slice place)
{
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t len = strlen(prefixes[i].text);

		if (!slice_starts(place, prefixes[i].text))
			continue;
		buf_printf(b, "%s`%.*s`", prefixes[i].said,
		    (int)(place.len - len), place.p + len);
	}
}

static void write_row(struct buf *b, const struct reference *r)
{
	struct slice rest = slice_of(r->where), place;
	bool is_first = true;

	buf_printf(b, "| %s | ", r->option);
	while (slice_split(&rest, ',', &place)) {
		buf_str(b, is_first ? "" : ", ");
		write_place(b, place);
		is_first = false;
	}
	buf_printf(b, "%s | %s |\n", is_first ? "-" : "", r->note);
}

void reference_write_manual(struct buf *b)
{
	const char *class = "";

	buf_str(b, preface);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(class, table[i].class) != 0) {
			class = table[i].class;
			buf_printf(b,
			    "\n## %s\n\n| there | here | |\n|---|---|---|\n",
			    class);
		}
		write_row(b, &table[i]);
	}
}
