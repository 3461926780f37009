/*
 * The start of a server: one transaction that says what should be, and START to
 * the spawner once it is on disk (contract/hub.md 4.1 steps 2 to 6).
 */
#include <stdlib.h>

#include "auth/account_name.h"
#include "auth/scope.h"
#include "base/clock.h"
#include "base/rand.h"
#include "db/oauth.h"
#include "db/role.h"
#include "db/visitor.h"
#include "hub/app.h"
#include "hub/auth_state.h"
#include "hub/internal_tls.h"
#include "hub/server_env.h"
#include "hub/server_profile.h"
#include "hub/server_turn.h"
#include "spawner/client.h"

#define OPTIONS_MAX 32768

static struct server_env env_of(const struct server *s)
{
	return (struct server_env){
		.cfg = &s->app->cfg,
		.user = s->user,
		.name = s->name,
		.path = s->path,
	};
}

/* The role `server` of the configuration, if there is one: with what servers
 * cannot do without (contract/hub.md 4.1). Self forms are resolved at each use.
 */
static int token_scopes(const struct server *s, struct arena *a,
    const struct server_env *e, const char **out, struct err *err)
{
	struct role role;
	struct scope_set set;
	int found =
	    role_find(s->app->db, a, role_name(ROLE_SERVER), &role, err);

	*out = server_env_token_scopes(a, e);
	if (found <= 0)
		return found;
	scope_set_init(&set, a);
	if (scope_set_add_stored(&set, role.scopes, err) != 0 ||
	    scope_set_add(&set, "users:activity!user", err) != 0)
		return -1;
	json_t *list = scope_set_json(&set);
	char *text = json_text(list, NULL);
	*out = arena_strdup(a, text);
	free(text);
	json_decref(list);
	return 0;
}

/* Its own token; the text stays with the object until START is sent. */
static int save_token(struct server *s, struct arena *a, struct err *err)
{
	const struct server_env e = env_of(s);
	struct token t = {
		.user_id = s->user_id,
		.client_id = "jupyterhub",
		.note = server_env_note(a, &e),
		.server_id = s->id,
		.created_us = s->started_us,
	};
	int64_t id;

	if (token_scopes(s, a, &e, &t.scopes, err) != 0 ||
	    token_delete_server(s->app->db, s->id, err) != 0)
		return -1;
	return token_create(s->app->db, &t, s->token, &id, err);
}

static int save_client(struct server *s, struct arena *a, struct err *err)
{
	const struct server_env e = env_of(s);
	const struct oauth_client c = {
		.id = server_env_client_id(a, &e),
		.redirect_uri = server_env_callback(a, &e),
		.description = server_env_note(a, &e),
		.allowed_scopes = server_env_client_scopes(a, &e),
		.server_id = s->id,
	};

	return oauth_client_put(s->app->db, &c, s->token, err);
}

/* Those of the last time, unless there are new ones. */
static int take_options(struct server *s, struct arena *a,
    const struct server_start_args *args, const char **text, struct err *err)
{
	struct server_row row;
	char *dumped;
	size_t len;
	int found;

	json_decref(s->options);
	s->options = NULL;
	*text = NULL;
	if (args->options) {
		s->options = json_deep_copy(args->options);
		dumped = json_text(s->options, &len);
		*text = arena_strdup(a, dumped);
		free(dumped);
		if (len <= OPTIONS_MAX)
			return 0;
		return err_set(err, ERR_INVALID,
		    "the options have %zu bytes; at most %d are kept", len,
		    OPTIONS_MAX);
	}
	found = server_row_find(s->app->db, a, s->user_id, s->name, &row, err);
	if (found < 0 || !found || !row.options)
		return found < 0 ? -1 : 0;
	return json_parse(
	    row.options, slice_of(row.options).len, &s->options, err);
}

static int take_profile(
    struct server *s, const struct server_start_args *args, struct err *err)
{
	const char *profile = args->profile;

	if (!profile &&
	    server_profile_pick(&s->app->cfg, s->options, &profile, err) != 0)
		return -1;
	server_object_set_text(&s->profile, profile);
	return 0;
}

static int save_rows(struct server *s, struct arena *a,
    const struct server_start_args *args, struct err *err)
{
	const char *options;

	if (take_options(s, a, args, &options, err) != 0 ||
	    take_profile(s, args, err) != 0 ||
	    server_row_start(s->app->db, s->id, s->key, s->profile, s->account,
		options, s->started_us, err) != 0 ||
	    save_token(s, a, err) != 0 || save_client(s, a, err) != 0)
		return -1;
	return user_touch(s->app->db, s->user_id, s->started_us, err);
}

static void set_account(struct server *s)
{
	char escaped[ACCOUNT_NAME_MAX + 1];
	bool is_same = str_eq(s->app->cfg.account_names, "same");

	if (!is_same)
		account_name_escape(s->user, escaped);
	server_object_set_text(&s->account, is_same ? s->user : escaped);
}

int server_start_save(
    struct server *s, const struct server_start_args *args, struct err *err)
{
	char key[SPAWNER_KEY_LEN + 1];
	struct arena a;
	int rc;

	set_account(s);
	rand_hex(key, SPAWNER_KEY_LEN);
	server_object_set_key(s, key);
	s->started_us = s->activity_us = clock_wall_us();
	arena_init(&a);
	rc = db_begin(s->app->db, err);
	if (rc == 0 && save_rows(s, &a, args, err) != 0) {
		db_rollback(s->app->db);
		rc = -1;
	} else if (rc == 0) {
		rc = db_commit(s->app->db, err);
	}
	arena_fini(&a);
	return rc;
}

int server_start_rename(struct server *s, struct err *err)
{
	char key[SPAWNER_KEY_LEN + 1];

	rand_hex(key, SPAWNER_KEY_LEN);
	server_object_set_key(s, key);
	return server_row_start(s->app->db, s->id, s->key, s->profile,
	    s->account, NULL, s->started_us, err);
}

int server_start_send(struct server *s, struct err *err)
{
	const struct server_env e = env_of(s);
	struct spawner_start start = {
		.key = s->key,
		.account = s->account,
		.profile = s->profile,
		.options = s->options,
		.create = s->app->cfg.create_system_users,
	};
	json_t *env, *tls = NULL;
	struct arena a;
	int rc = visitor_is(s->app->db, s->user_id, err);

	if (rc < 0)
		return -1;
	start.visit = rc > 0;
	arena_init(&a);
	env = server_env_build(&a, &e, s->token);
	start.env = env;
	rc = auth_state_environment(s->app, s->user_id, env, err);
	if (rc == 0)
		rc = internal_tls_issue(s->app, s->key, &tls, err);
	start.tls = tls;
	if (rc == 0)
		rc = spawner_start(s->app->spawner, &start, err);
	json_decref(tls);
	json_decref(env);
	arena_fini(&a);
	return rc;
}
