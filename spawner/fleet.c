/*
 * See fleet.h and server.h.
 */
#include "spawner/fleet.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

struct fleet {
	struct loop *loop;
	struct fleet_config config;
	struct fleet_callbacks cb;
	struct map *servers; /* key -> struct server */
	size_t n_starting, n_live;
	unsigned char ports[65536 / 8]; /* promised to a server */
};

static struct log_ctx ctx_of(const struct server *s)
{
	return (struct log_ctx){ .user = s->account, .server = s->key };
}

struct fleet *fleet_new(struct loop *l, const struct fleet_config *config,
    const struct fleet_callbacks *cb)
{
	struct fleet *f = xcalloc(1, sizeof *f);

	f->loop = l;
	f->config = *config;
	f->cb = *cb;
	f->servers = map_new();
	return f;
}

const struct fleet_config *fleet_config(const struct fleet *f)
{
	return &f->config;
}

struct loop *fleet_loop(const struct fleet *f)
{
	return f->loop;
}

/* ---- ports --------------------------------------------------------------- */

static bool port_is_taken(uint16_t port, void *arg)
{
	const struct fleet *f = arg;

	return f->ports[port / 8] & (1u << port % 8);
}

static void port_hold(struct fleet *f, uint16_t port, bool on)
{
	unsigned char bit = (unsigned char)(1u << port % 8);

	if (on)
		f->ports[port / 8] |= bit;
	else
		f->ports[port / 8] &= (unsigned char)~bit;
}

/* ---- one server ---------------------------------------------------------- */

static struct server *find(const struct fleet *f, const char *key)
{
	return map_get(f->servers, slice_of(key));
}

const struct server *fleet_find(const struct fleet *f, const char *key)
{
	return find(f, key);
}

static bool is_live(const struct server *s)
{
	return s->state != SERVER_ENDED && s->state != SERVER_FAILED;
}

static uint16_t port_of(const char *address)
{
	const char *colon = strrchr(address, ':');
	struct err ignored;
	uint16_t port;

	return colon && num_u16(colon + 1, &port, &ignored) == 0 ? port : 0;
}

struct server *fleet_add(struct fleet *f, const char *key, const char *account,
    const char *profile, const struct kind *kind, const char *address)
{
	struct server *s = xcalloc(1, sizeof *s);
	int rc = str_copy(s->key, sizeof s->key, key);

	assert(rc == 0 && !find(f, key));
	s->fleet = f;
	s->account = xstrdup(account);
	s->profile = xstrdup(profile);
	s->kind = kind;
	s->address = xstrdup(address);
	s->port = port_of(address);
	s->state = SERVER_STARTING;
	port_hold(f, s->port, true);
	map_put(f->servers, slice_of(s->key), s);
	f->n_starting++;
	f->n_live++;
	return s;
}

/* The map must not hold it any more. */
static void server_free(struct server *s, bool is_over)
{
	if (s->kind->forget)
		s->kind->forget(s, is_over);
	free(s->account);
	free(s->profile);
	free(s->address);
	free(s->text);
	free(s->tail);
	free(s);
}

static void forget(struct server *s)
{
	assert(!is_live(s));
	map_del(s->fleet->servers, slice_of(s->key));
	server_free(s, true);
}

void fleet_free(struct fleet **f)
{
	size_t pos = 0;
	const char *key;
	void *s;

	if (!*f)
		return;
	while (map_next((*f)->servers, &pos, &key, &s))
		server_free(s, false);
	map_free(&(*f)->servers);
	free(*f);
	*f = NULL;
}

/* ---- what kinds say ------------------------------------------------------ */

/* The one place where a server changes its state. */
static void set_state(struct server *s, enum server_state state)
{
	struct fleet *f = s->fleet;
	bool was_live = is_live(s);

	assert(was_live);
	if (s->state == SERVER_STARTING)
		f->n_starting--;
	s->state = state;
	if (is_live(s))
		return;
	f->n_live--;
	port_hold(f, s->port, false);
}

void server_started(struct server *s, pid_t pid, uint64_t start_time)
{
	struct log_ctx ctx = ctx_of(s);

	assert(s->state == SERVER_STARTING);
	s->pid = pid;
	s->start_time = start_time;
	set_state(s, SERVER_RUNNING);
	log_info(&ctx, "server runs", "pid=%d address=%s profile=%s", (int)pid,
	    s->address, s->profile);
	/* A hub that is not there finds it by LIST. */
	(void)s->fleet->cb.started(s, s->fleet->cb.arg);
}

void server_ready(struct server *s)
{
	struct log_ctx ctx = ctx_of(s);

	if (s->state != SERVER_RUNNING || s->is_ready)
		return;
	s->is_ready = true;
	log_info(&ctx, "server listens", "address=%s", s->address);
	/* A hub that is not there finds it by LIST. */
	(void)s->fleet->cb.ready(s, s->fleet->cb.arg);
}

void server_stopping(struct server *s)
{
	if (s->state == SERVER_RUNNING)
		set_state(s, SERVER_STOPPING);
}

static void report_failed(struct server *s)
{
	if (s->fleet->cb.failed(s->key, s->fail, s->text,
		s->tail ? s->tail : "", s->fleet->cb.arg))
		forget(s);
}

void server_failed(struct server *s, enum spawner_fail_code code,
    const char *text, char *tail_take)
{
	struct log_ctx ctx = ctx_of(s);

	set_state(s, SERVER_FAILED);
	s->fail = code;
	s->text = xstrdup(text);
	s->tail = tail_take;
	log_warn(&ctx, "server failed", "why=\"%s\"", text);
	report_failed(s);
}

void server_exited(
    struct server *s, const struct server_exit *exit, char *tail_take)
{
	struct log_ctx ctx = ctx_of(s);

	set_state(s, SERVER_ENDED);
	s->exit = *exit;
	s->tail = tail_take;
	log_info(&ctx, "server ended", "status=%d signal=%d oom=%d asked=%d",
	    exit->status, exit->signo, exit->oom, exit->asked);
	(void)s->fleet->cb.exited(s, s->fleet->cb.arg);
}

void server_tail(struct server *s, const char *text)
{
	(void)s->fleet->cb.tail(s->key, text, s->fleet->cb.arg);
}

/* ---- starting ------------------------------------------------------------ */

static void refuse(struct fleet *f, const struct fleet_request *r,
    enum spawner_fail_code code, const char *text)
{
	struct log_ctx ctx = { .user = r->account, .server = r->key };

	log_warn(&ctx, "start refused", "why=\"%s\"", text);
	(void)f->cb.failed(r->key, code, text, "", f->cb.arg);
}

/* Is there room for one more? */
static int check_limits(struct fleet *f, struct err *err)
{
	const struct policy *policy = f->config.policy;

	if (f->n_live >= (size_t)policy->max_servers)
		return err_set(err, ERR_LIMIT,
		    "%zu servers run; \"max_servers\" in spawner.yaml permits "
		    "no more",
		    f->n_live);
	if (f->n_starting >= (size_t)policy->max_starts)
		return err_set(err, ERR_LIMIT,
		    "%zu servers are starting; \"max_starts\" in spawner.yaml "
		    "permits no more at once",
		    f->n_starting);
	return 0;
}

/* What policy says, before anything is made. */
static int check_request(struct fleet *f, const struct fleet_request *r,
    const struct profile **profile_out, enum spawner_fail_code *code,
    struct err *err)
{
	*code = FAIL_EXISTS;
	if (find(f, r->key))
		return err_set(err, ERR_EXISTS, "the key %s is in use", r->key);
	*code = FAIL_PROFILE;
	*profile_out = policy_profile(f->config.policy, r->profile);
	if (!*profile_out)
		return err_set(err, ERR_NOT_FOUND,
		    "spawner.yaml has no profile \"%.64s\"", r->profile);
	*code = FAIL_ACCOUNT;
	if (!policy_account_name_ok(r->account))
		return err_set(err, ERR_INVALID,
		    "the name of the account is none that an account can have");
	*code = FAIL_LIMIT;
	return check_limits(f, err);
}

static void fill_job(struct fleet *f, const struct fleet_request *r,
    const struct profile *profile, struct job *job)
{
	const struct policy *policy = f->config.policy;

	job->key = r->key;
	job->account = r->account;
	job->profile = profile->name;
	job->kind = profile->kind;
	job->command = profile->command;
	job->environment = profile->environment;
	job->no_new_privs = profile->no_new_privs;
	job->limits = profile->limits;
	job->stop_grace_ms = profile->stop_grace_s * 1000;
	job->listen_timeout_ms = policy->listen_timeout_s * 1000;
	job->min_uid = policy->min_uid;
	job->create = r->create;
	job->create_command = policy->create_account;
	job->visit = r->visit;
	job->remove_command = policy->remove_account;
	job->pam_service = policy->pam_service;
	job->pam_dir = f->config.pam_dir;
	job->is_root = f->config.is_root;
	job->own_uid = f->config.own_uid;
	job->uses_login = profile->keep_login_handle_s > 0;
	job->options =
	    r->options ? json_incref((json_t *)(uintptr_t)r->options) : NULL;
}

/* A service may want a port of its own, or none. */
static int choose_port(struct fleet *f, const struct fleet_request *r,
    uint16_t *out, struct err *err)
{
	const struct policy *policy = f->config.policy;

	if (!r->service || r->port == 0)
		return launch_pick_port(policy->port_first, policy->port_last,
		    port_is_taken, f, out, err);
	*out = r->port > 0 ? (uint16_t)r->port : 0;
	if (*out && port_is_taken(*out, f))
		return err_set(err, ERR_EXISTS,
		    "port %u is a server's already: give the service another "
		    "one in carrel.yaml (url), or none, so that a free one is "
		    "taken",
		    (unsigned)*out);
	return 0;
}

/* The job is filled but for env and port. */
static int begin(struct fleet *f, const struct fleet_request *r,
    const struct profile *profile, struct job *job, struct err *err)
{
	struct server *s;
	int rc;

	if (job_read_env(&job->arena, r->env, &profile->accept_environment,
		&job->hub_env, err) != 0 ||
	    job_read_tls(&job->arena, r->tls, &job->tls, err) != 0 ||
	    choose_port(f, r, &job->port, err) != 0)
		return -1;
	s = fleet_add(f, r->key, r->account, r->profile, kind_find(job->kind),
	    job_address(job));
	rc = s->kind->start(s, job, err);
	if (rc == 0)
		return 0;
	set_state(s, SERVER_FAILED);
	map_del(f->servers, slice_of(s->key));
	server_free(s, false);
	return -1;
}

static enum spawner_fail_code code_of(const struct err *err)
{
	switch (err->code) {
	case ERR_LIMIT:
		return FAIL_LIMIT;
	case ERR_EXISTS:
		return FAIL_EXISTS;
	case ERR_INVALID:
	case ERR_DENIED:
		return FAIL_PROFILE;
	default:
		return FAIL_INTERNAL;
	}
}

void fleet_start(struct fleet *f, const struct fleet_request *r)
{
	const struct profile *profile = NULL;
	enum spawner_fail_code code;
	struct job job = { 0 };
	struct err err = { 0 };

	if (check_request(f, r, &profile, &code, &err) != 0) {
		refuse(f, r, code, err.text);
		return;
	}
	arena_init(&job.arena);
	fill_job(f, r, profile, &job);
	if (begin(f, r, profile, &job, &err) != 0)
		refuse(f, r, code_of(&err), err.text);
	job_fini(&job);
}

/* Whom root's file names; nobody else can be asked for. */
static const char *account_of(
    const struct fleet *f, const struct policy_service *s)
{
	if (*s->user)
		return s->user;
	return f->config.is_root ? POLICY_SERVICE_ACCOUNT
				 : f->config.own_account;
}

void fleet_start_service(struct fleet *f, const struct fleet_request *asked)
{
	const struct policy_service *service =
	    policy_service(f->config.policy, asked->service);
	struct fleet_request r = *asked;
	enum spawner_fail_code code = FAIL_LIMIT;
	struct job job = { 0 };
	struct err err = { 0 };

	r.account = service ? account_of(f, service) : "";
	r.profile = service ? service->profile.name : "";
	if (!service) {
		code = FAIL_PROFILE;
		(void)err_set(&err, ERR_NOT_FOUND,
		    "\"services\" of spawner.yaml has no \"%.64s\"; add it, "
		    "and restart the spawner (servers run on)",
		    r.service);
	} else if (find(f, r.key)) {
		code = FAIL_EXISTS;
		(void)err_set(&err, ERR_EXISTS, "the key %s is in use", r.key);
	}
	if (err.code != ERR_NONE || check_limits(f, &err) != 0) {
		refuse(f, &r, code, err.text);
		return;
	}
	arena_init(&job.arena);
	fill_job(f, &r, &service->profile, &job);
	job.cwd = service->cwd;
	if (begin(f, &r, &service->profile, &job, &err) != 0)
		refuse(f, &r, code_of(&err), err.text);
	job_fini(&job);
}

/* ---- the other verbs ----------------------------------------------------- */

/* So that nobody waits for the end of what is not there. */
static void tell_unknown(struct fleet *f, const char *key)
{
	struct server none = { .exit = { .status = -1, .asked = true } };

	if (str_copy(none.key, sizeof none.key, key) == 0)
		(void)f->cb.exited(&none, f->cb.arg);
}

void fleet_stop(struct fleet *f, const char *key, int64_t grace_ms)
{
	struct server *s = find(f, key);
	struct err err = { 0 };

	if (!s) {
		tell_unknown(f, key);
		return;
	}
	if (!is_live(s))
		return;
	if (s->kind->stop(s, grace_ms, &err) != 0) {
		struct log_ctx ctx = ctx_of(s);

		log_error(
		    &ctx, "server cannot be stopped", "why=\"%s\"", err.text);
	}
}

void fleet_ack(struct fleet *f, const char *key)
{
	struct server *s = find(f, key);

	if (s && s->state == SERVER_ENDED)
		forget(s);
}

void fleet_tail(struct fleet *f, const char *key)
{
	struct server *s = find(f, key);
	struct err err;

	if (!s)
		(void)f->cb.tail(key, "", f->cb.arg);
	else if (!is_live(s))
		(void)f->cb.tail(key, s->tail ? s->tail : "", f->cb.arg);
	else if (s->kind->tail(s, &err) != 0)
		(void)f->cb.tail(key, "", f->cb.arg);
}

void fleet_report(struct fleet *f)
{
	size_t pos = 0;
	const char *key;
	void *it;

	while (map_next(f->servers, &pos, &key, &it)) {
		struct server *s = it;

		if (s->state == SERVER_ENDED)
			(void)f->cb.exited(s, f->cb.arg);
		else if (s->state == SERVER_FAILED)
			report_failed(s);
	}
}

void fleet_each(const struct fleet *f,
    void (*fn)(const struct server *s, void *arg), void *arg)
{
	size_t pos = 0;
	const char *key;
	void *it;

	while (map_next(f->servers, &pos, &key, &it)) {
		const struct server *s = it;

		if (is_live(s) && s->kind->alive(s) != KIND_GONE)
			fn(s, arg);
	}
}
