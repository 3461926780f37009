/*
 * Which accounts have a password that PAM can check. Only names are read and
 * counted; a site with LDAP or SSSD may have more, and the text says so.
 */
#include "hub/cli/logins.h"

#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define NAMES_SHOWN    5
#define UID_PERSON_MIN 1000
#define UID_NOBODY     65534

static bool has_password(const struct spwd *sp)
{
	/* "!" and "*" begin what no password can match (shadow(5)). */
	return sp->sp_pwdp && sp->sp_pwdp[0] != '\0' && sp->sp_pwdp[0] != '!' &&
	       sp->sp_pwdp[0] != '*';
}

static bool is_person(const char *name)
{
	const struct passwd *pw = getpwnam(name);
	return pw && pw->pw_uid >= UID_PERSON_MIN && pw->pw_uid != UID_NOBODY;
}

static int find_people(char names[NAMES_SHOWN][64])
{
	int n = 0;
	setspent();
	for (struct spwd *sp; (sp = getspent());) {
		if (!has_password(sp) || !is_person(sp->sp_namp))
			continue;
		if (n < NAMES_SHOWN && str_copy(names[n], 64, sp->sp_namp))
			continue;
		n++;
	}
	endspent();
	return n;
}

static void explain_all(void)
{
	char names[NAMES_SHOWN][64];
	int n = find_people(names);

	if (n == 0) {
		printf("  No account of this machine has a password yet, so "
		       "nobody can log in.\n"
		       "  This makes a demonstration account:\n\n"
		       "      sudo useradd --create-home demo && sudo passwd "
		       "demo\n\n");
		return;
	}
	printf("  Who can log in: every account with a password here (%d: ", n);
	for (int i = 0; i < n && i < NAMES_SHOWN; i++)
		printf("%s%s", i ? ", " : "", names[i]);
	printf("%s),\n  as far as carrel.yaml allows it (auth:).\n",
	    n > NAMES_SHOWN ? ", ..." : "");
}

void logins_explain(bool all_accounts)
{
	if (all_accounts) {
		explain_all();
		return;
	}
	const struct passwd *pw = getpwuid(geteuid());
	printf("  Who can log in: %s, with the password of this account.\n",
	    pw ? pw->pw_name : "the account that runs it");
}
