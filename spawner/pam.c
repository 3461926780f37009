/*
 * See pam.h, pam(3), pam_conv(3).
 */
#include "spawner/pam.h"

#include <assert.h>
#include <grp.h>
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "spawner/account.h"
#include "spawner/policy.h"

#define PAM_TTY_NAME "carrel"

/* What the conversation function of either use works on. */
struct talk {
	const struct pam_login *login; /* NULL: nobody can be asked */
	struct buf text;               /* what modules said */
	size_t n_told; /* bytes of it that went out with a prompt */
	bool gave_up;  /* the person did, or nobody is there */
};

/* ---- conversation -------------------------------------------------------- */

static void collect(struct talk *talk, const char *text)
{
	char shown[512];

	str_printable(shown, sizeof shown, text, strlen(text));
	if (!*shown)
		return;
	if (talk->text.len > 0)
		buf_char(&talk->text, '\n');
	buf_str(&talk->text, shown);
}

/* What modules said since the last prompt: "BAD PASSWORD: ..." comes as a
 * message before the prompt that it belongs to. */
static const char *untold(const struct talk *talk)
{
	const char *text = buf_view(&talk->text) + talk->n_told;

	return *text == '\n' ? text + 1 : text;
}

/* Lines; the last one is the question. */
static void write_prompt(
    struct talk *talk, const char *text, char *out, size_t cap)
{
	char said[PAM_TEXT_MAX / 2], question[PAM_MAX_MSG_SIZE];
	const char *news = untold(talk);

	str_printable(question, sizeof question, text, strlen(text));
	if (str_copy(said, sizeof said, news) != 0)
		*said = '\0';
	if (str_format(out, cap, "%s%s%s", said, *said ? "\n" : "", question) !=
	    0)
		*out = '\0';
	talk->n_told = talk->text.len;
}

/* malloc'ed, as PAM wants it; NULL when there is no answer. */
static char *ask(struct talk *talk, const char *text, bool echo)
{
	char shown[PAM_TEXT_MAX], reply[PAM_MAX_RESP_SIZE];
	char *copy = NULL;

	write_prompt(talk, text, shown, sizeof shown);
	if (talk->login && talk->login->prompt(shown, echo, reply, sizeof reply,
			       talk->login->arg) == 0)
		copy = xstrdup(reply);
	else
		talk->gave_up = true;
	mem_wipe(reply, sizeof reply);
	return copy;
}

static void free_replies(struct pam_response *replies, int n)
{
	for (int i = 0; i < n; i++) {
		if (!replies[i].resp)
			continue;
		mem_wipe(replies[i].resp, strlen(replies[i].resp));
		free(replies[i].resp);
	}
	free(replies);
}

/* One message. false: the conversation is over. */
static bool converse_one(
    struct talk *talk, const struct pam_message *msg, struct pam_response *out)
{
	const char *text = msg->msg ? msg->msg : "";

	switch (msg->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
	case PAM_PROMPT_ECHO_ON:
		out->resp =
		    ask(talk, text, msg->msg_style == PAM_PROMPT_ECHO_ON);
		return out->resp != NULL;
	case PAM_TEXT_INFO:
	case PAM_ERROR_MSG:
		collect(talk, text);
		return true;
	default:
		return false;
	}
}

/* resp may be NULL: some modules want no replies to messages. */
static int converse(int n, const struct pam_message **msg,
    struct pam_response **resp, void *arg)
{
	struct pam_response *replies;
	struct talk *talk = arg;

	if (n <= 0 || n > PAM_MAX_NUM_MSG || !msg)
		return PAM_CONV_ERR;
	replies = xcalloc((size_t)n, sizeof *replies);
	for (int i = 0; i < n; i++) {
		if (converse_one(talk, msg[i], &replies[i]))
			continue;
		free_replies(replies, n);
		return PAM_CONV_ERR;
	}
	if (resp)
		*resp = replies;
	else
		free_replies(replies, n);
	return PAM_SUCCESS;
}

static void talk_init(struct talk *talk, const struct pam_login *login)
{
	*talk = (struct talk){ .login = login };
	buf_init(&talk->text, PAM_TEXT_MAX);
}

static int start(const struct pam_place *place, const char *account,
    const struct pam_conv *conv, pam_handle_t **out)
{
	int rc = place->dir ? pam_start_confdir(place->service, account, conv,
				  place->dir, out)
			    : pam_start(place->service, account, conv, out);

	/* pam_access, pam_time and pam_securetty want some name here. */
	if (rc == PAM_SUCCESS)
		(void)pam_set_item(*out, PAM_TTY, PAM_TTY_NAME);
	return rc;
}

/* A handle and what its conversation needs, which must not move. */
struct pam_session {
	pam_handle_t *handle;
	struct talk talk;
	struct pam_conv conv;
	char **env;
	bool has_creds, is_open;
	int rc; /* of the last call: pam_end tells the modules */
};

static struct pam_session *session_new(const struct pam_place *place,
    const char *account, const struct pam_login *login, int *rc_out)
{
	struct pam_session *s = xcalloc(1, sizeof *s);

	talk_init(&s->talk, login);
	s->conv = (struct pam_conv){ converse, &s->talk };
	*rc_out = start(place, account, &s->conv, &s->handle);
	return s;
}

/* ---- login --------------------------------------------------------------- */

static enum spawner_auth_code code_of(int rc, const struct talk *talk)
{
	if (talk->gave_up)
		return AUTH_CANCELLED;
	switch (rc) {
	case PAM_SUCCESS:
		return AUTH_SUCCESS;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_CRED_INSUFFICIENT:
	case PAM_IGNORE:
		return AUTH_DENIED;
	case PAM_ACCT_EXPIRED:
		return AUTH_EXPIRED;
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
		return AUTH_PASSWORD_EXPIRED;
	default:
		return AUTH_UNAVAILABLE;
	}
}

/* Our own words after what the modules said. */
static void explain(struct talk *talk, enum spawner_auth_code code,
    pam_handle_t *handle, int rc)
{
	if (code == AUTH_PASSWORD_EXPIRED && talk->login->changes_passwords)
		collect(talk,
		    "Your password was not changed. Log in again to try once "
		    "more.");
	else if (code == AUTH_PASSWORD_EXPIRED)
		collect(talk,
		    "Your password must be changed before you can log in: "
		    "change it with passwd on a terminal of this machine.");
	else if (code == AUTH_EXPIRED && talk->text.len == 0)
		collect(talk,
		    "Your account has expired: ask the administrator of this "
		    "machine.");
	else if (code == AUTH_UNAVAILABLE && talk->text.len == 0)
		collect(talk, pam_strerror(handle, rc));
}

static bool is_refused(const struct pam_login *login, const char *name)
{
	struct account account;
	struct arena a;
	struct err err;
	bool refused;

	if (!policy_account_name_ok(name) ||
	    (login->only_account && !str_eq(login->only_account, name)))
		return true;
	arena_init(&a);
	/* One that is no Unix account is for the stack to judge. */
	refused =
	    account_find(&a, name, &account, &err) > 0 &&
	    policy_check_uid(login->min_uid, name, account.uid, &err) != 0;
	arena_fini(&a);
	return refused;
}

/*
 * As if the password were wrong: nobody learns from the answer or its time
 * that root exists, or what its password is.
 */
static enum spawner_auth_code refuse(struct talk *talk)
{
	int64_t ms = talk->login->refuse_delay_ms;
	struct timespec t;
	char *reply = ask(talk, "Password: ", false);

	if (!reply)
		return AUTH_CANCELLED;
	mem_wipe(reply, strlen(reply));
	free(reply);
	/* libpam's own delay varies around its value, too. */
	if (ms > 0)
		ms = ms * 3 / 4 + (int64_t)rand_below((uint64_t)ms / 2 + 1);
	t.tv_sec = ms / 1000;
	t.tv_nsec = ms % 1000 * 1000000;
	(void)nanosleep(&t, NULL);
	return AUTH_DENIED;
}

static void fill_success(pam_handle_t *handle, const struct pam_login *login,
    struct arena *a, struct pam_login_result *out)
{
	const void *name = NULL;
	struct account account;
	struct err err;

	if (pam_get_item(handle, PAM_USER, &name) != PAM_SUCCESS || !name)
		name = login->account;
	out->account = arena_strdup(a, name);
	/* A module may have changed the name into one that we refuse. */
	if (strcmp(out->account, login->account) != 0 &&
	    is_refused(login, out->account)) {
		out->code = AUTH_DENIED;
		out->account = "";
		return;
	}
	if (account_find(a, out->account, &account, &err) > 0)
		out->n_groups =
		    account_groups(a, &account, PAM_GROUPS_MAX, &out->groups);
}

static bool is_due(int rc)
{
	return rc == PAM_NEW_AUTHTOK_REQD || rc == PAM_AUTHTOK_EXPIRED;
}

/* The modules ask for the old and the new password. Whatever they say of a
 * change that was not made, the password is due still. */
static int change_password(struct pam_session *s, bool *done_out)
{
	int rc = pam_chauthtok(s->handle, PAM_CHANGE_EXPIRED_AUTHTOK);

	*done_out = rc == PAM_SUCCESS;
	if (*done_out)
		return pam_acct_mgmt(s->handle, PAM_DISALLOW_NULL_AUTHTOK);
	return PAM_NEW_AUTHTOK_REQD;
}

static void run_stack(const struct pam_login *login, struct arena *a,
    struct pam_login_result *out)
{
	int rc;
	struct pam_session *s =
	    session_new(&login->place, login->account, login, &rc);

	if (rc == PAM_SUCCESS && *login->rhost)
		rc = pam_set_item(s->handle, PAM_RHOST, login->rhost);
	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(s->handle, PAM_DISALLOW_NULL_AUTHTOK);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(s->handle, PAM_DISALLOW_NULL_AUTHTOK);
	if (is_due(rc) && login->changes_passwords)
		rc = change_password(s, &out->is_changed);
	out->code = code_of(rc, &s->talk);
	explain(&s->talk, out->code, s->handle, rc);
	if (out->code == AUTH_SUCCESS)
		fill_success(s->handle, login, a, out);
	out->text = arena_strdup(a, untold(&s->talk));
	buf_reset(&s->talk.text);
	s->talk.n_told = 0;
	/* Nobody can be asked from here on. */
	s->talk.login = NULL;
	s->rc = rc;
	if (login->keeps_handle && out->code == AUTH_SUCCESS)
		out->session = s;
	else
		pam_session_close(&s);
}

void pam_login_run(const struct pam_login *login, struct arena *a,
    struct pam_login_result *out)
{
	struct talk talk;

	*out = (struct pam_login_result){ .account = "", .text = "" };
	if (!is_refused(login, login->account)) {
		run_stack(login, a, out);
		return;
	}
	talk_init(&talk, login);
	out->code = refuse(&talk);
	buf_fini(&talk.text);
}

/* ---- session ------------------------------------------------------------- */

static int fail_pam(
    struct pam_session *s, const char *step, int rc, struct err *err)
{
	bool is_account = rc == PAM_ACCT_EXPIRED || rc == PAM_AUTH_ERR ||
			  rc == PAM_NEW_AUTHTOK_REQD ||
			  rc == PAM_AUTHTOK_EXPIRED || rc == PAM_PERM_DENIED ||
			  rc == PAM_USER_UNKNOWN;

	return err_set(err,
	    is_account && strcmp(step, "acct_mgmt") == 0 ? ERR_DENIED
							 : ERR_UNAVAILABLE,
	    "PAM (%s): %s%s%s", step, pam_strerror(s->handle, rc),
	    s->talk.text.len ? ": " : "", buf_view(&s->talk.text));
}

static int open_steps(
    struct pam_session *s, const char *account, gid_t gid, struct err *err)
{
	int rc = pam_acct_mgmt(s->handle, PAM_SILENT);

	if (rc != PAM_SUCCESS)
		return fail_pam(s, "acct_mgmt", rc, err);
	/* Before setcred: pam_group adds to what is there. */
	if (initgroups(account, gid) != 0)
		return err_sys(err, "set the groups of %s", account);
	rc = pam_setcred(s->handle, PAM_ESTABLISH_CRED | PAM_SILENT);
	if (rc != PAM_SUCCESS)
		return fail_pam(s, "setcred", rc, err);
	s->has_creds = true;
	rc = pam_open_session(s->handle, PAM_SILENT);
	if (rc != PAM_SUCCESS)
		return fail_pam(s, "open_session", rc, err);
	s->is_open = true;
	s->env = pam_getenvlist(s->handle);
	return 0;
}

struct pam_session *pam_session_open(struct pam_session *kept,
    const struct pam_place *place, const char *account, gid_t gid,
    struct err *err)
{
	struct pam_session *s = kept;
	int rc = PAM_SUCCESS;

	if (!s)
		s = session_new(place, account, NULL, &rc);
	if (rc != PAM_SUCCESS)
		(void)fail_pam(s, "start", rc, err);
	else if (open_steps(s, account, gid, err) == 0)
		return s;
	pam_session_close(&s);
	return NULL;
}

char *const *pam_session_env(const struct pam_session *s)
{
	return s->env;
}

void pam_session_close(struct pam_session **session)
{
	struct pam_session *s = *session;

	*session = NULL;
	if (!s)
		return;
	if (s->is_open)
		s->rc = pam_close_session(s->handle, PAM_SILENT);
	if (s->has_creds)
		(void)pam_setcred(s->handle, PAM_DELETE_CRED | PAM_SILENT);
	if (s->handle)
		(void)pam_end(s->handle, s->rc);
	for (char **e = s->env; e && *e; e++)
		free(*e);
	free(s->env);
	buf_fini(&s->talk.text);
	free(s);
}
