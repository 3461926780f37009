/*
 * carrel completion bash|zsh: from the table of verbs.
 */
#include <stdio.h>

#include "base/str.h"
#include "hub/cli/verb.h"

static void print_nouns_and_verbs(void)
{
	size_t n;
	const struct noun *noun = noun_table(&n);

	for (size_t i = 0; i < n; i++)
		printf("%s ", noun[i].name);
	const struct verb *v = verb_table(&n);
	for (size_t i = 0; i < n; i++)
		if (!*v[i].noun)
			printf("%s ", v[i].name);
	fputs("--help --version", stdout);
}

static void print_verbs(const char *noun)
{
	size_t n;
	const struct verb *v = verb_table(&n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].noun, noun))
			printf("%s ", v[i].name);
	fputs("--help", stdout);
}

static void print_options(const struct verb *v)
{
	enum option_id id;

	for (size_t i = 0; (id = verb_option(v, i)) != OPTION_NONE; i++)
		printf("%s--%s", i ? " " : "", option_spec(id)->name);
	if (str_eq(v->name, "completion"))
		fputs(" bash zsh", stdout);
}

/* The body that both shells read: sets `choice` by the words before. */
static void print_choice(void)
{
	size_t n;
	const struct verb *v = verb_table(&n);

	for (size_t i = 0; i < n; i++) {
		printf("\t'%s%s%s') choice='", v[i].noun, *v[i].noun ? " " : "",
		    v[i].name);
		print_options(&v[i]);
		puts("' ;;");
	}
	const struct noun *noun = noun_table(&n);
	for (size_t i = 0; i < n; i++) {
		printf("\t'%s') choice='", noun[i].name);
		print_verbs(noun[i].name);
		puts("' ;;");
	}
	fputs("\t'') choice='", stdout);
	print_nouns_and_verbs();
	puts("' ;;");
}

/* first: the index of the word behind `carrel`; current: of the one that is
 * being typed. The longest known beginning decides. */
static void print_function(
    const char *name, const char *array, int first, const char *current)
{
	printf("%s()\n{\n"
	       "\tlocal choice='' path=''\n"
	       "\t[ %s -gt %d ] && path=\"${%s[%d]}\"\n"
	       "\tcase \"$path\" in\n\t",
	    name, current, first, array, first);
	size_t n;
	const struct noun *noun = noun_table(&n);
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? "|" : "", noun[i].name);
	printf(") [ %s -gt %d ] && path=\"$path ${%s[%d]}\" ;;\n\tesac\n"
	       "\tcase \"$path\" in\n",
	    current, first + 1, array, first + 1);
	print_choice();
	puts("\tesac");
}

static void print_bash(void)
{
	puts("# bash completion of carrel, made by `carrel completion bash`");
	print_function("_carrel", "COMP_WORDS", 1, "\"$COMP_CWORD\"");
	puts("\tmapfile -t COMPREPLY < <(compgen -W \"$choice\" -- "
	     "\"${COMP_WORDS[COMP_CWORD]}\")\n"
	     "}\n"
	     "complete -o default -F _carrel carrel");
}

static void print_zsh(void)
{
	puts("#compdef carrel\n"
	     "# zsh completion of carrel, made by `carrel completion zsh`");
	puts("_carrel_typed=()");
	print_function("_carrel_choose", "_carrel_typed", 2, "\"$_carrel_at\"");
	puts("\tcompadd -- ${=choice}\n"
	     "}\n"
	     "_carrel_complete()\n{\n"
	     "\t_carrel_typed=(\"${words[@]}\")\n"
	     "\t_carrel_at=$CURRENT\n"
	     "\t_carrel_choose\n"
	     "}\n"
	     "if [ \"$funcstack[1]\" = _carrel ]; then\n"
	     "\t_carrel_complete \"$@\"\n"
	     "else\n"
	     "\tcompdef _carrel_complete carrel\n"
	     "fi");
}

int completion_cmd(struct call *c)
{
	if (str_eq(c->args[0], "bash"))
		print_bash();
	else if (str_eq(c->args[0], "zsh"))
		print_zsh();
	else {
		fprintf(stderr, "carrel completion: there is bash and zsh\n");
		return EXIT_WRONG_USE;
	}
	return EXIT_DONE;
}
