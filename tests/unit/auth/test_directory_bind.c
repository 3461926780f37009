#include "test_util.h"

#include "auth/directory_bind.h"

static void test_active_directory_says_it_in_its_message(void **state)
{
#define AD(data)                                                               \
	"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext "    \
	"error, data " data ", v4563"
	static const struct {
		const char *text;
		enum directory_expiry wanted;
	} rows[] = {
		{ AD("532"), EXPIRY_PASSWORD },
		{ AD("773"), EXPIRY_PASSWORD },
		{ AD("701"), EXPIRY_ACCOUNT },
		/* Wrong, unknown, locked: said of a wrong password too. */
		{ AD("52e"), EXPIRY_NONE },
		{ AD("525"), EXPIRY_NONE },
		{ AD("775"), EXPIRY_NONE },
		{ AD("5320"), EXPIRY_NONE },
		{ "invalid credentials", EXPIRY_NONE },
		{ ", data ", EXPIRY_NONE },
		{ "", EXPIRY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(
		    directory_expiry_of(rows[i].text), rows[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_active_directory_says_it_in_its_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
