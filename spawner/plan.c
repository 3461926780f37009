/*
 * See plan.h.
 */
#include "spawner/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

static size_t env_find(const struct plan *plan, const char *name, size_t len)
{
	size_t i = 0;

	while (i < plan->n_env && (strncmp(plan->env[i], name, len) != 0 ||
				      plan->env[i][len] != '='))
		i++;
	return i;
}

const char *plan_env(const struct plan *plan, const char *name)
{
	size_t i = env_find(plan, name, strlen(name));

	return i < plan->n_env ? plan->env[i] + strlen(name) + 1 : NULL;
}

/* Room for one more and the NULL at the end. */
static void env_append(struct plan *plan, const char *pair)
{
	if (plan->n_env + 2 > plan->cap_env) {
		size_t cap = plan->cap_env ? plan->cap_env * 2 : 64;
		const char **more = arena_array(plan->arena, cap, sizeof *more);

		for (size_t i = 0; i < plan->n_env; i++)
			more[i] = plan->env[i];
		plan->env = more;
		plan->cap_env = cap;
	}
	plan->env[plan->n_env++] = pair;
	plan->env[plan->n_env] = NULL;
}

void plan_env_set(struct plan *plan, const char *name, const char *value)
{
	size_t i = env_find(plan, name, strlen(name));
	const char *pair = arena_printf(plan->arena, "%s=%s", name, value);

	if (i < plan->n_env)
		plan->env[i] = pair;
	else
		env_append(plan, pair);
}

static void env_set_pairs(struct plan *plan, const struct conf_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		plan_env_set(plan, pairs->items[i].name, pairs->items[i].value);
}

/* What the limits are, told in the names that extensions read. */
static void env_set_limits(struct plan *plan)
{
	if (plan->limits.memory_bytes > 0)
		plan_env_set(plan, "MEM_LIMIT",
		    arena_printf(
			plan->arena, "%" PRId64, plan->limits.memory_bytes));
	if (plan->limits.cpu_millis > 0)
		plan_env_set(plan, "CPU_LIMIT",
		    arena_printf(plan->arena, "%" PRId64 ".%03" PRId64,
			plan->limits.cpu_millis / 1000,
			plan->limits.cpu_millis % 1000));
}

static void env_set_account(struct plan *plan, const struct account *account)
{
	plan_env_set(plan, "HOME", account->home);
	plan_env_set(plan, "USER", account->name);
	plan_env_set(plan, "LOGNAME", account->name);
	plan_env_set(plan, "SHELL", account->shell);
}

/* Where it shall listen. Services add their prefix themselves, and some do not
 * listen at all. */
static void env_set_url(struct plan *plan, struct job *job)
{
	const char *prefix = plan_env(plan, "JUPYTERHUB_SERVICE_PREFIX");
	const char *address = job_address(job);
	const char *scheme = strstr(address, "://") ? "" : "http://";

	if (job->cwd)
		prefix = "";
	if (job->port)
		plan_env_set(plan, "JUPYTERHUB_SERVICE_URL",
		    arena_printf(plan->arena, "%s%s%s", scheme, address,
			prefix ? prefix : "/"));
}

void plan_common(
    struct plan *plan, struct job *job, const struct account *account)
{
	const char **argv =
	    arena_array(&job->arena, job->command.n + 1, sizeof *argv);

	for (size_t i = 0; i < job->command.n; i++)
		argv[i] = job->command.items[i];
	*plan = (struct plan){
		.argv = argv,
		.home = account->home,
		.cwd = job->cwd,
		.user = account->name,
		.uid = account->uid,
		.gid = account->gid,
		.no_new_privs = job->no_new_privs,
		.limits = job->limits,
		.arena = &job->arena,
	};
	env_set_pairs(plan, &job->hub_env);
	env_set_limits(plan);
	env_set_pairs(plan, &job->environment);
	env_set_account(plan, account);
	env_set_url(plan, job);
}

void plan_add_pam_env(struct plan *plan, char *const *pam_env)
{
	for (; pam_env && *pam_env; pam_env++) {
		const char *end = strchr(*pam_env, '=');

		if (!end || end == *pam_env)
			continue;
		if (env_find(plan, *pam_env, (size_t)(end - *pam_env)) <
		    plan->n_env)
			continue;
		env_append(plan, arena_strdup(plan->arena, *pam_env));
	}
}
