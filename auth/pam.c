/*
 * See pam.h. What PAM asks first is answered with what the form brought; each
 * further question becomes a form step.
 *
 * An attempt lives here from begin to its end or its cancel. Whatever ends it
 * from inside a call (begin, reply, the loss of the spawner) is told when the
 * turn of the loop ends; what the spawner says is told at once.
 */
#include "auth/pam.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "spawner/client.h"

/* The hub's own bound (auth.max_logins) is lower or the same. */
#define ATTEMPTS_MAX 10000

#define TEXT_SPAWNER_AWAY                                                      \
	"The spawner, which asks PAM, cannot be reached. Try again in a few "  \
	"seconds; if it stays so, the administrator finds the reason in its "  \
	"log."
#define TEXT_LIMIT "Too many logins are under way. Try again in a few seconds."

struct pam {
	struct authenticator base;
	struct loop *loop;
	struct spawner_client *spawner;
	const struct auth_sink *sink;
	struct list attempts;
	size_t n; /* under way: not those that only wait to be told */
};

struct pam_attempt {
	struct list link;
	struct pam *owner;
	uint64_t id;
	char *username; /* in lower case */
	char *password; /* until PAM asks for it, then NULL */
	bool is_named;  /* a question for the name was answered */
	bool is_asking; /* a form step waits for the person */
	bool is_over;   /* `ending` will tell this: */
	enum auth_result res;
	const char *text;
	struct defer ending;
};

/* NULL: of another kind. */
static struct pam *pam_of(struct authenticator *au)
{
	if (!au || au->kind != &authenticator_pam)
		return NULL;
	return (struct pam *)(void *)au;
}

/* ---- one attempt --------------------------------------------------------- */

/* One that is under way; NULL: unknown, or over. */
static struct pam_attempt *find_running(const struct pam *p, uint64_t id)
{
	list_for_each (it, &p->attempts) {
		struct pam_attempt *at =
		    LIST_ITEM(it, struct pam_attempt, link);

		if (at->id == id && !at->is_over)
			return at;
	}
	return NULL;
}

static void forget_password(struct pam_attempt *at)
{
	if (at->password) {
		mem_wipe(at->password, strlen(at->password));
		free(at->password);
	}
	at->password = NULL;
}

static void attempt_free(struct pam_attempt *at)
{
	if (!at->is_over)
		at->owner->n--;
	defer_cancel(&at->ending);
	list_del(&at->link);
	forget_password(at);
	free(at->username);
	free(at);
}

/* The attempt is gone before the sink is called, which may do anything. */
static void tell(struct pam_attempt *at, enum auth_result res,
    const struct auth_identity *identity, const char *text)
{
	const struct auth_sink *sink = at->owner->sink;
	uint64_t id = at->id;

	attempt_free(at);
	sink->done(id, res, identity, text, sink->arg);
}

static void on_ending(void *arg)
{
	struct pam_attempt *at = arg;

	tell(at, at->res, NULL, at->text);
}

/* `text` is a constant. */
static void end_later(
    struct pam_attempt *at, enum auth_result res, const char *text)
{
	at->is_over = true;
	at->owner->n--;
	at->res = res;
	at->text = text;
	forget_password(at);
	defer_call(at->owner->loop, &at->ending, on_ending, at);
}

/* The spawner's child would end by its own deadline: this is sooner. */
static void cancel_in_spawner(const struct pam_attempt *at)
{
	struct err err = { 0 };

	if (spawner_is_up(at->owner->spawner) &&
	    spawner_auth_cancel(at->owner->spawner, at->id, &err) < 0)
		log_warn(NULL, "login could not be cancelled", "why=\"%s\"",
		    err.text);
}

/* ---- answers to PAM ------------------------------------------------------ */

/*
 * An answer that the wire cannot carry (over 511 bytes, PAM's own limit, or
 * not UTF-8) cannot be right.
 */
static void send_answer(struct pam_attempt *at, const char *answer)
{
	struct err err = { 0 };

	if (spawner_auth_reply(at->owner->spawner, at->id, answer, &err) == 0)
		return;
	cancel_in_spawner(at);
	if (err.code == ERR_INVALID) {
		end_later(at, AUTH_RES_DENIED, "");
		return;
	}
	log_warn(NULL, "answer to PAM not sent", "why=\"%s\"", err.text);
	end_later(at, AUTH_RES_UNAVAILABLE, TEXT_SPAWNER_AWAY);
}

/* "login:", "Username: ", "host login: " */
static bool asks_for_name(const char *text)
{
	static const char *const words[] = { "login", "username", "user name",
		"user", "name" };
	struct slice s = slice_trim(slice_of(text));

	if (s.len > 0 && s.p[s.len - 1] == ':')
		s = slice_trim(slice_make(s.p, s.len - 1));
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (slice_ieq(s, words[i]))
			return true;
	}
	return s.len > 6 && slice_ieq(slice_make(s.p + s.len - 6, 6), " login");
}

void auth_pam_prompt(
    struct authenticator *au, uint64_t id, const char *text, bool echo)
{
	struct pam *p = pam_of(au);
	struct pam_attempt *at = p ? find_running(p, id) : NULL;

	if (!at)
		return;
	if (!echo && at->password) {
		send_answer(at, at->password);
		forget_password(at);
	} else if (echo && !at->is_named && asks_for_name(text)) {
		at->is_named = true;
		send_answer(at, at->username);
	} else {
		at->is_asking = true;
		p->sink->prompt(id, text, echo, p->sink->arg);
	}
}

static void pam_reply(
    struct authenticator *au, uint64_t attempt, const char *text)
{
	struct pam_attempt *at = find_running(pam_of(au), attempt);

	if (!at || !at->is_asking)
		return;
	at->is_asking = false;
	send_answer(at, text);
}

/* ---- how it ended -------------------------------------------------------- */

static const struct {
	enum auth_result res;
	const char *text; /* when PAM said nothing */
} outcomes[] = {
	[AUTH_SUCCESS] = { AUTH_RES_OK, "" },
	[AUTH_DENIED] = { AUTH_RES_DENIED, "" },
	[AUTH_EXPIRED] = { AUTH_RES_EXPIRED,
	    "Your account has expired. Ask the administrator of this machine "
	    "to prolong it." },
	[AUTH_PASSWORD_EXPIRED] = { AUTH_RES_EXPIRED,
	    "Your password must be changed before you can log in. Change it "
	    "with passwd on a terminal of this machine (for instance by ssh), "
	    "then log in here with the new one." },
	[AUTH_UNAVAILABLE] = { AUTH_RES_UNAVAILABLE,
	    "PAM could not decide. The administrator finds the reason in the "
	    "spawner's log." },
	[AUTH_TIMEOUT] = { AUTH_RES_TIMEOUT,
	    "The login took too long. Please log in again." },
	[AUTH_LIMIT] = { AUTH_RES_LIMIT, TEXT_LIMIT },
	[AUTH_CANCELLED] = { AUTH_RES_UNAVAILABLE,
	    "The login was broken off. Please log in again." },
};

static bool has_capital(const char *s)
{
	for (; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			return true;
	}
	return false;
}

/*
 * The name that PAM ended with: a module may have changed it. Names are lower
 * case in Carrel, so an account in capitals would be taken for the one in small
 * letters: believed only if it is the one that was asked about (directories
 * that do not tell case apart spell it their own way). NULL: not believed.
 */
static const char *name_of(
    const struct pam_attempt *at, const struct spawner_auth_end *end)
{
	if (!end->account || !end->account[0])
		return NULL;
	if (!has_capital(end->account))
		return end->account;
	return slice_ieq(slice_of(end->account), at->username) ? at->username
							       : NULL;
}

static void succeed(struct pam_attempt *at, const struct spawner_auth_end *end)
{
	const struct auth_sink *sink = at->owner->sink;
	const char *found = name_of(at, end);
	char *name;

	if (!found) {
		log_error(NULL, "login as an account that cannot be used",
		    "account=\"%.64s\" asked=\"%.64s\" hint=\"a PAM module "
		    "changed the name into one with capitals, or into none\"",
		    end->account ? end->account : "", at->username);
		tell(at, AUTH_RES_UNAVAILABLE, NULL,
		    "PAM gave this account a name that cannot be used here. "
		    "Tell the administrator of this machine.");
		return;
	}
	name = xstrdup(found);
	const struct auth_identity identity = {
		.name = name,
		.account = end->account,
		.groups = end->groups,
		.n_groups = end->n_groups,
		.has_new_secret = end->is_changed,
	};
	uint64_t id = at->id;
	attempt_free(at);
	sink->done(
	    id, AUTH_RES_OK, &identity, end->text ? end->text : "", sink->arg);
	free(name);
}

void auth_pam_end(struct authenticator *au, const struct spawner_auth_end *end)
{
	struct pam *p = pam_of(au);
	struct pam_attempt *at = p ? find_running(p, end->id) : NULL;
	const char *text = end->text;

	if (!at)
		return;
	if (end->code == AUTH_SUCCESS) {
		succeed(at, end);
		return;
	}
	/* A refusal says the same to all, whatever the modules said. */
	if (!text || !text[0] || end->code == AUTH_DENIED)
		text = outcomes[end->code].text;
	tell(at, outcomes[end->code].res, NULL, text);
}

void auth_pam_down(struct authenticator *au)
{
	struct pam *p = pam_of(au);

	if (!p)
		return;
	list_for_each (it, &p->attempts) {
		struct pam_attempt *at =
		    LIST_ITEM(it, struct pam_attempt, link);

		if (!at->is_over)
			end_later(at, AUTH_RES_UNAVAILABLE, TEXT_SPAWNER_AWAY);
	}
}

/* ---- the plug ------------------------------------------------------------ */

static struct pam_attempt *attempt_new(
    struct pam *p, uint64_t id, const struct auth_form *form)
{
	struct pam_attempt *at = xcalloc(1, sizeof *at);

	at->owner = p;
	at->id = id;
	/* Before PAM sees it: else Bob's password would open what is bob's. */
	at->username = xstrdup(form->username ? form->username : "");
	str_lower_ascii(at->username);
	at->password = xstrdup(form->password ? form->password : "");
	list_add_tail(&p->attempts, &at->link);
	p->n++;
	return at;
}

static void pam_begin(
    struct authenticator *au, uint64_t attempt, const struct auth_form *form)
{
	struct pam *p = pam_of(au);
	struct pam_attempt *at;
	struct err err = { 0 };
	bool is_full;

	assert(p && attempt > 0 && !find_running(p, attempt));
	is_full = p->n >= ATTEMPTS_MAX;
	at = attempt_new(p, attempt, form);
	if (is_full) {
		end_later(at, AUTH_RES_LIMIT, TEXT_LIMIT);
		return;
	}
	/* pam_unix lets accounts without a password in (nullok): that is for
	 * the machine's own screen, not for whoever reaches this page. */
	if (!at->username[0] || !at->password[0] ||
	    !utf8_valid(at->username, strlen(at->username))) {
		end_later(at, AUTH_RES_DENIED, "");
		return;
	}
	if (spawner_auth_begin(p->spawner, attempt, at->username,
		form->rhost ? form->rhost : "", &err) == 0)
		return;
	log_warn(NULL, "PAM cannot be asked", "why=\"%s\"", err.text);
	end_later(at, AUTH_RES_UNAVAILABLE, TEXT_SPAWNER_AWAY);
}

static void pam_cancel(struct authenticator *au, uint64_t attempt)
{
	struct pam *p = pam_of(au);

	list_for_each (it, &p->attempts) {
		struct pam_attempt *at =
		    LIST_ITEM(it, struct pam_attempt, link);

		if (at->id != attempt)
			continue;
		if (!at->is_over)
			cancel_in_spawner(at);
		attempt_free(at);
	}
}

/* People look here for what JupyterHub's authenticator has. */
static int refuse_options(const struct auth_env *env, struct err *err)
{
	const struct conf_node *o = env->options;

	if (!o || o->kind == CONF_NULL || (o->kind == CONF_MAP && !o->child))
		return 0;
	if (o->kind == CONF_MAP)
		o = o->child;
	return err_set(err, ERR_INVALID,
	    "%s:%d:%d: auth.options: \"auth.type: pam\" has no options here "
	    "(found \"%.32s\"): the PAM service and its time limits stand in "
	    "spawner.yaml, who may come in stands in section auth",
	    env->file ? env->file : "", o->key ? o->key_line : o->line,
	    o->key ? o->key_column : o->column, o->key ? o->key : "a value");
}

static struct authenticator *pam_open(
    const struct auth_env *env, struct err *err)
{
	struct pam *p;

	if (refuse_options(env, err) < 0)
		return NULL;
	p = xcalloc(1, sizeof *p);
	p->base.kind = &authenticator_pam;
	p->loop = env->loop;
	p->spawner = env->spawner;
	p->sink = env->sink;
	list_init(&p->attempts);
	return &p->base;
}

static void pam_close(struct authenticator **au)
{
	struct pam *p = pam_of(*au);

	*au = NULL;
	if (!p)
		return;
	list_for_each (it, &p->attempts) {
		struct pam_attempt *at =
		    LIST_ITEM(it, struct pam_attempt, link);

		if (!at->is_over)
			cancel_in_spawner(at);
		attempt_free(at);
	}
	free(p);
}

const struct authenticator_kind authenticator_pam = {
	.name = "pam",
	.has_form = true,
	.open = pam_open,
	.begin = pam_begin,
	.reply = pam_reply,
	.cancel = pam_cancel,
	.close = pam_close,
};
