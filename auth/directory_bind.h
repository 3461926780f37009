/*
 * A simple bind, and what the directory says of the password beside yes and no.
 * Private to directory.c.
 */
#ifndef CARREL_AUTH_DIRECTORY_BIND_H
#define CARREL_AUTH_DIRECTORY_BIND_H

#include <sys/time.h>

#include <ldap.h>

/* Said of a right password only. */
enum directory_expiry {
	EXPIRY_NONE,
	EXPIRY_PASSWORD, /* it must be changed first */
	EXPIRY_ACCOUNT,  /* the account is over */
};

/* The result code of LDAP. */
int directory_bind(LDAP *ld, const char *dn, const char *password,
    struct timeval wait, enum directory_expiry *expiry_out);
/* From Active Directory's diagnostic message of code 49. */
enum directory_expiry directory_expiry_of(const char *diagnostic);

#endif
