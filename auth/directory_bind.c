/*
 * See directory_bind.h. OpenLDAP, 389 Directory Server and others say it in the
 * control of password policies (draft-behera-ldap-password-policy), Active
 * Directory in a number within its diagnostic message.
 */
#include "auth/directory_bind.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

/*
 * "80090308: LdapErr: ..., comment: AcceptSecurityContext error, data 532,
 * v1db1". The number is a Windows error in hexadecimal. These three come after
 * a right password only.
 */
enum directory_expiry directory_expiry_of(const char *diagnostic)
{
	static const char before[] = ", data ";
	const char *at = strstr(diagnostic, before);

	if (!at)
		return EXPIRY_NONE;
	at += sizeof before - 1;
	if (str_starts(at, "532,") || str_starts(at, "773,"))
		return EXPIRY_PASSWORD;
	return str_starts(at, "701,") ? EXPIRY_ACCOUNT : EXPIRY_NONE;
}

static enum directory_expiry from_diagnostic(LDAP *ld)
{
	enum directory_expiry expiry;
	char *said = NULL;

	(void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
	expiry = said ? directory_expiry_of(said) : EXPIRY_NONE;
	ldap_memfree(said);
	return expiry;
}

static enum directory_expiry from_controls(LDAP *ld, LDAPControl **controls)
{
	LDAPControl *c = ldap_control_find(
	    LDAP_CONTROL_PASSWORDPOLICYRESPONSE, controls, NULL);
	LDAPPasswordPolicyError error = PP_noError;
	ber_int_t expires = -1, grace = -1;

	if (!c || ldap_parse_passwordpolicy_control(
		      ld, c, &expires, &grace, &error) != LDAP_SUCCESS)
		return EXPIRY_NONE;
	return error == PP_passwordExpired || error == PP_changeAfterReset
		   ? EXPIRY_PASSWORD
		   : EXPIRY_NONE;
}

static int read_result(
    LDAP *ld, LDAPMessage *res, enum directory_expiry *expiry_out)
{
	LDAPControl **controls = NULL;
	int code = LDAP_OTHER;
	int rc =
	    ldap_parse_result(ld, res, &code, NULL, NULL, NULL, &controls, 0);

	if (rc != LDAP_SUCCESS)
		return rc;
	*expiry_out = from_controls(ld, controls);
	if (code == LDAP_INVALID_CREDENTIALS && *expiry_out == EXPIRY_NONE)
		*expiry_out = from_diagnostic(ld);
	ldap_controls_free(controls);
	return code;
}

static int last_error(LDAP *ld)
{
	int rc = LDAP_OTHER;

	(void)ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &rc);
	return rc == LDAP_SUCCESS ? LDAP_OTHER : rc;
}

static int wait_for(LDAP *ld, int message, struct timeval wait,
    enum directory_expiry *expiry_out)
{
	LDAPMessage *res = NULL;
	int rc = ldap_result(ld, message, LDAP_MSG_ALL, &wait, &res);

	if (rc == 0)
		rc = LDAP_TIMEOUT;
	else if (rc < 0)
		rc = last_error(ld);
	else
		rc = read_result(ld, res, expiry_out);
	(void)ldap_msgfree(res);
	return rc;
}

int directory_bind(LDAP *ld, const char *dn, const char *password,
    struct timeval wait, enum directory_expiry *expiry_out)
{
	struct berval cred = {
		.bv_len = strlen(password),
		.bv_val = (char *)(uintptr_t)password,
	};
	LDAPControl *policy = NULL;
	int message = 0;
	int rc = ldap_create_passwordpolicy_control(ld, &policy);

	*expiry_out = EXPIRY_NONE;
	if (rc != LDAP_SUCCESS)
		return rc;
	LDAPControl *controls[] = { policy, NULL };
	rc = ldap_sasl_bind(
	    ld, dn, LDAP_SASL_SIMPLE, &cred, controls, NULL, &message);
	if (rc == LDAP_SUCCESS)
		rc = wait_for(ld, message, wait, expiry_out);
	ldap_control_free(policy);
	return rc;
}
