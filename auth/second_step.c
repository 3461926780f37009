/*
 * See second_step.h.
 */
#include "auth/second_step.h"

#include <stdlib.h>

#include "auth/sealer.h"
#include "auth/totp.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "db/session.h"
#include "db/totp.h"

#define CONTEXT_MAX 48
#define US_PER_S    1000000

struct second_step {
	enum second_step_mode mode;
	struct db *db;
	const struct sealer *sealer;
	char *issuer; /* what an app calls us */
};

struct second_step *second_step_open(
    enum second_step_mode mode, const struct auth_env *env, struct err *err)
{
	const struct sealer *sealer = env->sealer(env->sealer_arg, err);
	struct second_step *s;

	if (!sealer)
		return NULL;
	s = xcalloc(1, sizeof *s);
	s->mode = mode;
	s->db = env->db;
	s->sealer = sealer;
	s->issuer = xstrdup(env->public_name ? env->public_name : "Carrel");
	return s;
}

void second_step_close(struct second_step **s)
{
	if (*s)
		free((*s)->issuer);
	free(*s);
	*s = NULL;
}

bool second_step_is_required(const struct second_step *s)
{
	return s->mode == SECOND_STEP_REQUIRED;
}

/* What is sealed for one person opens for nobody else. */
static void context_of(int64_t user_id, char out[CONTEXT_MAX])
{
	if (str_format(out, CONTEXT_MAX, "totp %lld", (long long)user_id) != 0)
		abort();
}

static int has_row(
    const struct second_step *s, int64_t user_id, bool *out, struct err *err)
{
	struct totp_row row;
	struct arena a;
	int rc;

	arena_init(&a);
	rc = totp_find(s->db, &a, user_id, &row, err);
	*out = rc == 1 && row.is_confirmed;
	arena_fini(&a);
	return rc < 0 ? -1 : 0;
}

int second_step_has(
    const struct second_step *s, int64_t user_id, struct err *err)
{
	bool has;

	return has_row(s, user_id, &has, err) != 0 ? -1 : has;
}

int second_step_offer(const struct second_step *s, struct arena *a,
    int64_t user_id, const char *name, struct second_step_offer *out,
    struct err *err)
{
	char secret[TOTP_SECRET_LEN + 1], context[CONTEXT_MAX];
	int rc;

	totp_secret_new(secret);
	context_of(user_id, context);
	rc = totp_begin(s->db, user_id,
	    sealer_seal(s->sealer, a, context, secret), clock_wall_us(), err);
	if (rc == 0) {
		out->key = totp_spaced(a, secret);
		out->uri = totp_uri(a, secret, s->issuer, name);
	}
	mem_wipe(secret, sizeof secret);
	return rc;
}

/* Is it a code of the secret of that row? 1 with the code's step, 0, -1. */
static int weigh(const struct second_step *s, struct arena *a, int64_t user_id,
    const struct totp_row *row, const char *code, int64_t *step_out,
    struct err *err)
{
	char context[CONTEXT_MAX];
	const char *secret;

	context_of(user_id, context);
	if (sealer_unseal(s->sealer, a, context, row->sealed, &secret, err) !=
	    0) {
		/* The caller's own NOT_FOUND means that there is none. */
		struct err why = *err;

		return err_set(err, ERR_INTERNAL,
		    "the second step of user %lld cannot be opened: %s; put "
		    "the key back, or reset the second step",
		    (long long)user_id, why.text);
	}
	return totp_check(secret, code, clock_wall_us() / US_PER_S,
	    row->last_step, step_out, err);
}

typedef int take_fn(
    struct db *db, int64_t user_id, int64_t step, struct err *err);

static int take(const struct second_step *s, int64_t user_id, bool is_confirmed,
    const char *code, take_fn *fn, struct err *err)
{
	struct totp_row row;
	struct arena a;
	int64_t step = 0;
	int rc;

	arena_init(&a);
	rc = totp_find(s->db, &a, user_id, &row, err);
	if (rc == 0 || (rc == 1 && row.is_confirmed != is_confirmed))
		rc = err_set(err, ERR_NOT_FOUND, "there is no second step");
	else if (rc == 1)
		rc = weigh(s, &a, user_id, &row, code, &step, err);
	if (rc == 1)
		rc = fn(s->db, user_id, step, err);
	arena_fini(&a);
	return rc;
}

int second_step_confirm(const struct second_step *s, int64_t user_id,
    const char *code, struct err *err)
{
	return take(s, user_id, false, code, totp_confirm, err);
}

int second_step_check(const struct second_step *s, int64_t user_id,
    const char *code, struct err *err)
{
	return take(s, user_id, true, code, totp_use, err);
}

int second_step_forget(
    const struct second_step *s, int64_t user_id, struct err *err)
{
	int had = -1;

	if (db_begin(s->db, err) < 0)
		return -1;
	had = totp_forget(s->db, user_id, err);
	if (had >= 0 && session_end_all(s->db, user_id, err) == 0)
		return db_commit(s->db, err) < 0 ? -1 : had;
	db_rollback(s->db);
	return -1;
}
