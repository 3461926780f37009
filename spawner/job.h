/*
 * A job: what a keeper is told by the spawner when a server shall start. It
 * has all that policy and hub said, so that a keeper never reads a file of
 * configuration. It travels as JSON in a memory file (never in argv: it has
 * the server's token) and is forgotten by the spawner at once.
 */
#ifndef CARREL_SPAWNER_JOB_H
#define CARREL_SPAWNER_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/json.h"
#include "spawner/policy.h"

#define JOB_KEY_LEN 16

/* What a server proves itself with: PEM texts. key NULL: nothing. */
struct job_tls {
	const char *key, *certificate, *authority;
};

struct job {
	const char *key, *account, *profile, *kind;
	struct conf_strings command;
	struct conf_pairs environment; /* the profile's */
	struct conf_pairs hub_env;     /* the hub's, checked */
	bool no_new_privs;
	struct limits limits;
	int64_t stop_grace_ms, listen_timeout_ms, min_uid;
	uint16_t port; /* on 127.0.0.1 */
	struct job_tls tls;
	const char *pam_service;
	const char *pam_dir; /* NULL: the system's */
	const char *cwd;     /* of a service; NULL: the account's home */
	bool is_root;        /* the spawner is: ids are switched */
	int64_t own_uid;     /* of the spawner */
	bool create;         /* a missing account is asked for */
	struct conf_strings create_command; /* empty: none is made */
	bool visit; /* an account that was made goes with its servers */
	struct conf_strings remove_command; /* empty: none goes */
	bool uses_login; /* only for the launch: keep_login_handle */
	json_t *options; /* the person's choices; an object */
	struct arena arena;
};

/* 16 lower-case hex digits. */
bool job_key_ok(const char *key);
/* A new reference. */
json_t *job_to_json(const struct job *job);
/* The inverse; copies what it keeps. job_fini in any case. */
int job_from_json(struct job *job, const json_t *j, struct err *err) MUST_CHECK;
/* Where it will be reached: "127.0.0.1:40123", with "https://" in front when it
 * is to listen with TLS; "" without a port. Lives in the job's arena. */
const char *job_address(struct job *job);
/* Wipes the environment and the key. */
void job_fini(struct job *job);
/*
 * The hub's environment object into pairs in `a`: names by policy_env_name_ok
 * or of the profile's `accepted`, values strings of at most 16 KiB.
 */
int job_read_env(struct arena *a, const json_t *env,
    const struct conf_strings *accepted, struct conf_pairs *out,
    struct err *err) MUST_CHECK;
/* The hub's object of PEM texts; NULL: none. */
int job_read_tls(struct arena *a, const json_t *tls, struct job_tls *out,
    struct err *err) MUST_CHECK;

#endif
