/*
 * See state.h.
 */
#include "spawner/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

#define FILE_NAME "state.json"
#define FILE_MAX  (64 * 1024)
#define TEXT_MAX  4096

static const char *const phase_words[] = {
	[STATE_STARTING] = "starting",
	[STATE_RUNNING] = "running",
	[STATE_ENDED] = "ended",
	[STATE_FAILED] = "failed",
};
#define N_PHASES (sizeof phase_words / sizeof phase_words[0])

static void set_str(json_t *j, const char *name, const char *value)
{
	json_object_set_new(j, name, json_string(value ? value : ""));
}

static void set_int(json_t *j, const char *name, int64_t value)
{
	json_object_set_new(j, name, json_integer(value));
}

/* Null while it runs. */
static json_t *status_json(const struct state *s)
{
	json_t *j;

	if (s->phase == STATE_STARTING || s->phase == STATE_RUNNING)
		return json_null();
	j = json_object();
	if (s->phase == STATE_FAILED) {
		set_str(j, "fail", s->fail);
		set_str(j, "text", s->text);
		return j;
	}
	set_int(j, "status", s->status);
	set_int(j, "signal", s->signo);
	json_object_set_new(j, "oom", json_boolean(s->oom));
	json_object_set_new(j, "asked", json_boolean(s->asked));
	return j;
}

int state_write(int dir_fd, const struct state *s, struct err *err)
{
	json_t *j = json_object(), *cgroups = json_array();
	size_t len;
	char *text;
	int rc;

	set_int(j, "version", STATE_VERSION);
	set_str(j, "key", s->key);
	set_str(j, "phase", phase_words[s->phase]);
	set_str(j, "account", s->account);
	set_str(j, "profile", s->profile);
	set_str(j, "kind", s->kind);
	set_str(j, "address", s->address);
	set_str(j, "boot_id", s->boot_id);
	set_int(j, "keeper_pid", s->keeper_pid);
	set_int(j, "keeper_start_time", (int64_t)s->keeper_start_time);
	set_int(j, "pid", s->pid);
	set_int(j, "start_time", (int64_t)s->start_time);
	for (size_t i = 0; i < s->n_cgroups; i++)
		json_array_append_new(cgroups, json_string(s->cgroups[i]));
	json_object_set_new(j, "cgroups", cgroups);
	json_object_set_new(j, "status", status_json(s));
	text = json_text(j, &len);
	rc = file_replace(dir_fd, FILE_NAME, text, len, 0600, err);
	free(text);
	json_decref(j);
	return rc;
}

/* ---- reading ------------------------------------------------------------- */

static int get_str(struct arena *a, const json_t *j, const char *name,
    const char **out, struct err *err)
{
	const char *text = "";

	if (json_get_str(j, name, TEXT_MAX, &text, err) < 0)
		return -1;
	*out = arena_strdup(a, text);
	return 0;
}

static int get_pid(const json_t *j, const char *name, const char *start_name,
    pid_t *pid_out, uint64_t *start_out, struct err *err)
{
	int64_t pid = 0, start = 0;

	if (json_get_int(j, name, 0, INT32_MAX, &pid, err) < 0 ||
	    json_get_int(j, start_name, 0, INT64_MAX, &start, err) < 0)
		return -1;
	*pid_out = (pid_t)pid;
	*start_out = (uint64_t)start;
	return 0;
}

static int get_phase(const json_t *j, enum state_phase *out, struct err *err)
{
	const char *word = "";

	if (json_get_str(j, "phase", 32, &word, err) < 0)
		return -1;
	for (size_t i = 0; i < N_PHASES; i++) {
		if (!str_eq(word, phase_words[i]))
			continue;
		*out = (enum state_phase)i;
		return 0;
	}
	return err_set(err, ERR_INVALID, "member \"phase\" is unknown");
}

static int get_status(
    struct arena *a, const json_t *j, struct state *s, struct err *err)
{
	int64_t status = 0, signo = 0;
	json_t *obj = NULL;

	if (s->phase == STATE_STARTING || s->phase == STATE_RUNNING)
		return 0;
	if (json_get_obj(j, "status", &obj, err) <= 0)
		return err_set(err, ERR_INVALID, "member \"status\" is wrong");
	if (s->phase == STATE_FAILED)
		return get_str(a, obj, "fail", &s->fail, err) ||
			       get_str(a, obj, "text", &s->text, err)
			   ? -1
			   : 0;
	if (json_get_int(obj, "status", -1, 255, &status, err) < 0 ||
	    json_get_int(obj, "signal", 0, 128, &signo, err) < 0 ||
	    json_get_bool(obj, "oom", &s->oom, err) < 0 ||
	    json_get_bool(obj, "asked", &s->asked, err) < 0)
		return -1;
	s->status = (int)status;
	s->signo = (int)signo;
	return 0;
}

static int get_cgroups(
    struct arena *a, const json_t *j, struct state *s, struct err *err)
{
	json_t *list = NULL, *item;
	size_t i;

	if (json_get_array(j, "cgroups", STATE_CGROUPS_MAX, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, item) {
		if (json_is_string(item))
			s->cgroups[s->n_cgroups++] =
			    arena_strdup(a, json_string_value(item));
	}
	return 0;
}

static int from_json(
    struct arena *a, const json_t *j, struct state *s, struct err *err)
{
	if (json_get_int(j, "version", 1, 1000, &s->version, err) <= 0)
		return err_set(err, ERR_INVALID, "member \"version\" is wrong");
	if (get_phase(j, &s->phase, err) ||
	    get_str(a, j, "key", &s->key, err) ||
	    get_str(a, j, "account", &s->account, err) ||
	    get_str(a, j, "profile", &s->profile, err) ||
	    get_str(a, j, "kind", &s->kind, err) ||
	    get_str(a, j, "address", &s->address, err) ||
	    get_str(a, j, "boot_id", &s->boot_id, err) ||
	    get_pid(j, "keeper_pid", "keeper_start_time", &s->keeper_pid,
		&s->keeper_start_time, err) ||
	    get_pid(j, "pid", "start_time", &s->pid, &s->start_time, err) ||
	    get_cgroups(a, j, s, err))
		return -1;
	return get_status(a, j, s, err);
}

int state_read(int dir_fd, struct arena *a, struct state *out, struct err *err)
{
	int fd = openat(
	    dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	json_t *j = NULL;
	size_t len;
	int rc;

	*out = (struct state){ .status = -1 };
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "there is no " FILE_NAME);
	if (fd < 0)
		return err_sys(err, "open " FILE_NAME);
	rc = fd_read_all(fd, FILE_MAX, &text, &len, err);
	if (rc == 0)
		rc = json_parse(text, len, &j, err);
	if (rc == 0)
		rc = from_json(a, j, out, err);
	json_decref(j);
	free(text);
	fd_close(&fd);
	return rc == 0 ? 0 : err_wrap(err, FILE_NAME);
}
