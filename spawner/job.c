/*
 * See job.h.
 */
#include "spawner/job.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define ENV_VALUE_MAX (16 * 1024)
#define ENV_NAMES_MAX 256
#define TEXT_MAX      (64 * 1024)
#define PEM_MAX       (16 * 1024)

bool job_key_ok(const char *key)
{
	return strlen(key) == JOB_KEY_LEN &&
	       strspn(key, "0123456789abcdef") == JOB_KEY_LEN;
}

static void set_str(json_t *j, const char *name, const char *value)
{
	if (value)
		json_object_set_new(j, name, json_string(value));
}

static void set_int(json_t *j, const char *name, int64_t value)
{
	json_object_set_new(j, name, json_integer(value));
}

static json_t *pairs_to_json(const struct conf_pairs *pairs)
{
	json_t *j = json_object();

	for (size_t i = 0; i < pairs->n; i++)
		set_str(j, pairs->items[i].name, pairs->items[i].value);
	return j;
}

static json_t *strings_to_json(const struct conf_strings *strings)
{
	json_t *j = json_array();

	for (size_t i = 0; i < strings->n; i++)
		json_array_append_new(j, json_string(strings->items[i]));
	return j;
}

static json_t *tls_to_json(const struct job_tls *tls)
{
	json_t *j = json_object();

	set_str(j, "key", tls->key);
	set_str(j, "certificate", tls->certificate);
	set_str(j, "authority", tls->authority);
	return j;
}

json_t *job_to_json(const struct job *job)
{
	json_t *j = json_object();

	set_str(j, "key", job->key);
	set_str(j, "account", job->account);
	set_str(j, "profile", job->profile);
	set_str(j, "kind", job->kind);
	set_str(j, "pam_service", job->pam_service);
	set_str(j, "pam_dir", job->pam_dir);
	set_str(j, "cwd", job->cwd);
	json_object_set_new(j, "command", strings_to_json(&job->command));
	json_object_set_new(
	    j, "create_command", strings_to_json(&job->create_command));
	json_object_set_new(j, "create", json_boolean(job->create));
	json_object_set_new(
	    j, "remove_command", strings_to_json(&job->remove_command));
	json_object_set_new(j, "visit", json_boolean(job->visit));
	json_object_set_new(j, "environment", pairs_to_json(&job->environment));
	json_object_set_new(j, "hub_env", pairs_to_json(&job->hub_env));
	json_object_set_new(j, "no_new_privs", json_boolean(job->no_new_privs));
	json_object_set_new(j, "is_root", json_boolean(job->is_root));
	set_int(j, "memory", job->limits.memory_bytes);
	set_int(j, "cpu", job->limits.cpu_millis);
	set_int(j, "pids", job->limits.pids);
	set_int(j, "stop_grace_ms", job->stop_grace_ms);
	set_int(j, "listen_timeout_ms", job->listen_timeout_ms);
	set_int(j, "min_uid", job->min_uid);
	set_int(j, "own_uid", job->own_uid);
	set_int(j, "port", job->port);
	if (job->options)
		json_object_set(j, "options", job->options);
	if (job->tls.key)
		json_object_set_new(j, "tls", tls_to_json(&job->tls));
	return j;
}

/* ---- reading ------------------------------------------------------------- */

static int need(int found, const char *name, struct err *err)
{
	if (found < 0)
		return -1;
	if (found == 0)
		return err_set(
		    err, ERR_INVALID, "member \"%s\" is missing", name);
	return 0;
}

static int get_str(struct job *job, const json_t *j, const char *name,
    const char **out, struct err *err)
{
	if (need(json_get_str(j, name, TEXT_MAX, out, err), name, err) != 0)
		return -1;
	*out = arena_strdup(&job->arena, *out);
	return 0;
}

static int get_int(const json_t *j, const char *name, int64_t hi, int64_t *out,
    struct err *err)
{
	return need(json_get_int(j, name, 0, hi, out, err), name, err);
}

static int get_strings(struct job *job, const json_t *j, const char *name,
    struct conf_strings *out, struct err *err)
{
	json_t *list, *item;
	size_t i;

	if (need(json_get_array(j, name, 1024, &list, err), name, err) != 0)
		return -1;
	out->items = arena_array(
	    &job->arena, json_array_size(list) + 1, sizeof *out->items);
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return err_set(err, ERR_INVALID,
			    "member \"%s\" must be a list of strings", name);
		out->items[out->n++] =
		    arena_strdup(&job->arena, json_string_value(item));
	}
	return 0;
}

/* accepted NULL: every name (the profile's own). */
static bool is_accepted(const char *name, const struct conf_strings *accepted)
{
	if (!accepted || policy_env_name_ok(name))
		return true;
	for (size_t i = 0; i < accepted->n; i++) {
		if (str_eq(accepted->items[i], name))
			return true;
	}
	return false;
}

static int read_pairs(struct arena *a, const json_t *obj,
    const struct conf_strings *accepted, struct conf_pairs *out,
    struct err *err)
{
	const char *name;
	json_t *value;

	*out = (struct conf_pairs){ 0 };
	if (json_object_size(obj) > ENV_NAMES_MAX)
		return err_set(err, ERR_LIMIT,
		    "the environment has %zu names; at most %d are permitted",
		    json_object_size(obj), ENV_NAMES_MAX);
	out->items =
	    arena_array(a, json_object_size(obj) + 1, sizeof *out->items);
	json_object_foreach ((json_t *)obj, name, value) {
		char shown[64];

		str_printable(shown, sizeof shown, name, strlen(name));
		if (!is_accepted(name, accepted))
			return err_set(err, ERR_DENIED,
			    "the hub may not set the environment name \"%s\": "
			    "the profile's accept_environment in spawner.yaml "
			    "does not have it",
			    shown);
		if (!json_is_string(value) ||
		    json_string_length(value) > ENV_VALUE_MAX)
			return err_set(err, ERR_INVALID,
			    "the value of \"%s\" must be a string of at most "
			    "%d bytes",
			    shown, ENV_VALUE_MAX);
		out->items[out->n].name = arena_strdup(a, name);
		out->items[out->n++].value =
		    arena_strdup(a, json_string_value(value));
	}
	return 0;
}

int job_read_env(struct arena *a, const json_t *env,
    const struct conf_strings *accepted, struct conf_pairs *out,
    struct err *err)
{
	return read_pairs(a, env, accepted, out, err);
}

static int get_pairs(struct job *job, const json_t *j, const char *name,
    struct conf_pairs *out, struct err *err)
{
	json_t *obj;

	if (need(json_get_obj(j, name, &obj, err), name, err) != 0)
		return -1;
	return read_pairs(&job->arena, obj, NULL, out, err);
}

static int get_pem(struct arena *a, const json_t *tls, const char *name,
    const char **out, struct err *err)
{
	if (need(json_get_str(tls, name, PEM_MAX, out, err), name, err) != 0)
		return -1;
	if (!str_starts(*out, "-----BEGIN "))
		return err_set(err, ERR_INVALID,
		    "member \"%s\" of \"tls\" must be PEM", name);
	*out = arena_strdup(a, *out);
	return 0;
}

int job_read_tls(
    struct arena *a, const json_t *tls, struct job_tls *out, struct err *err)
{
	*out = (struct job_tls){ NULL, NULL, NULL };
	if (!tls)
		return 0;
	if (get_pem(a, tls, "certificate", &out->certificate, err) != 0 ||
	    get_pem(a, tls, "authority", &out->authority, err) != 0)
		return -1;
	return get_pem(a, tls, "key", &out->key, err);
}

static int get_numbers(struct job *job, const json_t *j, struct err *err)
{
	int64_t port;

	if (get_int(j, "memory", INT64_MAX, &job->limits.memory_bytes, err) ||
	    get_int(j, "cpu", INT32_MAX, &job->limits.cpu_millis, err) ||
	    get_int(j, "pids", INT32_MAX, &job->limits.pids, err) ||
	    get_int(j, "stop_grace_ms", INT32_MAX, &job->stop_grace_ms, err) ||
	    get_int(j, "listen_timeout_ms", INT32_MAX, &job->listen_timeout_ms,
		err) ||
	    get_int(j, "min_uid", UINT32_MAX, &job->min_uid, err) ||
	    get_int(j, "own_uid", UINT32_MAX, &job->own_uid, err) ||
	    get_int(j, "port", UINT16_MAX, &port, err))
		return -1;
	job->port = (uint16_t)port;
	return 0;
}

int job_from_json(struct job *job, const json_t *j, struct err *err)
{
	json_t *options = NULL;

	*job = (struct job){ 0 };
	arena_init(&job->arena);
	if (get_str(job, j, "key", &job->key, err) ||
	    get_str(job, j, "account", &job->account, err) ||
	    get_str(job, j, "profile", &job->profile, err) ||
	    get_str(job, j, "kind", &job->kind, err) ||
	    get_str(job, j, "pam_service", &job->pam_service, err) ||
	    get_strings(job, j, "command", &job->command, err) ||
	    get_strings(job, j, "create_command", &job->create_command, err) ||
	    get_strings(job, j, "remove_command", &job->remove_command, err) ||
	    get_numbers(job, j, err) ||
	    get_pairs(job, j, "environment", &job->environment, err) ||
	    get_pairs(job, j, "hub_env", &job->hub_env, err))
		return -1;
	if (json_object_get(j, "pam_dir") &&
	    get_str(job, j, "pam_dir", &job->pam_dir, err) != 0)
		return -1;
	if (json_object_get(j, "cwd") &&
	    get_str(job, j, "cwd", &job->cwd, err) != 0)
		return -1;
	if (need(json_get_bool(j, "no_new_privs", &job->no_new_privs, err),
		"no_new_privs", err) ||
	    need(
		json_get_bool(j, "create", &job->create, err), "create", err) ||
	    need(json_get_bool(j, "visit", &job->visit, err), "visit", err) ||
	    need(json_get_bool(j, "is_root", &job->is_root, err), "is_root",
		err) ||
	    json_get_obj(j, "options", &options, err) < 0 ||
	    job_read_tls(
		&job->arena, json_object_get(j, "tls"), &job->tls, err) != 0)
		return -1;
	if (!job_key_ok(job->key))
		return err_set(err, ERR_INVALID,
		    "member \"key\" must be 16 lower-case hex digits");
	job->options = options ? json_incref(options) : NULL;
	return 0;
}

const char *job_address(struct job *job)
{
	/* Services listen as they like. */
	const char *scheme = job->tls.key && !job->cwd ? "https://" : "";

	if (!job->port)
		return "";
	return arena_printf(
	    &job->arena, "%s127.0.0.1:%u", scheme, (unsigned)job->port);
}

static void wipe(const char *text)
{
	if (text)
		mem_wipe((char *)(uintptr_t)text, strlen(text));
}

void job_fini(struct job *job)
{
	for (size_t i = 0; i < job->hub_env.n; i++)
		wipe(job->hub_env.items[i].value);
	wipe(job->tls.key);
	json_decref(job->options);
	arena_fini(&job->arena);
	*job = (struct job){ 0 };
}
