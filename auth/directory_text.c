/*
 * See directory.h: templates of names and filters. What a person typed is
 * escaped by libldap, which knows both grammars.
 */
#include "auth/directory.h"

#include <ldap.h>
#include <string.h>

#include "base/str.h"

typedef int put_fn(struct buf *out, const char *value, struct err *err);

/* RFC 4515 section 3. */
static int put_filter(struct buf *out, const char *value, struct err *err)
{
	struct berval in = { strlen(value), (char *)(uintptr_t)value };
	struct berval escaped = { 0, NULL };

	if (ldap_bv2escaped_filter_value(&in, &escaped) != 0)
		return err_set(err, ERR_INVALID,
		    "a value cannot be written in an LDAP filter");
	buf_append(out, escaped.bv_val, escaped.bv_len);
	/* It hands back its argument when nothing had to be escaped. */
	if (escaped.bv_val != in.bv_val)
		ldap_memfree(escaped.bv_val);
	return 0;
}

/* RFC 4514 section 2.4: libldap writes "X=value", of which we want the value.
 */
static int put_dn(struct buf *out, const char *value, struct err *err)
{
	static const char attribute[] = "X";
	LDAPAVA ava = {
		.la_attr = { 1, (char *)(uintptr_t)attribute },
		.la_value = { strlen(value), (char *)(uintptr_t)value },
		.la_flags = LDAP_AVA_STRING | LDAP_AVA_NONPRINTABLE,
	};
	LDAPAVA *rdn[] = { &ava, NULL };
	struct berval written = { 0, NULL };

	if (ldap_rdn2bv(rdn, &written, LDAP_DN_FORMAT_LDAPV3) != 0 ||
	    written.bv_len < 2)
		return err_set(err, ERR_INVALID,
		    "a value cannot be written in a distinguished name");
	buf_append(out, written.bv_val + 2, written.bv_len - 2);
	ldap_memfree(written.bv_val);
	return 0;
}

/* Neither '@' nor '\' nor '/': they would name another domain. */
static int put_account(struct buf *out, const char *value, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	if (value[strspn(value, allowed)] != '\0')
		return err_set(err, ERR_INVALID,
		    "a value cannot be written in an account's name");
	buf_str(out, value);
	return 0;
}

static const struct directory_word *find_word(
    const struct directory_word *words, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++) {
		if (slice_eq(name, words[i].name))
			return &words[i];
	}
	return NULL;
}

/* From the '{' at `p`; *end_out is behind the '}'. */
static int put_word(struct buf *out, const char *p,
    const struct directory_word *words, size_t n, put_fn *put,
    const char **end_out, struct err *err)
{
	struct slice name = slice_make(p + 1, strcspn(p + 1, "}"));
	const struct directory_word *w = find_word(words, n, name);

	if (w == NULL || p[1 + name.len] != '}')
		return err_set(err, ERR_INVALID,
		    "\"{%.*s\" begins no placeholder that can stand here "
		    "(the first that can: \"{%s}\")",
		    (int)(name.len < 40 ? name.len : 40), name.p,
		    words[0].name);
	*end_out = p + name.len + 2;
	if (!w->is_plain)
		return put(out, w->value, err);
	buf_str(out, w->value);
	return 0;
}

static int fill(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, put_fn *put, struct err *err)
{
	while (*text) {
		size_t len = strcspn(text, "{");

		buf_append(out, text, len);
		text += len;
		if (*text && put_word(out, text, words, n, put, &text, err) < 0)
			return -1;
	}
	if (out->overflow)
		return err_set(err, ERR_INVALID,
		    "with its values the template is longer than %zu bytes",
		    out->max);
	return 0;
}

int directory_fill_filter(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err)
{
	return fill(out, text, words, n, put_filter, err);
}

int directory_fill_name(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err)
{
	return fill(
	    out, text, words, n, strchr(text, '=') ? put_dn : put_account, err);
}
