/*
 * What config.def says to people: --help and the manual (docs/proxy-flags.md).
 */
#include "proxy/config.h"

#include "base/str.h"

struct row {
	enum { SECTION_ROW, FLAG_ROW, REFUSED, HARMLESS } kind;
	const char *flag, *argument, *fallback, *text;
};

static const struct row rows[] = {
#define SECTION(title) { .kind = SECTION_ROW, .text = title },
#define OPT(k, member, name, arg, def, words)                                  \
	{ .kind = FLAG_ROW,                                                    \
		.flag = name,                                                  \
		.argument = arg,                                               \
		.fallback = def,                                               \
		.text = words },
#define GONE(k, name, has_value, words)                                        \
	{ .kind = k, .flag = name, .text = words },
#include "proxy/config.def"
#undef SECTION
#undef OPT
#undef GONE
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static const struct {
	const char *name, *text;
} environment[] = {
	{ "CONFIGPROXY_AUTH_TOKEN", "token of the REST API" },
	{ "CONFIGPROXY_AUTH_TOKEN_FILE", "file with that token" },
	{ "CONFIGPROXY_SSL_KEY_PASSPHRASE", "passphrase of --ssl-key" },
	{ "CONFIGPROXY_API_SSL_KEY_PASSPHRASE", "passphrase of --api-ssl-key" },
	{ "CONFIGPROXY_ACCESS_LOG", "as --access-log, which wins" },
};
#define N_ENVIRONMENT (sizeof environment / sizeof environment[0])

static bool has_default(const struct row *r)
{
	return r->fallback != NULL && r->fallback[0] != '\0';
}

/* ---- --help -------------------------------------------------------------- */

static void help_flag(struct buf *b, const struct row *r)
{
	char left[64];

	if (str_format(left, sizeof left, "--%s%s%s", r->flag,
		r->argument != NULL ? " " : "",
		r->argument != NULL ? r->argument : "") < 0)
		left[0] = '\0';
	buf_printf(b, "  %-30s %s", left, r->text);
	if (has_default(r))
		buf_printf(b, " (default %s)", r->fallback);
	buf_char(b, '\n');
}

void config_write_help(struct buf *b)
{
	buf_str(b, "carrel-proxy: the reverse proxy of Carrel, with the flags "
		   "and the REST API of\nconfigurable-http-proxy.\n\n"
		   "usage: carrel-proxy [--flag value | --flag=value ...]\n");
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].kind == SECTION_ROW)
			buf_printf(b, "\n%s:\n", rows[i].text);
		else if (rows[i].kind == FLAG_ROW)
			help_flag(b, &rows[i]);
	}
	buf_str(b, "\n  -h, --help                     this text\n"
		   "  -V, --version                  the version\n"
		   "\nEnvironment:\n");
	for (size_t i = 0; i < N_ENVIRONMENT; i++)
		buf_printf(b, "  %-35s %s\n", environment[i].name,
		    environment[i].text);
}

/* ---- the manual ---------------------------------------------------------- */

/* A table's own sign is escaped. */
static void cell(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			buf_char(b, '\\');
		buf_char(b, *text);
	}
}

static void manual_flag(struct buf *b, const struct row *r)
{
	buf_printf(b, "| `--%s", r->flag);
	if (r->argument != NULL) {
		buf_char(b, ' ');
		cell(b, r->argument);
	}
	buf_printf(b, "` | %s | ", has_default(r) ? r->fallback : "-");
	cell(b, r->text);
	buf_str(b, " |\n");
}

static void manual_gone(struct buf *b, int kind)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if ((int)rows[i].kind == kind)
			buf_printf(b, "| `--%s` | %s | %s |\n", rows[i].flag,
			    kind == HARMLESS ? "accepted, without effect"
					     : "refused",
			    rows[i].text);
}

void config_write_manual(struct buf *b)
{
	buf_str(b,
	    "<!-- Generated from proxy/config.def by make docs. -->\n"
	    "# Flags of carrel-proxy\n\n"
	    "As `--flag value` or `--flag=value`. Numbers are decimal. What is "
	    "wrong with a command line stands on stderr, and the exit code is "
	    "1. What the proxy does stands in [proxy.md](proxy.md).\n");
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].kind == SECTION_ROW)
			buf_printf(b,
			    "\n## %s\n\n| flag | default | meaning |\n"
			    "|---|---|---|\n",
			    rows[i].text);
		else if (rows[i].kind == FLAG_ROW)
			manual_flag(b, &rows[i]);
	}
	buf_str(b,
	    "\n## Flags of configurable-http-proxy without a use here\n\n"
	    "| flag | what happens | why |\n|---|---|---|\n");
	manual_gone(b, HARMLESS);
	manual_gone(b, REFUSED);
	buf_str(b, "\n## Environment\n\n| variable | use |\n|---|---|\n");
	for (size_t i = 0; i < N_ENVIRONMENT; i++)
		buf_printf(b, "| `%s` | %s |\n", environment[i].name,
		    environment[i].text);
}
