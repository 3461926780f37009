/*
 * An authenticator that does what its password says. Included by web_fixture.c.
 */
/* ---- an authenticator on strings --------------------------------------------
 */

struct script {
	struct authenticator base;
	const struct auth_sink *sink;
	size_t n_begun, n_cancelled;
	char answer[64]; /* to the last prompt */
	char username[64];
	struct defer later;
	uint64_t id;
	char password[64];
};

static struct script *script;

static void script_done(
    struct script *sc, enum auth_result res, const char *text)
{
	static const char *const groups[] = { "staff", "pupils" };
	const struct auth_identity id = {
		.name = sc->username,
		.groups = groups,
		.n_groups = 2,
		.has_new_secret = str_eq(sc->password, "new"),
	};

	sc->sink->done(
	    sc->id, res, res == AUTH_RES_OK ? &id : NULL, text, sc->sink->arg);
}

/* "right", "new" (changed on the way in), "otp", "twice", "expired", "away",
 * "hang"; else wrong. */
static void script_step(void *arg)
{
	struct script *sc = arg;

	if (str_eq(sc->password, "right") || str_eq(sc->password, "new"))
		script_done(sc, AUTH_RES_OK, NULL);
	else if (str_eq(sc->password, "otp") || str_eq(sc->password, "twice"))
		sc->sink->prompt(
		    sc->id, "<Code> from your phone", false, sc->sink->arg);
	else if (str_eq(sc->password, "expired"))
		script_done(sc, AUTH_RES_EXPIRED,
		    "Your password has expired. Log in by ssh to change it.");
	else if (str_eq(sc->password, "away"))
		script_done(sc, AUTH_RES_UNAVAILABLE, "no spawner");
	else if (!str_eq(sc->password, "hang"))
		script_done(sc, AUTH_RES_DENIED, NULL);
}

static const struct authenticator_kind script_kind;

static struct authenticator *script_open(
    const struct auth_env *env, struct err *err)
{
	(void)err;
	script = xcalloc(1, sizeof *script);
	script->base.kind = &script_kind;
	script->sink = env->sink;
	return &script->base;
}

static void script_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	(void)au;
	script->n_begun++;
	script->id = attempt;
	snprintf(
	    script->username, sizeof script->username, "%s", form->username);
	snprintf(
	    script->password, sizeof script->password, "%s", form->password);
	defer_call(app.loop, &script->later, script_step, script);
}

static void script_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	const char *then = str_eq(text, "123456") ? "right" : "wrong";

	(void)au;
	script->id = attempt;
	snprintf(script->answer, sizeof script->answer, "%s", text);
	if (str_eq(script->password, "twice"))
		then = "otp";
	snprintf(script->password, sizeof script->password, "%s", then);
	defer_call(app.loop, &script->later, script_step, script);
}

static void script_cancel(struct authenticator *au, uint64_t attempt)
{
	(void)au;
	(void)attempt;
	script->n_cancelled++;
	defer_cancel(&script->later);
}

static void script_close(struct authenticator **au)
{
	defer_cancel(&script->later);
	free(script);
	*au = NULL;
}

static const struct authenticator_kind script_kind = {
	.name = "script",
	.has_form = true,
	.open = script_open,
	.begin = script_begin,
	.reply = script_reply,
	.cancel = script_cancel,
	.close = script_close,
};
