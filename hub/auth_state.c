/*
 * See auth_state.h.
 */
#include "hub/auth_state.h"

#include <stdlib.h>
#include <string.h>

#include "auth/claims.h"
#include "auth/sealer.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/app.h"

#define CONTEXT_MAX 48
#define FILE_NAME   "auth_state.keys"

const struct sealer *auth_state_sealer(void *arg, struct err *err)
{
	struct app *app = arg;
	const char *path = app->cfg.auth_state_keys;
	char *own = NULL;

	if (app->sealer)
		return app->sealer;
	if (!*path)
		path = own =
		    xasprintf("%s/%s", app->places.keys_dir, FILE_NAME);
	app->sealer = sealer_open(path, own != NULL, err);
	free(own);
	if (!app->sealer)
		(void)err_wrap(err, "auth.auth_state_keys");
	return app->sealer;
}

int auth_state_open(struct app *app, struct err *err)
{
	if (!app->cfg.enable_auth_state)
		return 0;
	return auth_state_sealer(app, err) ? 0 : err_wrap(err, "auth_state");
}

/* Others seal by it, too. */
static bool is_kept(const struct app *app)
{
	return app->cfg.enable_auth_state && app->sealer;
}

/* What is sealed for one person opens for nobody else. */
static void context_of(int64_t user_id, char out[CONTEXT_MAX])
{
	int rc =
	    str_format(out, CONTEXT_MAX, "auth_state %lld", (long long)user_id);

	if (rc != 0)
		abort();
}

const char *auth_state_seal(
    struct app *app, struct arena *a, int64_t user_id, const json_t *state)
{
	char context[CONTEXT_MAX];
	const char *sealed;
	size_t len;
	char *text;

	if (!is_kept(app) || !state)
		return NULL;
	context_of(user_id, context);
	text = json_text(state, &len);
	sealed = sealer_seal(app->sealer, a, context, text);
	mem_wipe(text, len);
	free(text);
	return sealed;
}

json_t *auth_state_unseal(
    struct app *app, int64_t user_id, const struct login_state *row)
{
	char context[CONTEXT_MAX];
	const char *text;
	struct err err = { 0 };
	struct arena a;
	json_t *out = NULL;

	if (!is_kept(app) || !row->sealed)
		return NULL;
	context_of(user_id, context);
	arena_init(&a);
	if (sealer_unseal(app->sealer, &a, context, row->sealed, &text, &err) !=
		0 ||
	    json_parse(text, strlen(text), &out, &err) != 0)
		log_warn(NULL, "an auth_state cannot be read",
		    "user_id=%lld why=\"%s\" hint=\"it comes anew at the next "
		    "login\"",
		    (long long)user_id, err.text);
	arena_fini(&a);
	return out;
}

int auth_state_get(
    struct app *app, int64_t user_id, json_t **out, struct err *err)
{
	struct login_state row;
	struct arena a;
	int found;

	*out = NULL;
	if (!is_kept(app))
		return 0;
	arena_init(&a);
	found = login_state_find(app->db, &a, user_id, &row, err);
	if (found == 1)
		*out = auth_state_unseal(app, user_id, &row);
	arena_fini(&a);
	return found < 0 ? -1 : 0;
}

static void set_env(json_t *env, const char *name, const json_t *value)
{
	if (json_is_string(value)) {
		json_object_set(env, name, (json_t *)(uintptr_t)value);
	} else if (value && !json_is_null(value)) {
		size_t len;
		char *text = json_text(value, &len);

		json_object_set_new(env, name, json_string(text));
		mem_wipe(text, len);
		free(text);
	}
}

int auth_state_environment(
    struct app *app, int64_t user_id, json_t *env, struct err *err)
{
	const struct conf_pairs *wanted = &app->cfg.state_environment;
	json_t *state = NULL;

	if (wanted->n == 0)
		return 0;
	if (auth_state_get(app, user_id, &state, err) != 0)
		return -1;
	for (size_t i = 0; i < wanted->n; i++)
		set_env(env, wanted->items[i].name,
		    claims_find(state, wanted->items[i].value));
	json_decref(state);
	return 0;
}
