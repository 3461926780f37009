/*
 * An LDAP directory: what is configured about one, and one question to it, "is
 * this the password of that person, and in which groups are they?". Private to
 * auth/; the plug is ldap.c.
 *
 * directory_ask blocks (libldap does), so it runs in base/offload: it touches
 * its arguments alone and knows neither the loop nor the log.
 */
#ifndef CARREL_AUTH_DIRECTORY_H
#define CARREL_AUTH_DIRECTORY_H

#include <regex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth/authenticator.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* What one person can be in; the database keeps as many. */
#define DIRECTORY_GROUPS_MAX 1024
/* Bytes of a name or of a group's name. */
#define DIRECTORY_NAME_MAX   255

enum directory_tls {
	DIRECTORY_LDAPS,    /* tls_strategy: on_connect */
	DIRECTORY_STARTTLS, /* before_bind */
	DIRECTORY_INSECURE,
};

/* Not changed after it was read, so that threads may share it. Strings are ""
 * when unset. */
struct directory_config {
	struct arena arena;
	unsigned refs;               /* the loop's thread alone */
	struct conf_strings servers; /* URIs, to be tried in order */
	enum directory_tls tls;
	const char *tls_ca_file;
	int timeout_s; /* of each step */
	struct conf_strings bind_dn_templates;
	bool lookup_dn;
	const char *lookup_user, *lookup_password, *lookup_filter;
	const char *user_search_base, *user_attribute, *username_attribute;
	const char *search_filter;
	const char *group_search_base, *group_search_filter, *group_attribute;
	regex_t username_regex;
};

/* directory_config.c. NULL with err: the options are wrong. */
struct directory_config *directory_config_read(
    const struct auth_env *env, struct err *err);
struct directory_config *directory_config_ref(struct directory_config *cfg);
/* The last one wipes what is secret. */
void directory_config_unref(struct directory_config **cfg);
/* May it be asked about under this name (in lower case)? */
bool directory_config_takes(
    const struct directory_config *cfg, const char *username);

/* One placeholder: "{name}". */
struct directory_word {
	const char *name, *value;
	bool is_plain; /* ours, not a person's: put in as it is */
};

/*
 * directory_text.c. The template with its placeholders filled in and escaped:
 * as a filter (RFC 4515), or as a name: a DN (RFC 4514) if it has a '=', else
 * one like alice@example.org or EXAMPLE\alice, which takes letters, digits,
 * '.', '_' and '-' only. ERR_INVALID: an unknown placeholder, or a value that
 * cannot stand there.
 */
int directory_fill_filter(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err) MUST_CHECK;
int directory_fill_name(struct buf *out, const char *text,
    const struct directory_word *words, size_t n, struct err *err) MUST_CHECK;

struct directory_question {
	const char *username, *password;
	size_t first_server; /* the one that answered last */
	const atomic_bool *is_cancelled;
};

/* Strings live in the arena that directory_ask was given. */
struct directory_answer {
	enum auth_result res; /* OK, DENIED, EXPIRED or UNAVAILABLE */
	const char *text;     /* for the person: EXPIRED */
	const char *name;
	const char **groups;
	size_t n_groups;
	size_t server;  /* that answered; unless UNAVAILABLE */
	struct err why; /* for the log; ERR_NONE: nothing to say */
};

/* Never asks with an empty password, which many directories take for nobody's
 * successful login (RFC 4513 section 5.1.2). */
void directory_ask(const struct directory_config *cfg,
    const struct directory_question *q, struct arena *arena,
    struct directory_answer *out);

#endif
