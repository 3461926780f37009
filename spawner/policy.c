/*
 * See policy.h: spawner.yaml becomes a struct by the two tables of policy.def;
 * what a table cannot say is checked here.
 */
#include "spawner/policy.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "spawner/kind.h"

#define MAX_PROFILES 1000
#define MAX_SERVICES 1000
#define NAME_MAX_LEN 64

static const struct conf_option policy_options[] = {
#define OPT(member, path, type, fallback, lo, hi, words, doc)                  \
	{ path, type, offsetof(struct policy, member), fallback, lo, hi,       \
		words, doc, true },
#include "spawner/policy.def"
};

static const struct conf_option profile_options[] = {
#define PROFILE(member, path, type, fallback, lo, hi, words, doc)              \
	{ path, type, offsetof(struct profile, member), fallback, lo, hi,      \
		words, doc, true },
#include "spawner/policy.def"
};

static const struct conf_option service_options[] = {
#define SERVICE(member, path, type, fallback, lo, hi, words, doc)              \
	{ path, type, offsetof(struct policy_service, member), fallback, lo,   \
		hi, words, doc, true },
#include "spawner/policy.def"
};

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A reading under way: where problems go. */
struct reader {
	struct policy *p;
	const char *file;
	bool is_root;
	struct buf *problems;
	struct err *err;
	int rc;
};

static void problem(struct reader *r, const struct conf_node *at,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

static void problem(
    struct reader *r, const struct conf_node *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->rc == 0)
		err_set(r->err, ERR_INVALID, "%s:%d:%d: %s", r->file,
		    at ? at->line : 1, at ? at->column : 1, text);
	r->rc = -1;
	if (r->problems)
		buf_printf(r->problems, "%s:%d:%d: %s\n", r->file,
		    at ? at->line : 1, at ? at->column : 1, text);
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || name[0] == '.')
		return false;
	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return false;
	}
	return true;
}

/* "1.5" -> 1500; -1 for anything else. */
static int parse_cpu(const char *text, int64_t *out)
{
	struct slice rest = slice_of(text), whole;
	uint64_t units, part = 0, scale = 1000;
	struct err ignored;

	*out = 0;
	if (!*text)
		return 0;
	if (!slice_split(&rest, '.', &whole) ||
	    num_slice_u64(whole, &units, &ignored) != 0 || units > 4096)
		return -1;
	if (strchr(text, '.') && rest.len == 0)
		return -1;
	if (rest.len > 3)
		return -1;
	for (size_t i = 0; i < rest.len; i++) {
		if (!isdigit((unsigned char)rest.p[i]))
			return -1;
		part = part * 10 + (uint64_t)(rest.p[i] - '0');
		scale /= 10;
	}
	*out = (int64_t)(units * 1000 + (rest.len ? part * scale : 0));
	return *out >= 10 ? 0 : -1;
}

static int parse_port_range(struct policy *p, struct err *err)
{
	struct slice rest = slice_of(p->port_range), first;
	uint64_t lo, hi;

	if (rest.len == 0)
		return 0;
	if (!slice_split(&rest, '-', &first) ||
	    num_slice_u64(first, &lo, err) != 0 ||
	    num_slice_u64(rest, &hi, err) != 0 || lo < 1024 || hi > 65535 ||
	    lo > hi)
		return err_set(err, ERR_INVALID,
		    "\"port_range\" must be two ports from 1024 to 65535 like "
		    "41000-41999");
	p->port_first = (uint16_t)lo;
	p->port_last = (uint16_t)hi;
	return 0;
}

static bool env_pair_ok(const struct conf_pair *pair)
{
	const char *c = pair->name;

	if (!*c || isdigit((unsigned char)*c))
		return false;
	for (; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	}
	return true;
}

static void check_kind(
    struct reader *r, const struct conf_node *at, const struct profile *profile)
{
	const struct kind *kind = kind_find(profile->kind);

	if (!kind || kind->needs == KIND_NEEDS_SERVICE)
		problem(r, at,
		    "profile \"%s\": there is no kind \"%.32s\"; the kinds are "
		    "%s",
		    profile->name, profile->kind, kind_names());
	else if (kind->needs == KIND_NEEDS_NO_ROOT && r->is_root)
		problem(r, at,
		    "profile \"%s\": the kind \"%s\" runs commands as the "
		    "account that runs Carrel and does not exist when that is "
		    "root; use \"local\"",
		    profile->name, profile->kind);
	else if (kind->needs == KIND_NEEDS_FAKE && !r->p->allow_fake)
		problem(r, at,
		    "profile \"%s\": the kind \"%s\" is for tests and needs "
		    "\"allow_fake: true\"",
		    profile->name, profile->kind);
}

/* What profiles and services have in common; `what` names it. */
static void check_program(struct reader *r, const struct conf_node *at,
    const char *what, struct profile *profile)
{
	profile->limits.memory_bytes = profile->memory;
	profile->limits.pids = profile->pids;
	if (parse_cpu(profile->cpu, &profile->limits.cpu_millis) != 0)
		problem(r, at,
		    "%s: \"limits.cpu\" must be a number of "
		    "processors like 0.5 or 2",
		    what);
	if (profile->command.n == 0 || profile->command.items[0][0] != '/')
		problem(r, at,
		    "%s: \"command\" must begin with the absolute "
		    "path of a program",
		    what);
	for (size_t i = 0; i < profile->environment.n; i++) {
		if (!env_pair_ok(&profile->environment.items[i]))
			problem(r, at,
			    "%s: a name in \"environment\" is none "
			    "that a shell would take",
			    what);
	}
}

static void check_profile(
    struct reader *r, const struct conf_node *at, struct profile *profile)
{
	check_kind(r, at, profile);
	check_program(r, at,
	    arena_printf(&r->p->arena, "profile \"%s\"", profile->name),
	    profile);
}

static bool bind_part(struct reader *r, const struct conf_node *tree,
    const struct conf_option *table, size_t n, void *out)
{
	struct err err = { 0 };

	if (conf_bind(&r->p->arena, tree, r->file, table, n, out, r->problems,
		&err) == 0)
		return true;
	if (r->rc == 0 && r->err)
		*r->err = err;
	r->rc = -1;
	return false;
}

/* at NULL: the one profile of a file without "profiles". */
static void read_profile(struct reader *r, const struct conf_node *at)
{
	struct profile *profile = &r->p->profile[r->p->n_profiles++];

	if (!bind_part(r, at, profile_options, N_OF(profile_options), profile))
		return;
	profile->name = at ? at->key : "default";
	if (name_ok(profile->name))
		check_profile(r, at, profile);
	else
		problem(r, at,
		    "the name of a profile must be made of 1 to %d of A-Z a-z "
		    "0-9 . _ -",
		    NAME_MAX_LEN);
}

static void read_profiles(struct reader *r)
{
	struct policy *p = r->p;
	const struct conf_node *tree = p->profiles;
	size_t n = tree ? tree->n_children : 1;

	if (tree && (tree->kind != CONF_MAP || n == 0 || n > MAX_PROFILES)) {
		problem(r, tree,
		    "\"profiles\" must be a map of 1 to %d profiles",
		    MAX_PROFILES);
		return;
	}
	p->profile = arena_array(&p->arena, n, sizeof *p->profile);
	if (!tree)
		read_profile(r, NULL);
	for (const struct conf_node *c = tree ? tree->child : NULL; c;
	     c = c->next)
		read_profile(r, c);
}

static void read_service(
    struct reader *r, const struct conf_node *at, struct policy_service *s)
{
	struct arena *a = &r->p->arena;

	if (!bind_part(r, at, service_options, N_OF(service_options), s))
		return;
	s->name = at->key;
	s->profile.kind = "service";
	s->profile.name = arena_printf(a, POLICY_SERVICE_PREFIX "%s", s->name);
	if (!name_ok(s->name))
		problem(r, at,
		    "the name of a service must be made of 1 to %d of A-Z a-z "
		    "0-9 . _ -",
		    NAME_MAX_LEN);
	else
		check_program(r, at, arena_printf(a, "service \"%s\"", s->name),
		    &s->profile);
	if (*s->user && !policy_account_name_ok(s->user))
		problem(r, at,
		    "service \"%.64s\": \"user\" is no name that an account "
		    "can have",
		    s->name);
	if (s->cwd[0] != '/')
		problem(r, at,
		    "service \"%.64s\": \"cwd\" must be an absolute path",
		    s->name);
}

static void read_services(struct reader *r)
{
	struct policy *p = r->p;
	const struct conf_node *tree = p->services;

	if (!tree)
		return;
	if (tree->kind != CONF_MAP || tree->n_children > MAX_SERVICES) {
		problem(r, tree,
		    "\"services\" must be a map of at most %d services",
		    MAX_SERVICES);
		return;
	}
	p->service =
	    arena_array(&p->arena, tree->n_children, sizeof *p->service);
	for (const struct conf_node *c = tree->child; c; c = c->next)
		read_service(r, c, &p->service[p->n_services++]);
}

static void check_command(struct reader *r, const struct conf_node *tree,
    const char *option, const struct conf_strings *command)
{
	size_t n_places = 0;

	for (size_t i = 1; i < command->n; i++)
		n_places += strstr(command->items[i], "{account}") != NULL;
	if (command->n == 0 || (command->items[0][0] == '/' && n_places == 1))
		return;
	problem(r, tree ? conf_child(tree, option) : NULL,
	    "\"%s\" must begin with the absolute path of a program and have "
	    "{account} in one of its arguments",
	    option);
}

int policy_parse(struct policy *p, const char *text, size_t len,
    const char *file, bool is_root, struct buf *problems, struct err *err)
{
	struct reader r = {
		.p = p,
		.file = file,
		.is_root = is_root,
		.problems = problems,
		.err = err,
	};
	struct conf_node *tree = NULL;
	struct err range = { 0 };

	*p = (struct policy){ 0 };
	arena_init(&p->arena);
	if (text && conf_parse(&p->arena, text, len, file, &tree, err) != 0) {
		if (problems && err)
			buf_printf(problems, "%s\n", err->text);
		return -1;
	}
	bind_part(&r, tree, policy_options, N_OF(policy_options), p);
	if (r.rc != 0)
		return -1;
	if (parse_port_range(p, &range) != 0)
		problem(&r, tree ? conf_child(tree, "port_range") : NULL, "%s",
		    range.text);
	check_command(&r, tree, "create_account", &p->create_account);
	check_command(&r, tree, "remove_account", &p->remove_account);
	read_profiles(&r);
	read_services(&r);
	return r.rc;
}

void policy_fini(struct policy *p)
{
	arena_fini(&p->arena);
	*p = (struct policy){ 0 };
}

const struct profile *policy_profile(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_profiles; i++) {
		if (str_eq(p->profile[i].name, name))
			return &p->profile[i];
	}
	return NULL;
}

const struct policy_service *policy_service(
    const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_services; i++) {
		if (str_eq(p->service[i].name, name))
			return &p->service[i];
	}
	return NULL;
}

int policy_check_uid(
    int64_t min_uid, const char *account, uid_t uid, struct err *err)
{
	if (uid == 0)
		return err_set(err, ERR_DENIED,
		    "account %.64s has uid 0; no server runs as root", account);
	if (uid == POLICY_UID_NOBODY || uid == (uid_t)-1)
		return err_set(err, ERR_DENIED,
		    "account %.64s is nobody (uid %" PRIu32 ")", account,
		    (uint32_t)uid);
	if ((int64_t)uid < min_uid)
		return err_set(err, ERR_DENIED,
		    "account %.64s has uid %" PRIu32
		    ", a system account: min_uid in spawner.yaml is %" PRId64,
		    account, (uint32_t)uid, min_uid);
	return 0;
}

int64_t policy_keep_login_s(const struct policy *p)
{
	int64_t longest = 0;

	for (size_t i = 0; i < p->n_profiles; i++) {
		if (p->profile[i].keep_login_handle_s > longest)
			longest = p->profile[i].keep_login_handle_s;
	}
	return longest;
}

bool policy_wants_new_privs(const struct policy *p)
{
	for (size_t i = 0; i < p->n_profiles; i++) {
		if (!p->profile[i].no_new_privs)
			return true;
	}
	for (size_t i = 0; i < p->n_services; i++) {
		if (!p->service[i].profile.no_new_privs)
			return true;
	}
	return false;
}

bool policy_account_name_ok(const char *name)
{
	size_t len = strlen(name);

	/* No path, no option, no field of passwd(5), nothing unprintable. */
	if (len == 0 || len > 256 || name[0] == '-' || name[0] == '.')
		return false;
	return !str_has_control(name, len) && !strpbrk(name, ":/ \"'\\") &&
	       utf8_valid(name, len);
}

bool policy_env_name_ok(const char *name)
{
	static const char *const plain[] = { "JPY_API_TOKEN", "MEM_LIMIT",
		"MEM_GUARANTEE", "CPU_LIMIT", "CPU_GUARANTEE" };

	for (size_t i = 0; i < N_OF(plain); i++) {
		if (str_eq(name, plain[i]))
			return true;
	}
	if (!str_starts(name, "JUPYTERHUB_") ||
	    str_eq(name, "JUPYTERHUB_SERVICE_URL"))
		return false;
	for (const char *c = name; *c; c++) {
		if (!isupper((unsigned char)*c) &&
		    !isdigit((unsigned char)*c) && *c != '_')
			return false;
	}
	return strlen(name) <= 128;
}
